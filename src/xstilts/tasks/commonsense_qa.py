"""CommonsenseQA: English questions from ConceptNet, five choices, no text to read."""

from __future__ import annotations

from xstilts.tasks.base import Row, Task
from xstilts.tasks.shapes import choices


def convert(row: Row, language: str) -> Row | None:
    """The question is the first text of each pair; test rows have an empty key and are left out."""
    if row["answerKey"] == "":
        return None
    label = row["choices"]["label"].index(row["answerKey"])
    return {"id": row["id"], **choices(row["question"], "", row["choices"]["text"], label)}


TASK = Task(
    name="commonsense_qa",
    title="CommonsenseQA",
    description="Which of five concepts answers the question? Nothing is given to read.",
    kind="multiple_choice",
    dataset="tau/commonsense_qa",
    revision="94630fe30dad47192a8546eb75f094926d47e155",
    licence="mit",
    reference="https://aclanthology.org/N19-1421",
    languages=("en",),
    train_languages=("en",),
    config="default",
    splits={"train": "train", "validation": "validation"},
    convert=convert,
    labels=("A", "B", "C", "D", "E"),
    metric="accuracy",
    chance=20.0,
    train_rows={"en": 9_741},
    evaluation="validation",
)
