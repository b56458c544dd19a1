"""COPA: cause or effect of an English premise, two choices."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import copa

TASK = Task(
    name="copa",
    title="COPA",
    description="Which of two sentences is the likelier cause or effect of the premise?",
    kind="multiple_choice",
    dataset="aps/super_glue",
    revision="3de24cf8022e94f4ee4b9d55a6f539891524d646",
    licence="other (BSD 2-clause upstream)",
    reference="https://people.ict.usc.edu/~gordon/copa.html",
    languages=("en",),
    train_languages=("en",),
    config="copa",
    splits={"train": "train", "validation": "validation"},
    convert=copa,
    labels=("A", "B"),
    metric="accuracy",
    chance=50.0,
    train_rows={"en": 400},
    evaluation="validation",
)
