"""WikiANN (PAN-X): silver named entities in Wikipedia; English rows train, 48 languages test."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import tagged

# fmt: off
XTREME = (
    "af", "ar", "bg", "bn", "de", "el", "en", "es", "et", "eu", "fa", "fi", "fr", "he", "hi", "hu",
    "id", "it", "ja", "jv", "ka", "kk", "ko", "ml", "mr", "ms", "my", "nl", "pt", "ru", "sw", "ta",
    "te", "th", "tl", "tr", "ur", "vi", "yo", "zh",
)
# fmt: on

TASK = Task(
    name="wikiann",
    title="WikiANN",
    description="Persons, organisations and places, marked by the links of Wikipedia.",
    kind="tagging",
    dataset="unimelb-nlp/wikiann",
    revision=None,  # no commit of the hub data set could be verified: `xstilts pin` records one
    licence="unknown (text: CC BY-SA)",
    reference="https://aclanthology.org/P17-1178",
    languages=tuple(sorted((*XTREME, "az", "gu", "lt", "pa", "pl", "qu", "ro", "uk"))),
    train_languages=("en",),
    config="{language}",
    splits={"train": "train", "validation": "validation", "test": "test"},
    convert=tagged("ner_tags"),
    labels=("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"),
    metric="entity_f1",
    chance=0.0,  # no guess of a whole tag sequence is worth a number
    train_rows={"en": 20_000},
    evaluation="test",
    protocols=("xtreme", "xtreme-r", "x-stilts"),
    official={"xtreme": XTREME, "x-stilts": XTREME},
)
