"""XCOPA: COPA translated by people into eleven languages; English is not one of them."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import copa

LANGUAGES = ("et", "ht", "id", "it", "qu", "sw", "ta", "th", "tr", "vi", "zh")

TASK = Task(
    name="xcopa",
    title="XCOPA",
    description="Which of two sentences is the likelier cause or effect of the premise?",
    kind="multiple_choice",
    dataset="cambridgeltl/xcopa",
    revision="042f78955ba48e6404616762fa6e05e839c3907a",
    licence="cc-by-4.0",
    reference="https://aclanthology.org/2020.emnlp-main.185",
    languages=LANGUAGES,
    train_languages=(),
    config="{language}",
    splits={"validation": "validation", "test": "test"},
    convert=copa,
    labels=("A", "B"),
    metric="accuracy",
    chance=50.0,
    evaluation="test",
    train_task="copa",
    train_before=("siqa",),  # 33,410 rows of Social IQa, then COPA's 400, under one head
    protocols=("xtreme-r",),
)
