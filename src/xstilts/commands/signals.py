"""What becomes of SIGTERM and SIGINT while a command has others at work."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], None]


@contextmanager
def told_to_end(handler: Handler) -> Iterator[None]:
    """Both go to a handler for the body, which ends as it sees fit and keeps what it has done."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, handler) for number in numbers]
    try:
        yield
    finally:
        for number, old in zip(numbers, before, strict=True):
            signal.signal(number, old)
