"""The list of tasks. A new task is one file beside this one, its name here, and a fixture.

`load` imports one task only, so that a stage depends on its own task's file and on no other.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from xstilts.errors import UserError
from xstilts.tasks.base import Task

NAMES: tuple[str, ...] = (
    # intermediate tasks, English
    "mnli",
    "anli",
    "qqp",
    "squad_v1",
    "hellaswag",
    "cosmos_qa",
    "commonsense_qa",
    # intermediate tasks, written in another language (none is a translation)
    "indonli",
    "ocnli",
    "jaquad",
    "farstail",
    # targets, and the tasks that only they are trained on
    "xnli",
    "paws_x",
    "siqa",
    "copa",
    "xcopa",
    "udpos",
    "wikiann",
    "xquad",
    "mlqa",
    "tydiqa",
    "tatoeba",
    # the control world
    "world_text",
    "world_qa",
    "world_reading",
    "world_paraphrase",
    "world_pos",
    "world_bitext",
)


def load(name: str) -> Task:
    """One task by its name.

    Raises:
        UserError: there is no such task.
    """
    if name not in NAMES:
        known = ", ".join(NAMES)
        raise UserError(f"there is no task {name!r}. Mend: use one of {known}")
    task: Task = import_module(f"{__name__}.{name}").TASK
    return task


def __getattr__(name: str) -> Any:
    """`TASKS`: all tasks by name, imported on first use."""
    if name == "TASKS":
        globals()["TASKS"] = {task: load(task) for task in NAMES}
        return globals()["TASKS"]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
