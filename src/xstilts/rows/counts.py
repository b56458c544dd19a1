"""What `prepare` says of a task's rows: counts, and its own training rows among the others."""

from __future__ import annotations

from collections import Counter
from typing import Any

from xstilts.kinds.spec import KINDS
from xstilts.rows import leaks, read
from xstilts.tasks.base import Row, Split, Task


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


def own_leaks(sheets: dict[Split, dict[str, leaks.Sheet]]) -> dict[str, Any]:
    """Rows of a task's other splits that are among its training rows: split -> language -> counts.

    `shared_first_text`, the widest, is of the first text alone: premise, context, sentence.
    """
    seen = leaks.Seen(list(sheets.get("train", {}).values()))
    names = ("exact", "normalised", "shared_first_text")
    return {
        split: {
            language: {name: count for name, count in seen.compare(one).items() if name in names}
            for language, one in languages.items()
        }
        for split, languages in sheets.items()
        if split != "train"
    }
