"""FarsTail: natural language inference written in Persian, not translated."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import NLI_LABELS, lettered_nli

COMMIT = "5d6322c40368ea5fab50e406e083e537a7d97817"
ROOT = f"https://raw.githubusercontent.com/dml-qom/FarsTail/{COMMIT}/data"

TASK = Task(
    name="farstail",
    title="FarsTail",
    description="Persian sentence pairs from exam questions: entailment, neutral, contradiction.",
    kind="classification",
    dataset="dml-qom/FarsTail",
    revision=None,
    licence="apache-2.0",
    reference="https://arxiv.org/abs/2009.08820",
    languages=("fa",),
    train_languages=("fa",),
    splits={},
    urls={
        "train": {
            f"{ROOT}/Train-word.csv": (
                "552cfe796652dc5ea02d53cd23e8b9d1d6d243bbf05fea2d9f959e9b851fbdd3"
            ),
        },
        "validation": {
            f"{ROOT}/Val-word.csv": (
                "a1f2a8bec45a597f5971c58911fabf3d9f7574b819bf637ab94f08f7be1c963e"
            ),
        },
    },
    parse="tsv",  # named .csv, but tabs part the columns
    convert=lettered_nli,
    labels=NLI_LABELS,
    metric="accuracy",
    chance=100 / 3,
    train_rows={"fa": 7_266},
    evaluation="validation",
)
