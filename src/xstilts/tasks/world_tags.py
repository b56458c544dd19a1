"""The class of a noun as its tag, and its verb's: World classes taught by tagging."""

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import tagged

TASK = Task(
    name="world_tags",
    title="World tags",
    description="A noun and a verb that agrees with it: the tag of both is the noun's class.",
    kind="tagging",
    dataset="world/nouns",
    revision=None,
    protocols=("xtreme", "xtreme-r", "x-stilts"),  # scored alike in all
    licence="CC0-1.0",
    reference="docs/world.md",
    languages=("qaa", "qab", "qac", "qad", "qae"),
    train_languages=("qaa",),
    splits={"train": "train", "validation": "validation", "test": "test"},
    convert=tagged("tags"),
    config="tags.{language}",
    labels=("O", "B-0", "B-1", "B-2", "B-3"),
    metric="entity_f1",
    chance=25.0,  # none is O, as any model soon knows
    teaches=True,
)
