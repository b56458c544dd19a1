"""XQuAD as generation: rows and pins of `xquad`, the answer as a text and not as a span."""

from __future__ import annotations

from dataclasses import replace

from xstilts.tasks import xquad
from xstilts.tasks.shapes import answered

TASK = replace(
    xquad.TASK,
    name="xquad_text",
    title="XQuAD as generation",
    description="Write the answer to a question that is the same in every language.",
    kind="generation",
    convert=answered,
    metric="answer_f1",
    train_task="squad_v1_text",
    protocols=("x-stilts",),
    official={},
)
