"""MultiNLI: natural language inference over ten genres of English."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import NLI_LABELS, pair

TASK = Task(
    name="mnli",
    title="MNLI",
    description="Does the first sentence entail the second, contradict it, or neither?",
    kind="classification",
    dataset="nyu-mll/glue",
    revision="bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c",
    licence="other (OANC, CC BY 3.0, CC BY-SA 3.0 and public domain, by genre)",
    reference="https://aclanthology.org/N18-1101",
    languages=("en",),
    train_languages=("en",),
    config="mnli",
    splits={"train": "train", "validation": "validation_matched"},
    convert=pair("premise", "hypothesis", "label", key="idx"),
    labels=NLI_LABELS,
    metric="accuracy",
    chance=100 / 3,
    train_rows={"en": 392_702},
    evaluation="validation",
)
