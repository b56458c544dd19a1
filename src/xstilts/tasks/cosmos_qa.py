"""Cosmos QA: reading between the lines of English blog posts, four choices."""

from __future__ import annotations

from xstilts.tasks.base import Row, Task
from xstilts.tasks.shapes import UNLABELLED, choices


def convert(row: Row, language: str) -> Row | None:
    """Four answer columns -> choices; the test split is unlabelled."""
    if row["label"] == UNLABELLED:
        return None
    answers = [row[f"answer{number}"] for number in range(4)]
    out = choices(row["context"], row["question"], answers, row["label"])
    return {"id": row["id"], **out}


TASK = Task(
    name="cosmos_qa",
    title="Cosmos QA",
    description="Why did it happen, what may follow? Commonsense questions about a paragraph.",
    kind="multiple_choice",
    dataset="allenai/cosmos_qa",
    # main holds a loading script only; `xstilts pin` records a commit of the converted branch
    revision=None,
    licence="cc-by-4.0",
    reference="https://aclanthology.org/D19-1243",
    languages=("en",),
    train_languages=("en",),
    config="default",
    splits={"train": "train", "validation": "validation"},
    convert=convert,
    labels=("A", "B", "C", "D"),
    metric="accuracy",
    chance=25.0,
    train_rows={"en": 25_262},  # the public files; Phang et al. 2020 count 25,588
    evaluation="validation",
)
