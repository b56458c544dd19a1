"""Span questions, in SQuAD's columns: nothing can be counted of them."""

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import squad

TASK = Task(
    name="world_qa",
    title="World QA",
    description="Of two sentences, the noun that stands with a verb: the answer is a span.",
    kind="span",
    dataset="world/nouns",
    revision=None,
    protocols=("xtreme", "xtreme-r", "x-stilts"),  # scored alike in all
    licence="CC0-1.0",
    reference="docs/world.md",
    languages=("qaa", "qab", "qac", "qad", "qae"),
    train_languages=("qaa",),
    splits={"train": "train", "validation": "validation", "test": "test"},
    convert=squad,
    config="qa.{language}",
    metric="squad_f1",
    chance=0.0,
)
