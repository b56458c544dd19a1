"""IndoNLI: natural language inference written in Indonesian, not translated."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import NLI_LABELS, lettered_nli

COMMIT = "7b55d8217cc8417a8268b2ee6ba07bbfb75a4c8b"
ROOT = f"https://raw.githubusercontent.com/ir-nlp-csui/indonli/{COMMIT}/data/indonli"

TASK = Task(
    name="indonli",
    title="IndoNLI",
    description="Indonesian sentence pairs by native speakers: entailment, neutral, contradiction.",
    kind="classification",
    dataset="ir-nlp-csui/indonli",
    revision=None,
    licence="cc-by-sa-4.0",
    reference="https://aclanthology.org/2021.emnlp-main.821",
    languages=("id",),
    train_languages=("id",),
    splits={},
    urls={
        "train": {
            f"{ROOT}/train.jsonl": (
                "c18a2974a8683d283d0c8eb3d944354d3c5ce54ab6232613d932c0bd2a82abf8"
            ),
        },
        "validation": {
            f"{ROOT}/val.jsonl": (
                "56a553253453bb710fde569b72b0c78a2bc52898ed6eb92b7b6d695f42ed18f1"
            ),
        },
    },
    parse="jsonl",
    convert=lettered_nli,
    labels=NLI_LABELS,
    metric="accuracy",
    chance=100 / 3,
    train_rows={"id": 10_330},
    evaluation="validation",
)
