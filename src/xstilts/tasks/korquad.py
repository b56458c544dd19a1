"""KorQuAD 1.0: the span of a Korean Wikipedia paragraph that answers a question."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import squad

TASK = Task(
    name="korquad",
    title="KorQuAD 1.0",
    description="Korean questions by native speakers, each answered by a span of the paragraph.",
    kind="span",
    dataset="KorQuAD/squad_kor_v1",
    revision="01aad23853355e5f4f6317eeaaa8186811424834",
    licence="cc-by-nd-4.0",
    reference="https://arxiv.org/abs/1909.07005",
    languages=("ko",),
    train_languages=("ko",),
    config="squad_kor_v1",
    splits={"train": "train", "validation": "validation"},
    convert=squad,
    strict_answers=False,  # not every row of it could be looked at
    metric="squad_f1",
    train_rows={"ko": 60_407},
    evaluation="validation",
)
