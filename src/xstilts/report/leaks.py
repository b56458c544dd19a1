"""Table of the leak check: evaluation rows that occur among the rows that something learns from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xstilts.report.results import Results
from xstilts.report.table import Entry, Table

COUNTS = ("rows", "exact", "normalised", "same_id", "shared_first_text")
HEADER = (
    "learnt from",
    "evaluated on",
    "language",
    "rows",
    "equal",
    "equal when normalised",
    "same id",
    "same first text",
    "allowed because",
)


def build(results: Results) -> list[Table]:
    """The table, where the check was made."""
    if results.overlap is None:
        return []
    found = [("training", pair) for pair in results.overlap["pairs"]]
    found += [("selection", pair) for pair in results.overlap.get("selection", [])]
    records = [{"use": use, **pair} for use, pair in found]
    rows = [_row(use, pair) for use, pair in found]
    return [Table("leaks", "Leaks", _caption(results.overlap), HEADER, rows, records)]


def _row(use: str, pair: Mapping[str, Any]) -> list[Entry]:
    learnt = pair["training"] + (" (chooses)" if use == "selection" else "")
    return [
        Entry(learnt, head=True),
        Entry(pair["evaluation"]),
        Entry(pair["language"]),
        *(Entry(f"{pair[name]:,}" if pair[name] else "–") for name in COUNTS),
        Entry(pair["allowed"] or "–"),
    ]


def _caption(overlap: Mapping[str, Any]) -> str:
    """What was compared, and how to read the columns."""
    checked, found = overlap["checked"], len(overlap["pairs"]) + len(overlap.get("selection", []))
    text = f"{checked:,} pairs of training rows and evaluation rows were compared"
    if not found:
        return text + ", language by language; none has a row in common."
    return (
        text + f"; the {found} with anything in common are listed. “rows” are the evaluation rows;"
        " beside them how many of these occur among the rows that something is trained on, or that"
        " choose a model: equal, equal when case, punctuation and spaces do not count, under the"
        " same id, or with the same first text (premise, context) alone."
    )
