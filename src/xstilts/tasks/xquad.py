"""XQuAD: SQuAD questions and paragraphs translated by people into eleven languages."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import squad

XTREME = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")

TASK = Task(
    name="xquad",
    title="XQuAD",
    description="SQuAD's task on 1,190 questions that are the same in every language.",
    kind="span",
    dataset="google/xquad",
    revision="51adfef1c1287aab1d2d91b5bead9bcfb9c68583",
    licence="cc-by-sa-4.0",
    reference="https://aclanthology.org/2020.acl-main.421",
    languages=tuple(sorted((*XTREME, "ro"))),
    train_languages=(),
    config="xquad.{language}",
    splits={"validation": "validation"},
    convert=squad,
    metric="squad_f1",
    evaluation="validation",
    train_task="squad_v1",
    protocols=("xtreme", "xtreme-r", "x-stilts"),
    official={"xtreme": XTREME, "x-stilts": XTREME},
)
