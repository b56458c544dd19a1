"""JNLI: natural language inference on captions of photographs, written in Japanese."""

from __future__ import annotations

from xstilts.tasks.base import Row, Task
from xstilts.tasks.shapes import NLI_LABELS

COMMIT = "6f071c09316baae89c3d083a90985b4b1cb9968c"  # JGLUE 1.3.0
ROOT = f"https://raw.githubusercontent.com/yahoojapan/JGLUE/{COMMIT}/datasets/jnli-v1.3"


def convert(row: Row, language: str) -> Row:
    """The label is a word."""
    return {
        "id": row["sentence_pair_id"],
        "text_a": row["sentence1"],
        "text_b": row["sentence2"],
        "label": NLI_LABELS.index(row["label"]),
    }


TASK = Task(
    name="jnli",
    title="JNLI",
    description="Japanese captions and sentences about them: entailment, neutral, contradiction.",
    kind="classification",
    dataset="yahoojapan/JGLUE",
    revision=None,
    licence="cc-by-sa-4.0",
    reference="https://aclanthology.org/2022.lrec-1.317",
    languages=("ja",),
    train_languages=("ja",),
    splits={},
    urls={
        "train": {
            f"{ROOT}/train-v1.3.json": (
                "c506354d1310807f7300cfa8ad49482c6359a84fe85eea8d5e667d90d338d1c4"
            ),
        },
        "validation": {
            f"{ROOT}/valid-v1.3.json": (
                "ca0353efc7c2eebfb6de4e13f16295053c8b1ee65e7b0849190c90426fbc495f"
            ),
        },
    },
    parse="jsonl",
    convert=convert,
    labels=NLI_LABELS,
    metric="accuracy",
    chance=100 / 3,
    train_rows={"ja": 20_073},
    evaluation="validation",
)
