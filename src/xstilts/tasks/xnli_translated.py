"""XNLI's training sets: MultiNLI machine-translated into fourteen languages."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import NLI_LABELS, pair

# fmt: off
LANGUAGES = (
    "ar", "bg", "de", "el", "es", "fr", "hi", "ru", "sw", "th", "tr", "ur", "vi", "zh",
)
# fmt: on

TASK = Task(
    name="xnli_translated",
    title="XNLI translate-train",
    description="MultiNLI's pairs by machine translation; the validation pairs are by people.",
    kind="classification",
    dataset="facebook/xnli",
    revision="b8dd5d7af51114dbda02c0e3f6133f332186418e",
    licence="cc-by-nc-4.0",
    reference="https://aclanthology.org/D18-1269",
    languages=LANGUAGES,
    train_languages=LANGUAGES,
    config="{language}",
    splits={"train": "train", "validation": "validation"},
    origin="machine",
    convert=pair("premise", "hypothesis", "label"),
    labels=NLI_LABELS,
    metric="accuracy",
    chance=100 / 3,
    train_rows=dict.fromkeys(LANGUAGES, 392_702),
    evaluation="validation",
)
