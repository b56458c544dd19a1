"""The list of tasks. A new task is one file beside this one, its name here, and a fixture.

`load` imports one task only, so that a stage depends on its own task's file and on no other.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from xstilts.core.errors import UserError
from xstilts.tasks.base import Task

NAMES: tuple[str, ...] = (
    # intermediate tasks, English
    "anli_plus",
    "anli",
    "mnli",
    "snli",
    "qqp",
    "squad_v2",
    "squad_v1",
    "hellaswag",
    "ccg",
    "cosmos_qa",
    "commonsense_qa",
    "siqa",
    "copa",
    # intermediate tasks, written in another language
    "indonli",
    "ocnli",
    "klue_nli",
    "farstail",
    "jnli",
    "cmrc2018",
    "drcd",
    "korquad",
    "klue_mrc",
    "sberquad",
    "germanquad",
    "jaquad",
    # intermediate tasks, machine-translated from English
    "xnli_translated",
    "paws_x_translated",
    "squad_mlqa_translated",
    "squad_xtreme_translated",
    "cmnli",
    "kor_nli",
    "squad_es",
    "squad_it",
    # text for masked language modelling
    "wikipedia",
    # targets, and the tasks that only they are trained on
    "xnli",
    "paws_x",
    "xcopa",
    "udpos",
    "udpos_2_7",
    "wikiann",
    "xquad",
    "mlqa",
    "tydiqa",
    "bucc",
    "tatoeba",
    "mewsli_x",
    "lareqa",
    "squad_retrieval",
    # answered by generation: targets, and what they are trained on
    "xlsum",
    "squad_v1_text",
    "xquad_text",
    "mlqa_text",
    "tydiqa_text",
    # the control world
    "world_text",
    "world_classes",
    "world_tags",
    "world_new_classes",
    "world_new_tags",
    "world_qa",
    "world_bitext",
    "world_facts_text",
    "world_facts",
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
