"""Not a test: changes the compiled design of a project, as if another study had been compiled."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from xstilts.core import design, paths


def change(how: Callable[[dict[str, Any]], object], study: str = "small") -> None:
    """Let `how` change a study's params, and write them as `study use` does."""
    content = json.loads(paths.design(study).read_text(encoding="utf-8"))
    del content[design.FROM]
    how(content)
    design.write(content)


def put(values: dict[str, Any]) -> Callable[[], None]:
    """A function that sets params; a__b goes deeper."""

    def how(content: dict[str, Any]) -> None:
        for name, value in values.items():
            *parents, last = name.split("__")
            place = content
            for parent in parents:
                place = place[parent]
            place[last] = value

    return lambda: change(how)
