"""MLQA: questions with context and answer in the same one of seven languages."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import squad

TASK = Task(
    name="mlqa",
    title="MLQA",
    description="SQuAD's task on Wikipedia passages that exist in several languages.",
    kind="span",
    dataset="facebook/mlqa",
    revision=None,  # the commits seen in public code hold a script: `xstilts pin mlqa`
    licence="cc-by-sa-3.0",
    reference="https://aclanthology.org/2020.acl-main.653",
    languages=("ar", "de", "en", "es", "hi", "vi", "zh"),
    train_languages=(),
    config="mlqa.{language}.{language}",
    splits={"validation": "validation", "test": "test"},
    convert=squad,
    metric="mlqa_f1",
    evaluation="test",
    train_task="squad_v1",
    protocols=("xtreme", "xtreme-r", "x-stilts"),
)
