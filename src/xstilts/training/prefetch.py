"""What the next update needs, made by a thread while the current one runs.

with closing(ahead(make, range(first, last))) as batches:
    for batch in batches: ...
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(make: Callable[[int], T], steps: Iterable[int]) -> Generator[T, None, None]:
    """Yield `make(step)` for each step in turn, the one after it being made meanwhile.

    One thread makes all, one after the other, so there are at most two at a time. To close the
    iterator, as `contextlib.closing` does whatever happens in its body, waits for what is being
    made and ends the thread.

    Args:
        make: depends on the step alone, or the order of what is made meanwhile would matter.

    Raises:
        Exception: what `make` raises, in its step's turn; nothing is made after it.
    """
    waiting: Future[T] | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        for step in steps:
            if waiting is None:
                waiting = thread.submit(make, step)
                continue
            ready = waiting.result()
            waiting = thread.submit(make, step)
            yield ready
        if waiting is not None:
            yield waiting.result()
