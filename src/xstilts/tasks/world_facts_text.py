"""The text of the world of facts: a noun, its place and its colour, in one language."""

from xstilts.tasks.base import Task
from xstilts.tasks.world_text import convert

TASK = Task(
    name="world_facts_text",
    title="World facts, text",
    description="Text to pretrain an encoder-decoder on: a noun and its two facts, each row in the "
    "words of one language.",
    kind="mlm",
    dataset="world/facts",
    revision=None,
    protocols=("xtreme", "xtreme-r", "x-stilts"),  # scored alike in all
    licence="CC0-1.0",
    reference="docs/generation.md",
    languages=("mul",),
    train_languages=("mul",),
    splits={"train": "train"},
    convert=convert,
    config="text",
)
