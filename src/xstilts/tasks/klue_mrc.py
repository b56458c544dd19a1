"""KLUE-MRC: the span of a Korean news or Wikipedia text that answers a question, if any does."""

from __future__ import annotations

from xstilts.tasks.base import Row, Task
from xstilts.tasks.shapes import NO_ANSWER, squad


def convert(row: Row, language: str) -> Row:
    """What stands under `answers` of a question without one only looks like an answer."""
    answers = {"text": [], "answer_start": []} if row["is_impossible"] else row["answers"]
    return squad({**row, "id": row["guid"], "answers": answers}, language)


TASK = Task(
    name="klue_mrc",
    title="KLUE-MRC",
    description="Korean questions by native speakers; about a third has no answer in the text.",
    kind="span",
    dataset="klue/klue",
    revision="349481ec73fff722f88e0453ca05c77a447d967c",
    licence="cc-by-sa-4.0",
    reference="https://arxiv.org/abs/2105.09680",
    languages=("ko",),
    train_languages=("ko",),
    config="mrc",
    splits={"train": "train", "validation": "validation"},
    convert=convert,
    strict_answers=False,  # not every row of it could be looked at
    labels=(NO_ANSWER,),
    metric="squad_f1",
    train_rows={"ko": 17_554},
    evaluation="validation",
)
