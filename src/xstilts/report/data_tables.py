"""What the study's rows are: a table `data` of every prepared task, its source, licence and counts.

From `statistics/<study>/<task>.json`, which the stage `prepare` writes. Called by `tables`.
"""

from __future__ import annotations

from typing import Any

from xstilts.report.data import Results
from xstilts.report.table import Entry, Table

SPLITS = ("train", "validation", "test")
SHORT = 12  # characters of a revision that a person compares


def build(results: Results) -> list[Table]:
    """The table; none where no statistics are at hand."""
    if not results.statistics:
        return []
    records = [_record(results, found) for found in results.statistics]
    records.sort(key=lambda record: (ROLES.index(record["role"]), record["task"]))
    header = ("task", "role", "source", "licence", "languages", *SPLITS, "left out")
    caption = (
        "Rows of all languages together, as prepared for this study. Left out: raw rows that have"
        " no label, no text, or what else a task's reader does not take."
    )
    rows = [_row(record) for record in records]
    return [Table("data", "Data", caption, header, rows, records, [r["role"] for r in records])]


ROLES = ("target", "intermediate", "other")


def _role(results: Results, task: str) -> str:
    """What a task is for; `other`: text of phase i, and trainings before a target's own."""
    if task in {spec.task for spec in results.params.targets.values()}:
        return "target"
    parts = {part.task for spec in results.params.intermediate.values() for part in spec.parts}
    return "intermediate" if task in parts else "other"


def _record(results: Results, found: dict[str, Any]) -> dict[str, Any]:
    """One task, in full."""
    splits = found["splits"]
    languages = sorted({language for own in splits.values() for language in own})
    counts = {split: sum(own["rows"] for own in splits.get(split, {}).values()) for split in SPLITS}
    dropped = sum(one.get("dropped", 0) for own in splits.values() for one in own.values())
    return {
        "task": found["task"],
        "role": _role(results, found["task"]),
        "dataset": found["dataset"],
        "revision": found["revision"] or "",
        "licence": found["licence"] or "not stated",
        "languages": " ".join(languages),
        **counts,
        "dropped": dropped,
    }


def _row(record: dict[str, Any]) -> list[Entry]:
    """The same for people."""
    languages = record["languages"].split()
    return [
        Entry(record["task"], head=True),
        Entry(record["role"]),
        Entry(record["dataset"], record["revision"][:SHORT], title=record["revision"]),
        Entry(record["licence"]),
        Entry(str(len(languages)), title=record["languages"]),
        *(Entry(f"{record[split]:,}" if record[split] else "–") for split in SPLITS),
        Entry(f"{record['dropped']:,}"),
    ]
