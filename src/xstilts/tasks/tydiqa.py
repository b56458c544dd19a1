"""TyDi QA GoldP: questions by people who wanted to know, in nine languages."""

from __future__ import annotations

from xstilts.tasks.base import Row, Task
from xstilts.tasks.shapes import squad

NAMES = {  # our code -> what the ids of its rows begin with
    "ar": "arabic",
    "bn": "bengali",
    "en": "english",
    "fi": "finnish",
    "id": "indonesian",
    "ko": "korean",
    "ru": "russian",
    "sw": "swahili",
    "te": "telugu",
}


def belongs(row: Row, language: str) -> bool:
    """All languages lie in one config, also in train: only the id tells whose a row is."""
    return str(row["id"]).startswith(NAMES[language] + "-")


TASK = Task(
    name="tydiqa",
    title="TyDiQA-GoldP",
    description="Which span of the passage answers the question? Written natively, not translated.",
    kind="span",
    dataset="google-research-datasets/tydiqa",
    revision="da78f23f9119363459acbaf46bf89426ff26c259",
    licence="apache-2.0",
    reference="https://aclanthology.org/2020.tacl-1.30",
    languages=tuple(NAMES),
    train_languages=("en",),  # XTREME trains on English only; the file holds all nine
    config="secondary_task",
    splits={"train": "train", "validation": "validation"},
    convert=squad,
    belongs=belongs,
    metric="squad_f1",
    train_rows={"en": 3_696},
    evaluation="validation",  # the test rows are not public
    protocols=("xtreme", "xtreme-r", "x-stilts"),
)
