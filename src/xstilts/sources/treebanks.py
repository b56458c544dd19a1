"""CoNLL-U treebanks -> tokens and universal parts of speech, as XTREME makes UDPOS of them.

Used by `joined`. Universal Dependencies splits a contraction into words: French `du` is `de` and
`le`, each with its own tag. XTREME (google-research/xtreme@838c13b, scripts/download_data.sh,
third_party/ud-conversion-tools, utils_preprocess.py) keeps the contraction as it is written, under
the tag of that one of its words which is its head: the one with the fewest words above it in the
sentence's graph (enhanced dependencies, where a treebank has them, count too); among several, the
one whose tag comes first in a list that four languages have their own way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from xstilts.tasks.base import Row

COLUMNS = 10
HIDDEN = "_"  # the form of a word whose text may not be given away
# Which of a contraction's words gives the tag, where several stand equally high.
USUAL = "VERB NOUN PROPN PRON ADJ NUM ADV INTJ AUX ADP DET PART CCONJ SCONJ X PUNCT"
PRECEDENCE = {
    "es": "VERB AUX PRON ADP DET",
    "fr": "VERB AUX PRON NOUN ADJ ADV ADP DET PART SCONJ CONJ",
    "it": "VERB AUX ADV PRON ADP DET INTJ",
}


@dataclass
class Sentence:
    """Syntactic words, numbered from 1, and the contractions that some of them make.

    Attributes:
        words: (form, tag) of each word.
        heads: word -> the words that it depends on; 0 is the root.
        contractions: (first word, last word, form as it is written).
    """

    words: list[tuple[str, str]] = field(default_factory=list)
    heads: dict[int, set[int]] = field(default_factory=dict)
    contractions: list[tuple[int, int, str]] = field(default_factory=list)

    def add(self, line: str) -> None:
        """One line of ten columns.

        Raises:
            ValueError: it has other columns, or a number that is none.
        """
        columns = line.split("\t")
        if len(columns) != COLUMNS:
            raise ValueError(f"{COLUMNS} columns are expected, not {len(columns)}")
        number, form, _, tag, _, _, head, _, enhanced, _ = columns
        if "." in number:  # an empty node, which is no word
            return
        if "-" in number:
            first, last = map(int, number.split("-"))
            self.contractions.append((first, last, form))
            return
        self.words.append((form, tag))
        links = [] if enhanced == HIDDEN else [one.split(":")[0] for one in enhanced.split("|")]
        known = {int(one) for one in links if one.isdigit()}
        self.heads[int(number)] = known | ({int(head)} if head != HIDDEN else set())

    def above(self, word: int) -> int:
        """How many words, the root among them, a word hangs under."""
        seen, left = {word}, list(self.heads.get(word, ()))
        while left:
            one = left.pop()
            if one not in seen:
                seen.add(one)
                left += self.heads.get(one, ())
        return len(seen) - 1

    def fused(self, precedence: list[str]) -> list[tuple[str, str]]:
        """(form, tag) of the words, each contraction one of them."""
        written: dict[int, str] = {}
        gone: set[int] = set()
        for first, last, form in self.contractions:
            span = range(first, last + 1)
            depths = {word: self.above(word) for word in span}
            highest = [word for word in span if depths[word] == min(depths.values())]
            head = min(highest, key=lambda word: _rank(self.words[word - 1][1], precedence))
            written[head] = form
            gone |= set(span) - {head}
        return [
            (written.get(word, form), tag)
            for word, (form, tag) in enumerate(self.words, start=1)
            if word not in gone
        ]


def sentences(lines: Iterable[str], language: str) -> Iterator[Row]:
    """Rows (tokens, pos_tags by name) of one file; no tokens where its text is not given away.

    Spaces inside of words go, as do zero-width non-joiners: a token is a column elsewhere.

    Raises:
        ValueError: a line is none of CoNLL-U.
    """
    precedence = PRECEDENCE.get(language, USUAL).split()
    sentence = Sentence()
    for line in chain(lines, [""]):
        text = line.rstrip("\r\n")
        if text and not text.startswith("#"):
            sentence.add(text)
        elif not text and sentence.words:
            yield _row(sentence.fused(precedence))
            sentence = Sentence()


def _row(words: list[tuple[str, str]]) -> Row:
    """Tokens and tags, or neither of a sentence that hides its words (but for at most one)."""
    hidden = sum(form == HIDDEN for form, _ in words)
    if hidden and hidden >= len(words) - 1:
        return {"tokens": [], "pos_tags": []}
    tokens = [form.strip().replace("\u200c", "").replace(" ", "") for form, _ in words]
    return {"tokens": tokens, "pos_tags": [tag for _, tag in words]}


def _rank(tag: str, precedence: list[str]) -> int:
    """Place of a tag in a list; behind all where it lacks it."""
    return precedence.index(tag) if tag in precedence else len(precedence)
