"""BUCC 2018: find the translated pairs in two collections of sentences, most of which have none.

XTREME names the files anew: the shared task's sample is its dev set, on whose pairs the threshold
is tuned, and the shared task's training set is its test set (scripts/download_data.sh). The hub's
copies hold the pairs alone, without the sentences among which they have to be found.
"""

from __future__ import annotations

from xstilts.tasks.base import Row, Task

ROOT = "https://comparable.limsi.fr/bucc2018/bucc2018-{language}-en"
INSIDE = "bucc2018/{language}-en/{language}-en"


def members(part: str) -> tuple[str, ...]:
    """Foreign sentences, English sentences and gold pairs of one part."""
    return tuple(f"{INSIDE}.{part}.{ending}" for ending in ("{language}", "en", "gold"))


def convert(row: Row, language: str) -> Row | None:
    """A sentence of either side; empty ones are left out."""
    return row if row["text"] else None


TASK = Task(
    name="bucc",
    title="BUCC 2018",
    description="Which sentences of a foreign and an English collection translate each other?",
    kind="mining",
    dataset="bucc/bucc2018",
    revision=None,
    licence="not stated (Wikipedia and News Commentary texts, for research)",
    reference="https://comparable.limsi.fr/bucc2018/bucc2018-task.html",
    languages=("de", "fr", "ru", "zh"),
    train_languages=(),  # scored without fine-tuning
    splits={},
    urls={
        # No verified source gives these hashes: `xstilts pin` records them.
        "validation": {f"{ROOT}.sample-gold.tar.bz2": None},
        "test": {f"{ROOT}.training-gold.tar.bz2": None},
    },
    members={"validation": members("sample"), "test": members("training")},
    parse="bucc",
    convert=convert,
    metric="mining_f1",
    chance=0.0,  # one right partner among hundreds of thousands, and most have none
    evaluation="test",
    protocols=("xtreme", "x-stilts"),
)
