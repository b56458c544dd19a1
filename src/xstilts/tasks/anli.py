"""Adversarial NLI: all three rounds together, in English."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import NLI_LABELS, pair

TASK = Task(
    name="anli",
    title="ANLI",
    description="Natural language inference collected against models, rounds 1 to 3 joined.",
    kind="classification",
    dataset="facebook/anli",
    revision="8e4813d81f46d313dac7892e1c28076917cfcdf9",
    licence="cc-by-nc-4.0",
    reference="https://aclanthology.org/2020.acl-main.441",
    languages=("en",),
    train_languages=("en",),
    config="plain_text",
    splits={
        "train": "train_r1+train_r2+train_r3",
        "validation": "dev_r1+dev_r2+dev_r3",
        "test": "test_r1+test_r2+test_r3",
    },
    convert=pair("premise", "hypothesis", "label", key="uid"),
    labels=NLI_LABELS,
    metric="accuracy",
    chance=100 / 3,
    train_rows={"en": 162_865},
)
