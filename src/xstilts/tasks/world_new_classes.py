"""The classes of nouns that no training row of the target is about."""

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import single

TASK = Task(
    name="world_new_classes",
    title="World new classes",
    description="A verb and a noun. Trained on 48 nouns and scored on 192 others, so that only an "
    "intermediate training can have taught their classes.",
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
    config="new_classes.{language}",
    labels=("0", "1", "2", "3"),
    metric="accuracy",
    chance=25.0,
    expected="class",
    teaches=True,
)
