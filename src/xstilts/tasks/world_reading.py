"""Span questions on longer contexts than World QA's: a small target of the same kind."""

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import squad

TASK = Task(
    name="world_reading",
    title="World reading",
    description="Who did it, or to what, in three stated facts: the answer is a span.",
    kind="span",
    dataset="world/facts",
    revision=None,
    protocols=("xtreme", "xtreme-r", "x-stilts"),  # scored alike in all
    licence="CC0-1.0",
    reference="src/xstilts/world",
    languages=("qaa", "qab", "qac", "qad", "qae"),
    train_languages=("qaa",),
    splits={"train": "train", "validation": "validation", "test": "test"},
    convert=squad,
    config="reading.{language}",
    metric="squad_f1",
    chance=0.0,
)
