"""Data of the figures as plain rows, for `dvc plots show`."""

from __future__ import annotations

from pathlib import Path

from xstilts.files import write_json
from xstilts.report.results import SETTING, Results, Row, series_of

SCALING = ("target", "language", *SETTING, "size", "mean", "low", "high")
DELTAS = ("target", "language", "group", *SETTING, "size", "delta", "delta_low", "delta_high")


def scaling_rows(results: Results) -> list[Row]:
    """Score by size; `series` names a line: target, language, task and method."""
    rows = [row for row in results.summary if row["method"] != "none" and row["size"]]
    return [_series(row) | {name: row[name] for name in SCALING} for row in rows]


def delta_rows(results: Results) -> list[Row]:
    """Difference to `none` by group."""
    rows = [row for row in results.summary if row["delta"] is not None]
    return [{name: row[name] for name in (*DELTAS, "p_holm")} for row in rows]


def _series(row: Row) -> Row:
    method, task, source, variant = series_of(row)
    parts = (row["target"], row["language"], task, source, method, variant)
    return {"series": " ".join(part for part in parts if part)}


def save(results: Results, folder: Path) -> None:
    """Write scaling.json and deltas.json."""
    write_json(folder / "scaling.json", scaling_rows(results))
    write_json(folder / "deltas.json", delta_rows(results))
