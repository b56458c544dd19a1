"""TyDiQA-GoldP as generation: rows and pins of `tydiqa`, the answer as a text and not as a span."""

from __future__ import annotations

from dataclasses import replace

from xstilts.tasks import tydiqa
from xstilts.tasks.shapes import answered

TASK = replace(
    tydiqa.TASK,
    name="tydiqa_text",
    title="TyDiQA-GoldP as generation",
    description="Write the answer to a native question about its passage, in its language.",
    kind="generation",
    convert=answered,
    metric="answer_f1",
    protocols=("x-stilts",),
)
