"""The classes of new nouns as their tags."""

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import tagged

TASK = Task(
    name="world_new_tags",
    title="World new tags",
    description="A verb and a noun, each with its tag. Trained on 48 nouns, scored on 192 others.",
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
    config="new_tags.{language}",
    labels=("O", "B-0", "B-1", "B-2", "B-3"),
    metric="entity_f1",
    chance=25.0,  # verbs are told from nouns by all, so that each noun gets one of four tags
    expected="class",
    teaches=True,
)
