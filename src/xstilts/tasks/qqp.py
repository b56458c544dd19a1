"""Quora Question Pairs: do two English questions ask the same?"""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import pair

TASK = Task(
    name="qqp",
    title="QQP",
    description="Are two questions that users of a forum asked the same question?",
    kind="classification",
    dataset="nyu-mll/glue",
    revision="bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c",
    licence="other (Quora's terms of service)",
    reference="https://aclanthology.org/W18-5446",
    languages=("en",),
    train_languages=("en",),
    config="qqp",
    splits={"train": "train", "validation": "validation"},
    convert=pair("question1", "question2", "label", key="idx"),
    labels=("different", "duplicate"),
    metric="accuracy",
    chance=50.0,
    train_rows={"en": 363_846},
    evaluation="validation",
)
