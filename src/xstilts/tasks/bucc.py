"""BUCC 2018: find the translated pairs in two collections of sentences, most of which have none.

XTREME names the files anew: the shared task's sample is its dev set, on whose pairs the threshold
is tuned, and the shared task's training set is its test set (scripts/download_data.sh). The hub's
copies hold the pairs alone, without the sentences among which they have to be found.
"""

from __future__ import annotations

from xstilts.tasks.base import Row, Task

ROOT = "https://comparable.limsi.fr/bucc2018/bucc2018-{language}-en"
SAMPLE, TRAINING = "sample-gold.tar.bz2", "training-gold.tar.bz2"
PINS = {  # language -> sha256 of its sample, of its training set: those of the hub's own script
    "de": (
        "8e16ba8b02ef8d648b06adfbd6dfb188f43524e18f97b2b12a14a086caac62f3",
        "766e0fdebbd1438fb87c21254828eb13c8b997d8fbab002103dd060dcac50c5c",
    ),
    "fr": (
        "df9eb3966954e163c9264076f7c9c1eb56d9d8a91855f9d3afbf2c0fdaef0a08",
        "53c0d0e7dd97dc89593a2db25a26c5f0ccdc7113e8451263bb0c80e4c4c7dc30",
    ),
    "ru": (
        "fce3cabc7ee50ddb4b18aa6fb090e2669c8383d2a29fc97eed6ae70fed9a23e5",
        "1895df56e936ca3d4f5b12299ceffe0b7ff4806584c40bdaa3ae1d445f25afa5",
    ),
    "zh": (
        "a3425be5c0320ee131a0927b66c3e29befb3b481ebf1b87257e660e514bc16ac",
        "3facb71798277c8f44dc78c1f8ae2110f254d0e14799f3508eedd54b4236877a",
    ),
}
HASHES = {
    f"{ROOT}.{name}".format(language=language): sha256
    for language, pins in PINS.items()
    for name, sha256 in zip((SAMPLE, TRAINING), pins, strict=True)
}
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
        "validation": {f"{ROOT}.{SAMPLE}": None},
        "test": {f"{ROOT}.{TRAINING}": None},
    },
    hashes=HASHES,
    members={"validation": members("sample"), "test": members("training")},
    parse="bucc",
    convert=convert,
    metric="mining_f1",
    chance=0.0,  # one right partner among hundreds of thousands, and most have none
    evaluation="test",
    protocols=("xtreme", "x-stilts"),
)
