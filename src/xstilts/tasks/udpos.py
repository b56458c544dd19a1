"""UDPOS: universal part-of-speech tags; English rows train, 38 languages test.

All protocols take the same rows, Universal Dependencies 2.7; they differ in their languages alone.
The benchmarks' scripts take 2.7 for the five languages that XTREME-R added and 2.5 for the others.
The hub's copy of 2.5, udpos.* of google/xtreme, is no way to that: it picked treebanks by how their
names begin, so its Greek, French and Chinese rows hold Ancient Greek, Old French and Classical
Chinese too.
"""

from __future__ import annotations

from xstilts.tasks.base import Row, Task
from xstilts.tasks.shapes import UPOS, tagged

# fmt: off
XTREME = (
    "af", "ar", "bg", "de", "el", "en", "es", "et", "eu", "fa", "fi", "fr", "he", "hi", "hu", "id",
    "it", "ja", "kk", "ko", "mr", "nl", "pt", "ru", "ta", "te", "th", "tl", "tr", "ur", "vi", "yo",
    "zh",
)
# fmt: on
LEFT_OUT = str.maketrans("", "", " \u200c")


def convert(row: Row, language: str) -> Row | None:
    """Words without spaces and zero-width non-joiners in them, as XTREME writes its files."""
    made = tagged("pos_tags")(row, language)
    if made is None or not all(isinstance(word, str) for word in made["tokens"]):
        return made  # the row's checks say what is wrong
    return {**made, "tokens": [word.translate(LEFT_OUT) for word in made["tokens"]]}


TASK = Task(
    name="udpos",
    title="UDPOS",
    description="Part-of-speech tags of Universal Dependencies treebanks.",
    kind="tagging",
    dataset="izhx/xtreme-r-udpos",
    revision="7e002378cc5704114200c479db0c592c7f77f8f8",
    licence="CC BY-SA or CC BY-NC-SA, by treebank",
    reference="https://universaldependencies.org",
    languages=tuple(sorted((*XTREME, "lt", "pl", "ro", "uk", "wo"))),
    train_languages=("en",),
    config="{language}",
    splits={"train": "train", "validation": "validation", "test": "test"},
    convert=convert,
    labels=UPOS,
    metric="entity_f1",  # what XTREME prints as POS accuracy is this
    chance=0.0,  # no guess of a whole tag sequence is worth a number
    train_rows={"en": 21_253},
    evaluation="test",
    protocols=("xtreme", "xtreme-r", "x-stilts"),
    official={"xtreme": XTREME, "x-stilts": XTREME},
)
