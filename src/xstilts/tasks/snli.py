"""SNLI: natural language inference on captions of photographs, in English."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import NLI_LABELS, pair

TASK = Task(
    name="snli",
    title="SNLI",
    description="Does a caption entail the second sentence, contradict it, or neither?",
    kind="classification",
    dataset="stanfordnlp/snli",
    revision="cdb5c3d5eed6ead6e5a341c8e56e669bb666725b",
    licence="cc-by-sa-4.0",
    reference="https://aclanthology.org/D15-1075",
    languages=("en",),
    train_languages=("en",),
    config="plain_text",
    splits={"train": "train", "validation": "validation", "test": "test"},
    convert=pair("premise", "hypothesis", "label"),
    labels=NLI_LABELS,
    metric="accuracy",
    chance=100 / 3,
    train_rows={"en": 549_367},  # 550,152 less 785 on which the annotators did not agree
    evaluation="validation",
)
