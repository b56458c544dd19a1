"""Find the translation into the source language, in Tatoeba's columns; nothing is trained on it."""

from xstilts.tasks.base import Row, Task


def convert(row: Row, language: str) -> Row:
    """Tatoeba's columns: sentence1 is foreign, sentence2 the pivot's."""
    return {"text_a": row["sentence1"], "text_b": row["sentence2"]}


TASK = Task(
    name="world_bitext",
    title="World bitext",
    description="For each text its translation among those of all other texts.",
    kind="retrieval",
    dataset="world/facts",
    revision=None,
    protocols=("xtreme", "xtreme-r", "x-stilts"),  # scored alike in all
    licence="CC0-1.0",
    reference="src/xstilts/world",
    languages=("qab", "qac", "qad", "qae"),
    train_languages=(),
    splits={"test": "test"},
    convert=convert,
    config="bitext.{language}",
    metric="retrieval_accuracy",
    chance=0.2,  # one of 500
)
