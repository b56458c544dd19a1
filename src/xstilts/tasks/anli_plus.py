"""ANLI+: ANLI, MultiNLI and SNLI joined under one head, the largest intermediate task."""

from __future__ import annotations

from xstilts.tasks.base import Row, Task
from xstilts.tasks.shapes import NLI_LABELS


def convert(row: Row, language: str) -> Row:
    """Never asked: each of the joined tasks converts its own rows."""
    return row


TASK = Task(
    name="anli_plus",
    title="ANLI+",
    description="Natural language inference: ANLI's three rounds, MultiNLI and SNLI in one set.",
    kind="classification",
    dataset="anli+mnli+snli",
    revision=None,
    licence="that of each joined task",
    reference="https://aclanthology.org/2020.acl-main.441",
    languages=("en",),
    train_languages=("en",),
    splits={},
    joins=("anli", "mnli", "snli"),
    convert=convert,
    labels=NLI_LABELS,
    metric="accuracy",
    chance=100 / 3,
    train_rows={"en": 1_104_934},  # 162,865 + 392,702 + 549,367
    evaluation="validation",
)
