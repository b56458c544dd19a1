"""SberQuAD: the span of a Russian Wikipedia paragraph that answers a question."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import squad

TASK = Task(
    name="sberquad",
    title="SberQuAD",
    description="Russian questions by native speakers, each answered by a span of the paragraph.",
    kind="span",
    dataset="kuznetsoffandrey/sberquad",
    revision="daf6abd8b8d38754d355b911010949f9747b1839",
    licence="unknown",
    reference="https://arxiv.org/abs/1912.09723",
    languages=("ru",),
    train_languages=("ru",),
    config="sberquad",
    splits={"train": "train", "validation": "validation"},
    convert=squad,
    strict_answers=False,  # not every row of it could be looked at
    metric="squad_f1",
    train_rows={"ru": 45_328},
    evaluation="validation",
)
