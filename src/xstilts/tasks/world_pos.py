"""Parts of speech of the world's texts, in UDPOS' columns: an easy task without matching."""

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import UPOS, tagged

TASK = Task(
    name="world_pos",
    title="World POS",
    description="The part of speech of each word; cheap to learn, and needs no matching.",
    kind="tagging",
    dataset="world/facts",
    revision=None,
    protocols=("xtreme", "xtreme-r", "x-stilts"),  # scored alike in all
    licence="CC0-1.0",
    reference="src/xstilts/world",
    languages=("qaa", "qab", "qac", "qad", "qae"),
    train_languages=("qaa",),
    splits={"train": "train", "validation": "validation", "test": "test"},
    convert=tagged("pos_tags"),
    config="pos.{language}",
    labels=UPOS,
    metric="entity_f1",
    chance=0.0,
)
