"""The class of a sentence's noun: what an intermediate training teaches."""

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import single

TASK = Task(
    name="world_classes",
    title="World classes",
    description="A noun and a verb; the answer is the hidden class of the noun.",
    kind="classification",
    dataset="world/nouns",
    revision=None,
    protocols=("xtreme", "xtreme-r", "x-stilts"),  # scored alike in all
    licence="CC0-1.0",
    reference="docs/world.md",
    languages=("qaa", "qab", "qac", "qad", "qae"),
    train_languages=("qaa",),
    splits={"train": "train", "validation": "validation", "test": "test"},
    convert=single("sentence", "label", key="id"),
    config="classes.{language}",
    labels=("0", "1", "2", "3"),
    metric="accuracy",
    chance=25.0,
    teaches=True,
)
