"""Four tasks as if nobody had found their pins, to see what happens to such.

Not a test. In this process they are so by the fixture `no_pins`, in another one by

    python -c "import unpinned; unpinned.run()" pin wikiann
"""

import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from xstilts import tasks
from xstilts.tasks.base import Task


def lost(name: str) -> Task:
    """The task without its commit and its hashes; what the hub has comes from there."""
    task = tasks.load(name)
    return replace(task, revision=None, hashes={}, urls={} if task.splits else task.urls)


def forget(put: Callable[[Any, str, Any], None] = setattr) -> None:
    """Put them where the others are looked up.

    Args:
        put: `setattr`, or one that is undone later.
    """
    for name in ("bucc", "cosmos_qa", "wikiann", "xcopa"):
        put(importlib.import_module(f"xstilts.tasks.{name}"), "TASK", lost(name))
    put(tasks, "TASKS", {name: tasks.load(name) for name in tasks.NAMES})


def run() -> None:
    """The command line, in a process of its own."""
    from xstilts.cli import main

    forget()
    main()
