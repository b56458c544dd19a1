"""Do two texts state the same facts? In PAWS-X's columns."""

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import pair

TASK = Task(
    name="world_paraphrase",
    title="World paraphrase",
    description="Two texts of two facts each: the same facts or not. The order may differ; a "
    "quarter of the false pairs have the very same words.",
    kind="classification",
    dataset="world/facts",
    revision=None,
    protocols=("xtreme", "xtreme-r", "x-stilts"),  # scored alike in all
    licence="CC0-1.0",
    reference="src/xstilts/world",
    languages=("qaa", "qab", "qac", "qad", "qae"),
    train_languages=("qaa",),
    splits={"train": "train", "validation": "validation", "test": "test"},
    convert=pair("sentence1", "sentence2", "label", key="id"),
    config="paraphrase.{language}",
    labels=("different", "same"),
    metric="accuracy",
    chance=50.0,
)
