"""SQuAD 1.1 turned into retrieval: question -> the sentence that answers it, with its paragraph.

What XTREME-R trains LAReQA on (google-research/xtreme, third_party/processors/squad_retrieval.py).
Where a sentence ends is told by short rules of our own. Of the 1,190 English questions of XQuAD-R,
which has LAReQA's breaks, 1,183 get the same sentence by them; the others hang on names (E.I. du
Pont, J. A. Hobson) that LAReQA's rules cut in two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from xstilts.tasks.base import Row, Task

# A sentence may end here: its mark, what closes with it, notes such as [12]; then white space, and
# what begins like a sentence.
END = re.compile(r"""[.?!][)"'\u201d\]]*(?:\[[\w ?]+\])*\s+(?=[\["'(\u201c]*[A-Z0-9])""")
# A full stop ends these, and not the sentence: always, or where a number follows.
ABBREVIATED = re.compile(
    r"[mM]rs?|[mM]s|[dD]r|[pP]rof|[fF]r|[rR]ev|[sS]ta?|[mM]sgr|[lL]t|[gG]en|[cC]ol|[mM]aj|[aA]dm"
    r"|[cC]apt|[sS]gt|[rR]ep|[gG]ov|[sS]en|[pP]res|Jan|Aug|Sept?|Oct|Nov|Dec|[mM]t|[fF]t|vs?|cf"
    r"|approx|e\.g|i\.e"
)
NUMBERED = re.compile(r"[aA]rt|[nN]os?|[oO]pp?|[cC]h|[sS]ec|[vV]ol|pp?|ca?|b|d|r|fl|al")
INITIALS = re.compile(r"(?:\b[A-Z]\.)+$")
NAME = re.compile(r"(?:[A-Z]\. ?)*\"?[A-Z][a-z]")
# Words that begin sentences far oftener than names.
OPENING = re.compile(
    r"(?:After|Although|As|By|During|However|In|It|Meanwhile|On|That|The|These|This|Under|Yet)\b"
)


def breaks(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of the sentences of an English paragraph, white space around them left out."""
    start = len(text) - len(text.lstrip())
    for mark in END.finditer(text):
        if not _goes_on(text[start : mark.start() + 1], text[mark.end() :]):
            yield start, start + len(text[start : mark.end()].rstrip())
            start = mark.end()
    if text[start:].strip():
        yield start, start + len(text[start:].rstrip())


def _goes_on(before: str, behind: str) -> bool:
    """Whether a full stop ends an abbreviation or a name's initial, and not the sentence."""
    if not before.endswith(".") or OPENING.match(behind):
        return False
    word = before[:-1].rpartition(" ")[2].lstrip("(\"'[\u201c")
    if ABBREVIATED.fullmatch(word):
        return True
    if NUMBERED.fullmatch(word):
        return behind.lstrip("(")[:1].isdigit()
    return bool(INITIALS.search(before) and NAME.match(behind))


def convert(row: Row, language: str) -> Row | None:
    """The sentence in which the first answer starts; none where it starts between two."""
    place = row["answers"]["answer_start"][0]
    context = row["context"]
    found = next((context[one:end] for one, end in breaks(context) if one <= place < end), None)
    if found is None:
        return None
    return {
        "id": str(row["id"]),
        "text": row["question"],
        "pair": None,
        "relevant": [],
        "positive": found,
        "positive_pair": context,
    }


TASK = Task(
    name="squad_retrieval",
    title="SQuAD 1.1, sentences",
    description="Which sentence of a paragraph answers the question, of those of other questions?",
    kind="ranking",
    dataset="rajpurkar/squad",
    revision="7b6d24c440a36b6815f21b70d25016731768db1f",
    licence="cc-by-sa-4.0",
    reference="https://aclanthology.org/2020.emnlp-main.477",
    languages=("en",),
    train_languages=("en",),
    config="plain_text",
    splits={"train": "train", "validation": "validation"},
    convert=convert,
    metric="map_at_20",
    chance=0.0,  # of thousands of candidates
    train_rows={"en": 87_599},
    evaluation="validation",
)
