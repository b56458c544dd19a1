"""DRCD: the span of a Wikipedia paragraph that answers a question, in traditional Chinese."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import squad

TASK = Task(
    name="drcd",
    title="DRCD",
    description="Questions in traditional Chinese, each answered by a span of the paragraph.",
    kind="span",
    dataset="clue/clue",
    revision="28178267a609dd08bdc703dd6c931dfc2c2f4431",
    licence="cc-by-sa-3.0",
    reference="https://arxiv.org/abs/1806.00920",
    languages=("zh",),
    train_languages=("zh",),
    config="drcd",
    splits={"train": "train", "validation": "validation"},
    convert=squad,
    strict_answers=False,  # not every row of it could be looked at
    metric="squad_f1",
    train_rows={"zh": 26_936},
    evaluation="validation",
)
