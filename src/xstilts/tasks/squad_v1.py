"""SQuAD 1.1: the span of a Wikipedia paragraph that answers an English question."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import squad

TASK = Task(
    name="squad_v1",
    title="SQuAD 1.1",
    description="Which span of the paragraph answers the question? There always is one.",
    kind="span",
    dataset="rajpurkar/squad",
    revision="7b6d24c440a36b6815f21b70d25016731768db1f",
    licence="cc-by-sa-4.0",
    reference="https://aclanthology.org/D16-1264",
    languages=("en",),
    train_languages=("en",),
    config="plain_text",
    splits={"train": "train", "validation": "validation"},
    convert=squad,
    metric="squad_f1",
    train_rows={"en": 87_599},
    evaluation="validation",
)
