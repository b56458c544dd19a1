"""XNLI: MNLI-like pairs in 15 languages; English (MNLI) rows train, all languages test."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import NLI_LABELS, pair

# fmt: off
LANGUAGES = (
    "ar", "bg", "de", "el", "en", "es", "fr", "hi", "ru", "sw", "th", "tr", "ur", "vi", "zh",
)
# fmt: on

TASK = Task(
    name="xnli",
    title="XNLI",
    description="Natural language inference on pairs that were translated by people.",
    kind="classification",
    dataset="facebook/xnli",
    revision="b8dd5d7af51114dbda02c0e3f6133f332186418e",
    licence="cc-by-nc-4.0",
    reference="https://aclanthology.org/D18-1269",
    languages=LANGUAGES,
    train_languages=(),  # the hub's train split is machine-translated MNLI
    config="{language}",
    splits={"validation": "validation", "test": "test"},
    convert=pair("premise", "hypothesis", "label"),
    labels=NLI_LABELS,
    metric="accuracy",
    chance=100 / 3,
    evaluation="test",
    train_task="mnli",
    protocols=("xtreme", "xtreme-r", "x-stilts"),
)
