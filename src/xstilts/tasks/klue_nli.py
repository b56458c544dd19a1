"""KLUE-NLI: natural language inference written in Korean, not translated."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import NLI_LABELS, pair

TASK = Task(
    name="klue_nli",
    title="KLUE-NLI",
    description="Korean sentence pairs by native speakers: entailment, neutral, contradiction.",
    kind="classification",
    dataset="klue/klue",
    revision="349481ec73fff722f88e0453ca05c77a447d967c",
    licence="cc-by-sa-4.0",
    reference="https://arxiv.org/abs/2105.09680",
    languages=("ko",),
    train_languages=("ko",),
    config="nli",
    splits={"train": "train", "validation": "validation"},
    convert=pair("premise", "hypothesis", "label", key="guid"),
    labels=NLI_LABELS,
    metric="accuracy",
    chance=100 / 3,
    train_rows={"ko": 24_998},
    evaluation="validation",
)
