"""OCNLI: natural language inference written in Chinese, not translated."""

from __future__ import annotations

from xstilts.tasks.base import Row, Task
from xstilts.tasks.shapes import NLI_LABELS, UNLABELLED

HUB_LABELS = ("neutral", "entailment", "contradiction")  # the hub's order is its own


def convert(row: Row, language: str) -> Row | None:
    """Labels in the order of the other NLI tasks; rows without a gold label are left out."""
    if row["label"] == UNLABELLED:
        return None
    return {
        "id": str(row["idx"]),
        "text_a": row["sentence1"],
        "text_b": row["sentence2"],
        "label": NLI_LABELS.index(HUB_LABELS[row["label"]]),
    }


TASK = Task(
    name="ocnli",
    title="OCNLI",
    description="Chinese sentence pairs by native speakers: entailment, neutral, contradiction.",
    kind="classification",
    dataset="clue/clue",
    revision=None,  # no commit of the hub data set could be verified: a mirror serves it
    licence="cc-by-nc-2.0",
    reference="https://aclanthology.org/2020.findings-emnlp.314",
    languages=("zh",),
    train_languages=("zh",),
    config="ocnli",
    splits={"train": "train", "validation": "validation"},
    convert=convert,
    labels=NLI_LABELS,
    metric="accuracy",
    chance=100 / 3,
    train_rows={"zh": 50_437},
    evaluation="validation",
)
