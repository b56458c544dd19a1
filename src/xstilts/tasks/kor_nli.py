"""KorNLI: MultiNLI machine-translated into Korean."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import NLI_LABELS, pair

TASK = Task(
    name="kor_nli",
    title="KorNLI",
    description="MultiNLI's pairs in machine-made Korean; people mended the validation pairs.",
    kind="classification",
    dataset="kakaobrain/kor_nli",
    revision="3e0e4626f66911b344c490c26e3cc07e6c3bb0f9",
    licence="cc-by-sa-4.0",
    reference="https://arxiv.org/abs/2004.03289",
    languages=("ko",),
    train_languages=("ko",),
    config="multi_nli",
    splits={"train": "train", "validation": "xnli/validation"},
    origin="machine",
    convert=pair("premise", "hypothesis", "label"),
    labels=NLI_LABELS,
    metric="accuracy",
    chance=100 / 3,
    train_rows={"ko": 392_702},
    evaluation="validation",
)
