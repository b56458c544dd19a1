"""Counts over prepared rows, and the check for evaluation rows that training has seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from xstilts import data
from xstilts.tasks.base import Row, Task


def describe(task: Task, rows: data.Rows) -> dict[str, Any]:
    """Counts of one language's split; lengths in characters of all texts of a row together."""
    lengths = [sum(map(len, data.texts(row))) for row in rows.rows]
    out: dict[str, Any] = {
        "rows": len(rows.rows),
        "unique_inputs": len({data.texts(row) for row in rows.rows}),
        "mean_chars": round(sum(lengths) / len(lengths), 1) if lengths else 0.0,
        "max_chars": max(lengths, default=0),
        "dropped": rows.dropped,
        "renamed_ids": rows.renamed,
    }
    if task.kind == "span":
        out["realigned"] = rows.realigned
        out["unanswerable"] = sum(not row["answers"] for row in rows.rows)
    labels = _labels(task, rows.rows)
    return {**out, "labels": labels} if labels else out


def _labels(task: Task, rows: list[Row]) -> dict[str, int]:
    """How often each label occurs: rows, or tokens where each token has one."""
    found: Counter[int] = Counter()
    for row in rows:
        found.update(row["tags"] if "tags" in row else [row["label"]] if "label" in row else [])
    return {name: found[index] for index, name in enumerate(task.labels)} if found else {}


@dataclass
class Seen:
    """What training rows read as, to find evaluation rows among them.

    exact: all texts of a row; normalised: the same by `data.normalise`; first: the first text alone
    (premise, context, sentence), normalised.
    """

    exact: set[tuple[str, ...]] = field(default_factory=set)
    normalised: set[tuple[str, ...]] = field(default_factory=set)
    first: set[str] = field(default_factory=set)

    def add(self, rows: Iterable[Row]) -> None:
        """Remember training rows."""
        for row in rows:
            texts = data.texts(row)
            normal = tuple(map(data.normalise, texts))
            self.exact.add(texts)
            self.normalised.add(normal)
            self.first.add(normal[0])

    def count(self, rows: Iterable[Row]) -> dict[str, int]:
        """Evaluation rows that occur among the training rows; `shared_first_text` is the widest."""
        out = {"exact": 0, "normalised": 0, "shared_first_text": 0}
        for row in rows:
            texts = data.texts(row)
            normal = tuple(map(data.normalise, texts))
            out["exact"] += texts in self.exact
            out["normalised"] += normal in self.normalised
            out["shared_first_text"] += normal[0] in self.first
        return out
