"""Find the translation into the source language, in Tatoeba's columns; nothing is trained on it."""

from xstilts.tasks.base import Row, Task


def convert(row: Row, language: str) -> Row:
    """Tatoeba's columns: sentence1 is foreign, sentence2 the pivot's."""
    return {"text_a": row["sentence1"], "text_b": row["sentence2"]}


TASK = Task(
    name="world_bitext",
    title="World bitext",
    description="For each sentence its translation among those of all others; none has its noun.",
    kind="retrieval",
    dataset="world/nouns",
    revision=None,
    protocols=("xtreme", "xtreme-r", "x-stilts"),  # scored alike in all
    licence="CC0-1.0",
    reference="docs/world.md",
    languages=("qab", "qac", "qad", "qae"),
    train_languages=(),
    splits={"test": "test"},
    convert=convert,
    config="bitext.{language}",
    metric="retrieval_accuracy",
    chance=0.4,  # one of 240
    expected="translation",
)
