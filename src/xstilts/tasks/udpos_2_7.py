"""UDPOS in Universal Dependencies 2.7 throughout: the hub's copy of it, for mirrors.

Scored as in XTREME-R, but of no benchmark's average: the published rows of 33 of the 38 languages
are those of 2.5 (`udpos`). The hub's copy of 2.5, udpos.* of google/xtreme, is no way to these: it
picked treebanks by how their names begin, so its Greek, French and Chinese rows hold Ancient Greek,
Old French and Classical Chinese too.
"""

from __future__ import annotations

from dataclasses import replace

from xstilts.tasks import udpos
from xstilts.tasks.base import Row
from xstilts.tasks.shapes import tagged

LEFT_OUT = str.maketrans("", "", " \u200c")


def convert(row: Row, language: str) -> Row | None:
    """Words without spaces and zero-width non-joiners in them, as XTREME writes its files."""
    made = tagged("pos_tags")(row, language)
    if made is None or not all(isinstance(word, str) for word in made["tokens"]):
        return made  # the row's checks say what is wrong
    return {**made, "tokens": [word.translate(LEFT_OUT) for word in made["tokens"]]}


TASK = replace(
    udpos.TASK,
    name="udpos_2_7",
    title="UDPOS (UD 2.7)",
    dataset="izhx/xtreme-r-udpos",
    revision="7e002378cc5704114200c479db0c592c7f77f8f8",
    config="{language}",
    splits={"train": "train", "validation": "validation", "test": "test"},
    urls={},
    hashes={},
    releases={},
    members={},
    parse="hub",
    convert=convert,
    protocols=("xtreme-r",),
    official={},
)
