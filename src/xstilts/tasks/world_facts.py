"""Say a noun's facts in the language of the question."""

from xstilts.tasks.base import Row, Task


def convert(row: Row, language: str) -> Row:
    """A question and its one answer."""
    texts = {"source": row["question"], "targets": [row["answer"]]}
    return {"id": str(row["id"]), **texts, "language": language}


TASK = Task(
    name="world_facts",
    title="World facts",
    description="A noun; the answer is its place and its colour in the language of the question. "
    "Learnt on some nouns in one language, asked about others in all.",
    kind="generation",
    dataset="world/facts",
    revision=None,
    protocols=("xtreme", "xtreme-r", "x-stilts"),  # scored alike in all
    licence="CC0-1.0",
    reference="docs/generation.md",
    languages=("qaa", "qab", "qac", "qad", "qae"),
    train_languages=("qaa", "qab", "qac", "qad", "qae"),
    splits={"train": "train", "validation": "validation", "test": "test"},
    convert=convert,
    config="questions.{language}",
    metric="answer_f1",
)
