"""Social IQa: what people feel and do next, in English; trains XCOPA in XTREME-R."""

from __future__ import annotations

from xstilts.tasks.base import Row, Task
from xstilts.tasks.shapes import choices


def convert(row: Row, language: str) -> Row:
    """Three answer columns -> choices; the label counts from 1."""
    answers = (row["answerA"], row["answerB"], row["answerC"])
    return choices(row["context"], row["question"], answers, int(row["label"]) - 1)


TASK = Task(
    name="siqa",
    title="Social IQa",
    description="Questions about motives and reactions in everyday social situations.",
    kind="multiple_choice",
    dataset="lighteval/siqa",
    revision="54c6a1f8cb6daf4f5abf24a601852612fb35eb25",
    licence="cc-by-4.0",
    reference="https://aclanthology.org/D19-1454",
    languages=("en",),
    train_languages=("en",),
    config="default",
    splits={"train": "train", "validation": "validation"},
    convert=convert,
    labels=("A", "B", "C"),
    metric="accuracy",
    chance=100 / 3,
    train_rows={"en": 33_410},
    evaluation="validation",
)
