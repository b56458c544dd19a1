"""SQuAD 2.0: SQuAD 1.1 and as many questions that the paragraph does not answer, in English."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import NO_ANSWER, squad

TASK = Task(
    name="squad_v2",
    title="SQuAD 2.0",
    description="Which span of the paragraph answers the question, if any does?",
    kind="span",
    dataset="rajpurkar/squad_v2",
    revision="3ffb306f725f7d2ce8394bc1873b24868140c412",
    licence="cc-by-sa-4.0",
    reference="https://aclanthology.org/P18-2124",
    languages=("en",),
    train_languages=("en",),
    config="squad_v2",
    splits={"train": "train", "validation": "validation"},
    convert=squad,
    labels=(NO_ANSWER,),
    metric="squad_f1",
    train_rows={"en": 130_319},
    evaluation="validation",
)
