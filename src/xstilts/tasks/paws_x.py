"""PAWS-X: paraphrases that share nearly all their words, in seven languages."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import pair

LANGUAGES = ("de", "en", "es", "fr", "ja", "ko", "zh")

TASK = Task(
    name="paws_x",
    title="PAWS-X",
    description="Do two sentences that share nearly all words mean the same?",
    kind="classification",
    dataset="google-research-datasets/paws-x",
    revision="4cd8187c404bda33cb1f62b49b001115862acf37",
    licence="other (may be freely used for any purpose)",
    reference="https://aclanthology.org/D19-1382",
    languages=LANGUAGES,
    train_languages=("en",),  # the other training sets are machine-translated
    config="{language}",
    splits={"train": "train", "validation": "validation", "test": "test"},
    convert=pair("sentence1", "sentence2", "label", key="id"),
    labels=("different", "paraphrase"),
    metric="accuracy",
    chance=50.0,
    train_rows={"en": 49_401},
    evaluation="test",
    protocols=("xtreme", "x-stilts"),
)
