"""GermanQuAD: the span of a German Wikipedia paragraph that answers a question."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import squad

TASK = Task(
    name="germanquad",
    title="GermanQuAD",
    description="German questions by native speakers, each answered by a span of the paragraph.",
    kind="span",
    dataset="deepset/germanquad",
    # of the converted branch: main holds a loading script only
    revision="a2f3a59f0be843fc305d0417d7292ef0b1a66884",
    licence="cc-by-4.0",
    reference="https://arxiv.org/abs/2104.12741",
    languages=("de",),
    train_languages=("de",),
    config="plain_text",
    splits={"train": "train", "validation": "test"},
    convert=squad,
    strict_answers=False,  # not every row of it could be looked at
    metric="squad_f1",
    train_rows={"de": 11_518},
    evaluation="validation",
)
