"""How far two languages are from each other, by URIEL: `distance("en", "sw", "syntactic")`.

Reads distances.csv beside this file, whose head says what each kind is; bench/language_distances.py
makes it. Made-up languages have none of it: the control world's is in sources/world/distance.py.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from itertools import combinations
from typing import Literal, get_args

from xstilts.core.errors import UserError
from xstilts.tasks.languages import LANGUAGES

Kind = Literal["syntactic", "genetic", "geographic"]
KINDS: tuple[Kind, ...] = get_args(Kind)
HEADER = ("language", "other", *KINDS)
FILE = resources.files("xstilts.tasks") / "distances.csv"
# ISO 639-1 codes; the longer ones are ISO 639's private use, and `mul`, which is no language.
REAL = tuple(sorted(code for code in LANGUAGES if len(code) == 2))
MEND = "it belongs to the repository: `git checkout` it"
Table = Mapping[tuple[str, str], tuple[float, ...]]  # (language, other), sorted -> a value a kind


def distance(source: str, language: str, kind: Kind) -> float | None:
    """From 0 (the same) to 1, the same in both directions; None for a language that is made up.

    Raises:
        UserError: there is no such kind or language, or the file is not whole.
    """
    if kind not in KINDS:
        raise UserError(f"there is no distance {kind!r}. Mend: use one of {', '.join(KINDS)}")
    for code in (source, language):
        if code not in LANGUAGES:
            wrong = f"there is no language {code!r}"
            raise UserError(f"{wrong}. Mend: give it a row in tasks/languages.py")
    if not {source, language} <= set(REAL):
        return None
    if source == language:
        return 0.0
    return _table()[min(source, language), max(source, language)][KINDS.index(kind)]


@lru_cache
def _table() -> Table:
    return parse(FILE.read_text(encoding="utf-8"))


def parse(text: str) -> Table:
    """The file's content: every pair of `REAL` exactly once.

    Raises:
        UserError: another header, a pair that is missing, double or unknown, or a value that is no
            number from 0 to 1.
    """
    rows = csv.reader(line for line in text.splitlines() if not line.startswith("#"))
    if tuple(next(rows, ())) != HEADER:
        raise UserError(f"{FILE}: the columns are not {', '.join(HEADER)}. Mend: {MEND}")
    found: dict[tuple[str, str], tuple[float, ...]] = {}
    for row in rows:
        pair = (row[0], row[1]) if len(row) == len(HEADER) else ("", "")
        if pair in found or not pair[0] < pair[1] or not set(pair) <= set(REAL):
            raise UserError(f"{FILE}: {','.join(row)!r} is double or no pair. Mend: {MEND}")
        found[pair] = _values(row)
    if lacking := [" ".join(pair) for pair in combinations(REAL, 2) if pair not in found]:
        raise UserError(f"{FILE} lacks {len(lacking)} pairs, first {lacking[0]}. Mend: {MEND}")
    return found


def _values(row: list[str]) -> tuple[float, ...]:
    """The numbers of a row."""
    try:
        values = tuple(float(text) for text in row[2:])
    except ValueError as error:
        wrong = f"{FILE}: {','.join(row)!r} has a value that is no number"
        raise UserError(f"{wrong}. Mend: {MEND}") from error
    if not all(0 <= value <= 1 for value in values):
        raise UserError(f"{FILE}: {','.join(row)!r} has a value outside 0 to 1. Mend: {MEND}")
    return values
