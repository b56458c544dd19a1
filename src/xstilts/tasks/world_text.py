"""The pretraining text of the control world: single texts, copies, translations, mixed pairs."""

from xstilts.tasks.base import Row, Task


def convert(row: Row, language: str) -> Row:
    """The columns are the kind's own."""
    return {"id": row["id"], "text": row["text"], "pair": row["pair"]}


TASK = Task(
    name="world_text",
    title="World text",
    description="Text in all languages for masked-language-model training: 10 % single texts, "
    "20 % copies, 40 % translations, 30 % code-switched pairs.",
    kind="mlm",
    dataset="world/facts",
    revision=None,
    protocols=("xtreme", "xtreme-r", "x-stilts"),  # scored alike in all
    licence="CC0-1.0",
    reference="src/xstilts/world",
    languages=("mul",),
    train_languages=("mul",),
    splits={"train": "train"},
    convert=convert,
    config="text",
)
