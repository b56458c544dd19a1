"""PAWS-X's training sets: PAWS machine-translated into six languages."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import pair

LANGUAGES = ("de", "es", "fr", "ja", "ko", "zh")

TASK = Task(
    name="paws_x_translated",
    title="PAWS-X translate-train",
    description="PAWS's pairs by machine translation; the validation pairs are by people.",
    kind="classification",
    dataset="google-research-datasets/paws-x",
    revision="4cd8187c404bda33cb1f62b49b001115862acf37",
    licence="other (may be freely used for any purpose)",
    reference="https://aclanthology.org/D19-1382",
    languages=LANGUAGES,
    train_languages=LANGUAGES,
    config="{language}",
    splits={"train": "train", "validation": "validation"},
    origin="machine",
    convert=pair("sentence1", "sentence2", "label", key="id"),
    labels=("different", "paraphrase"),
    metric="accuracy",
    chance=50.0,
    train_rows=dict.fromkeys(LANGUAGES, 49_401),
    evaluation="validation",
)
