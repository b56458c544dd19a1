"""Formats with something on each line: labels, row numbers, tags, pairs of ids."""

from __future__ import annotations

import re
from pathlib import Path

from xstilts.benchmarks.formats import Pairs, fault, label_of, lines, numbered, same_length


def labels(task: str, predictions: Path, references: Path) -> Pairs:
    """A label a line."""
    ours, gold = (
        [label_of(task, file, *one) for one in numbered(file)] for file in (predictions, references)
    )
    same_length(ours, gold, predictions, references)
    return Pairs(ours, gold, len(gold))


def rows(task: str, predictions: Path, references: Path) -> Pairs:
    """A row number a line. The retrieval script writes it in brackets, which have to go."""
    ours, gold = (
        [_row(file, *one) for one in numbered(file)] for file in (predictions, references)
    )
    same_length(ours, gold, predictions, references)
    return Pairs(ours, gold, len(gold))


def _row(file: Path, line: int, text: str) -> int:
    if not re.fullmatch(r"[0-9]+|\[[0-9]+\]", text):
        raise fault(file, f"{text!r} is no row number", "give one number a line, from 0", line)
    return int(text.strip("[]"))


def tags(task: str, predictions: Path, references: Path) -> Pairs:
    """A tag a line, a blank line after each sentence."""
    (ours, starts), (gold, _) = _sentences(predictions), _sentences(references)
    same_length(ours, gold, predictions, references, "sentences")
    for number, (mine, theirs) in enumerate(zip(ours, gold, strict=True)):
        if len(mine) != len(theirs):
            what = f"the sentence has {len(mine)} tags, but {len(theirs)} in {references}"
            raise fault(predictions, what, "give a tag for each token", starts[number])
    return Pairs(ours, gold, len(gold))


def _sentences(file: Path) -> tuple[list[list[str]], list[int]]:
    """Sentences and the line that each begins at; two blank lines make an empty one."""
    sentences: list[list[str]] = []
    starts: list[int] = []
    ended = True
    for number, line in numbered(file):
        if len(line.split()) > 1:
            what = f"{line!r} is more than a tag"
            raise fault(file, what, "give tags alone, one a line, without the words", number)
        if ended:
            sentences.append([])
            starts.append(number)
        sentences[-1] += line.split()
        ended = not line
    return sentences, starts


def pairs(task: str, predictions: Path, references: Path) -> Pairs:
    """Foreign id, tab, English id: a pair a line, in any order; each counts once."""
    found, gold = _by_foreign(predictions), _by_foreign(references)
    ids = list(dict.fromkeys([*gold, *found]))
    ours = [sorted(found.get(id_, ())) for id_ in ids]
    theirs = [sorted(gold.get(id_, ())) for id_ in ids]
    count = sum(map(len, theirs))
    repeated = len(lines(predictions)) - sum(map(len, ours))
    notes = [f"{repeated} pairs are predicted twice and count once"] if repeated else []
    return Pairs(ours, theirs if count else [], count, notes=notes)


def _by_foreign(file: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for number, line in numbered(file):
        ids = line.split("\t")
        if len(ids) != 2 or not all(ids):
            what = f"{line!r} is no pair of ids"
            raise fault(file, what, "give the foreign id, a tab, the English id", number)
        found.setdefault(ids[0], set()).add(ids[1])
    return found
