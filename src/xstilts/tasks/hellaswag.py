"""HellaSwag: the likely end of an English description, among four."""

from __future__ import annotations

from xstilts.tasks.base import Row, Task
from xstilts.tasks.shapes import choices


def convert(row: Row, language: str) -> Row | None:
    """Whole sentences, and each ending with the sentence that it ends, as in jiant's hellaswag.py.

    The hub's test rows have an empty label: they are left out. `ind` numbers a whole split.
    """
    if row["label"] == "":
        return None
    endings = [f"{row['ctx_b']} {ending}".strip() for ending in row["endings"]]
    return {"id": str(row["ind"]), **choices(row["ctx_a"], "", endings, int(row["label"]))}


TASK = Task(
    name="hellaswag",
    title="HellaSwag",
    description="How does this description of a video or of a how-to article go on?",
    kind="multiple_choice",
    dataset="Rowan/hellaswag",
    revision="218ec52e09a7e7462a5400043bb9a69a41d06b76",
    licence="mit",
    reference="https://aclanthology.org/P19-1472",
    languages=("en",),
    train_languages=("en",),
    config="default",
    splits={"train": "train", "validation": "validation"},
    convert=convert,
    labels=("A", "B", "C", "D"),
    metric="accuracy",
    chance=25.0,
    train_rows={"en": 39_905},
    evaluation="validation",
)
