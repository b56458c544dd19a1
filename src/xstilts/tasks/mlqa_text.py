"""MLQA as generation: rows and pins of `mlqa`, the answer as a text and not as a span."""

from __future__ import annotations

from dataclasses import replace

from xstilts.tasks import mlqa
from xstilts.tasks.shapes import answered

TASK = replace(
    mlqa.TASK,
    name="mlqa_text",
    title="MLQA as generation",
    description="Write the answer to a question about a Wikipedia passage, in its language.",
    kind="generation",
    convert=answered,
    metric="answer_f1_mlqa",
    train_task="squad_v1_text",
    protocols=("x-stilts",),
)
