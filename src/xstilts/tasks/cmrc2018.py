"""CMRC 2018: the span of a Chinese Wikipedia paragraph that answers a question."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import squad

TASK = Task(
    name="cmrc2018",
    title="CMRC 2018",
    description="Chinese questions by native speakers, each answered by a span of the paragraph.",
    kind="span",
    dataset="hfl/cmrc2018",
    revision="137f2c45a24275fb68f6961c4d357f46288886aa",
    licence="cc-by-sa-4.0",
    reference="https://aclanthology.org/D19-1600",
    languages=("zh",),
    train_languages=("zh",),
    config="default",
    splits={"train": "train", "validation": "validation"},
    convert=squad,
    strict_answers=False,  # 183 of its validation rows have an answer that is not in the text
    metric="squad_f1",
    train_rows={"zh": 10_142},
    evaluation="validation",
)
