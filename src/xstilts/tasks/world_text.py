"""The pretraining text of the control world: one thing said twice, in words of any language."""

from xstilts.tasks.base import Row, Task


def convert(row: Row, language: str) -> Row:
    """The columns are the kind's own."""
    return {"id": row["id"], "text": row["text"], "pair": row["pair"]}


TASK = Task(
    name="world_text",
    title="World text",
    description="Text for masked-language-model training: a noun and a verb, said twice, each word "
    "in a language of its own.",
    kind="mlm",
    dataset="world/nouns",
    revision=None,
    protocols=("xtreme", "xtreme-r", "x-stilts"),  # scored alike in all
    licence="CC0-1.0",
    reference="docs/world.md",
    languages=("mul",),
    train_languages=("mul",),
    splits={"train": "train"},
    convert=convert,
    config="text",
)
