"""Cosmos QA: reading between the lines of English blog posts, four choices.

The hub's data set is a script; the authors' files, which it reads, are taken at a commit instead.
"""

from __future__ import annotations

from xstilts.tasks.base import Row, Task
from xstilts.tasks.shapes import UNLABELLED, choices

COMMIT = "b6eb99cca4e2a51dd28a9a6f562534872d851639"
ROOT = f"https://raw.githubusercontent.com/wilburOne/cosmosqa/{COMMIT}/data"


def convert(row: Row, language: str) -> Row | None:
    """Four answer columns -> choices; the test split is unlabelled."""
    label = int(row["label"])  # text in the authors' files
    if label == UNLABELLED:
        return None
    answers = [row[f"answer{number}"] for number in range(4)]
    out = choices(row["context"], row["question"], answers, label)
    return {"id": row["id"], **out}


TASK = Task(
    name="cosmos_qa",
    title="Cosmos QA",
    description="Why did it happen, what may follow? Commonsense questions about a paragraph.",
    kind="multiple_choice",
    dataset="allenai/cosmos_qa",
    revision=None,
    licence="cc-by-4.0",
    reference="https://aclanthology.org/D19-1243",
    languages=("en",),
    train_languages=("en",),
    config="default",
    splits={"train": "train", "validation": "validation"},
    urls={
        "train": {
            f"{ROOT}/train.csv": (
                "d8d5ca1f9f6534b6530550718591af89372d976a8fc419360fab4158dee4d0b2"
            ),
        },
        "validation": {
            f"{ROOT}/valid.csv": (
                "a6a94fc1463ca82bb10f98ef68ed535405e6f5c36e044ff8e136b5c19dea63f3"
            ),
        },
    },
    parse="csv",
    convert=convert,
    labels=("A", "B", "C", "D"),
    metric="accuracy",
    chance=25.0,
    train_rows={"en": 25_262},  # the public files; Phang et al. 2020 count 25,588
    evaluation="validation",
)
