"""Counts over prepared rows, and the check for evaluation rows that training has seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from xstilts.kinds.spec import KINDS, Spec, Texts
from xstilts.rows import read
from xstilts.rows.leaks import digest, normalised
from xstilts.tasks.base import Row, Task


def describe(task: Task, rows: read.Rows) -> dict[str, Any]:
    """Counts of one language's split; lengths in characters of all texts of a row together."""
    kind = KINDS[task.kind]
    lengths = [sum(map(len, kind.texts(row))) for row in rows.rows]
    out: dict[str, Any] = {
        "rows": len(rows.rows),
        "unique_inputs": len({kind.texts(row) for row in rows.rows}),
        "mean_chars": round(sum(lengths) / len(lengths), 1) if lengths else 0.0,
        "max_chars": max(lengths, default=0),
        "dropped": rows.dropped,
        "renamed_ids": rows.renamed,
    }
    # Rows of other languages in the same files, which the language filter left out (TyDi QA has
    # nine), and rows whose answers are not in their context; most sources have neither.
    seldom = {"elsewhere": rows.elsewhere, "unmatched": rows.unmatched}
    out |= {name: count for name, count in seldom.items() if count}
    if "answers" in kind.columns:
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
class OwnRows:
    """What a task's training rows read as, to find its own evaluation rows among them.

    exact: all texts of a row; normalised: the same by `normalise`; first: the first text alone
    (premise, context, sentence), normalised. Hashes, so that a million rows fit. The stage `check`
    compares across tasks.
    """

    kind: Spec
    exact: set[bytes] = field(default_factory=set)
    normalised: set[bytes] = field(default_factory=set)
    first: set[bytes] = field(default_factory=set)

    def add(self, rows: Iterable[Row]) -> None:
        """Remember training rows."""
        for row in rows:
            exact, normal, first = _hashes(self.kind.texts(row))
            self.exact.add(exact)
            self.normalised.add(normal)
            self.first.add(first)

    def count(self, rows: Iterable[Row]) -> dict[str, int]:
        """Evaluation rows that occur among the training rows; `shared_first_text` is the widest."""
        out = {"exact": 0, "normalised": 0, "shared_first_text": 0}
        for row in rows:
            exact, normal, first = _hashes(self.kind.texts(row))
            out["exact"] += exact in self.exact
            out["normalised"] += normal in self.normalised
            out["shared_first_text"] += first in self.first
        return out


def _hashes(texts: Texts) -> tuple[bytes, bytes, bytes]:
    """Of a row's texts, of the same normalised, and of the first one normalised."""
    normal = normalised(texts)
    return digest(texts), digest(normal), digest(normal[:1])
