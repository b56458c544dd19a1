"""SQuAD 1.1 as generation: rows and pins of `squad_v1`, the answer as a text and not as a span."""

from __future__ import annotations

from dataclasses import replace

from xstilts.tasks import squad_v1
from xstilts.tasks.shapes import answered

TASK = replace(
    squad_v1.TASK,
    name="squad_v1_text",
    title="SQuAD 1.1 as generation",
    description="Write the answer to a question about a paragraph; the reference is the span.",
    kind="generation",
    convert=answered,
    metric="answer_f1",
)
