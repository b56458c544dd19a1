"""OCNLI: natural language inference written in Chinese, not translated."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import NLI_LABELS, clue_nli

TASK = Task(
    name="ocnli",
    title="OCNLI",
    description="Chinese sentence pairs by native speakers: entailment, neutral, contradiction.",
    kind="classification",
    dataset="clue/clue",
    revision="28178267a609dd08bdc703dd6c931dfc2c2f4431",
    licence="cc-by-nc-2.0",
    reference="https://aclanthology.org/2020.findings-emnlp.314",
    languages=("zh",),
    train_languages=("zh",),
    config="ocnli",
    splits={"train": "train", "validation": "validation"},
    convert=clue_nli,
    labels=NLI_LABELS,
    metric="accuracy",
    chance=100 / 3,
    train_rows={"zh": 50_437},
    evaluation="validation",
)
