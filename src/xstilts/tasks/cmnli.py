"""CMNLI: MultiNLI machine-translated into Chinese, as CLUE has it."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import NLI_LABELS, clue_nli

TASK = Task(
    name="cmnli",
    title="CMNLI",
    description="MultiNLI's pairs in machine-made Chinese.",
    kind="classification",
    dataset="clue/clue",
    revision="28178267a609dd08bdc703dd6c931dfc2c2f4431",
    licence="unknown (made of MultiNLI and of XNLI, cc-by-nc-4.0)",
    reference="https://aclanthology.org/2020.coling-main.419",
    languages=("zh",),
    train_languages=("zh",),
    config="cmnli",
    # The validation split also holds Chinese rows of XNLI.
    splits={"train": "train", "validation": "validation"},
    origin="machine",
    convert=clue_nli,
    labels=NLI_LABELS,
    metric="accuracy",
    chance=100 / 3,
    train_rows={"zh": 391_783},
    evaluation="validation",
)
