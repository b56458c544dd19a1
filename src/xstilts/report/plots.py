"""What `dvc plots` draws beside page.py's points, and what `dvc metrics` prints: few and named.

plots/zero-shot.json     score and gain by size, a line a series and one without intermediate
                         training, a panel a target
plots/curves.json        curves of fine-tuning, mean over the seeds of a setting
<study>.metrics.json     target -> setting -> headline score and gain; what a reader checks first
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from xstilts.core import paths
from xstilts.core.files import read_json, write_json
from xstilts.report.data import Results, Row, series_text
from xstilts.results.scores import ALL, ZERO_SHOT
from xstilts.results.summary import headlines

POINTS = 50  # of a curve, at most
LINES = 100  # curves; of more, those of the baseline and of each series' largest size are kept
CELLS = 200  # settings x targets; of more, the mean of targets alone is a metric
NONE = "none"
Steps = Mapping[float, list[float]]  # update -> the value of each seed


def save(results: Results, folder: Path) -> None:
    """Write zero-shot.json and curves.json."""
    write_json(folder / "zero-shot.json", zero_shot_rows(results))
    write_json(folder / "curves.json", curve_rows(results, _curves(results)))


def record_files(results: Results) -> list[Path]:
    """The records that hold the curves."""
    study = results.params.study
    return [paths.transferred(study, run) / "record.json" for run in results.params.transfer]


def zero_shot_rows(results: Results) -> list[Row]:
    """A point per target, series and size; the baseline is a level line over all sizes."""
    rows = []
    for target in results.columns:
        language = ZERO_SHOT if target == ALL else results.headline(target)
        own = [
            (series, row)
            for series in results.series()
            if series[0] != "best"
            for row in results.along(target, language, series)
        ]
        sizes = sorted({int(row["size"]) for _, row in own})
        baseline = results.baseline(target, language)
        level = [baseline] * len(sizes) if baseline is not None else []
        rows += [_point(target, NONE, size, row) for size, row in zip(sizes, level, strict=False)]
        rows += [_point(target, series_text(series), row["size"], row) for series, row in own]
    return rows


def _point(target: str, series: str, size: int, row: Row) -> Row:
    """One point; `expected` is null where nothing can be counted."""
    gain = 0.0 if series == NONE else row["delta"]
    found = {"target": "mean of targets" if target == ALL else target, "series": series}
    kept = {name: row.get(name) for name in ("low", "high", "expected")}
    return {**found, "size": size, "score": row["mean"], "gain": gain, **kept}


def _curves(results: Results) -> dict[tuple[str, str], Steps]:
    """(panel, setting) -> the values of its seeds; a panel is a target's curve: `xnli loss`."""
    found: dict[tuple[str, str], dict[float, list[float]]] = {}
    for path in record_files(results):
        setting = results.setting_of_run.get(path.parent.name)
        for name, curve in (read_json(path).get("curves", {}) if setting else {}).items():
            key = (" ".join(name.rsplit(".", 1)), str(setting))
            for step, value in curve:
                found.setdefault(key, {}).setdefault(step, []).append(value)
    return dict(found)


def curve_rows(results: Results, curves: Mapping[tuple[str, str], Steps]) -> list[Row]:
    """Curves as points: mean over seeds, thinned, the last point kept."""
    kept = set(_settings(results, len(curves) > LINES))
    order = {group["group"]: place for place, group in enumerate(results.groups)}
    rows: list[Row] = []
    for panel, setting in sorted(curves, key=lambda key: (key[0], order.get(key[1], 0))):
        if setting in kept:
            line = list(_line(curves[panel, setting]))
            rows += [{"panel": panel, "setting": setting, **point} for point in line]
    return rows


def _line(steps: Steps) -> Iterator[Row]:
    """Every so many points of a mean curve, counted from its end."""
    seeds = max(map(len, steps.values()))
    whole = [step for step in sorted(steps) if len(steps[step]) == seeds]
    every = -(-len(whole) // POINTS)
    for step in whole[(len(whole) - 1) % every :: every]:
        yield {"step": step, "value": round(fmean(steps[step]), 6)}


def _settings(results: Results, few: bool) -> Iterator[str]:
    """Settings to draw: all, or the baseline and the largest size of each series."""
    for group in results.groups:
        series = (group["method"], group["task"], group["source_language"], group["variant"])
        largest = group["method"] == NONE or group["size"] == max(results.sizes(series))
        if not few or largest:
            yield group["group"]


def metrics(results: Results) -> dict[str, Any]:
    """target -> setting -> `score` and `gain`, rounded as people read them; and what to check."""
    settings = len(results.groups)
    many = settings * len(results.targets) > CELLS and ALL in results.columns
    found: dict[str, Any] = {}
    for target in [ALL] if many else results.columns:
        language = ZERO_SHOT if target == ALL else results.headline(target)
        name = "mean of targets" if target == ALL else target
        cells = {
            group["group"]: results.row(target, language, group["group"])
            for group in results.groups
        }
        found[name] = {setting: _metric(row) for setting, row in cells.items() if row is not None}
    return {**found, "study": _checks(results)}


def _metric(row: Row) -> dict[str, float]:
    gain = {} if row["delta"] is None else {"gain": round(row["delta"], 2)}
    return {"score": round(row["mean"], 2), **gain}


def _checks(results: Results) -> dict[str, float]:
    """Runs, collapsed cells, and in the control world how far a mean is from what is counted."""
    misses = [
        abs(row["mean"] - row["expected"])
        for row in _headlines(results)
        if row.get("expected") is not None
    ]
    counts = {
        "runs": len(results.params.transfer),
        "collapsed cells": sum(bool(row["main"] and row["collapsed"]) for row in results.scores),
    }
    return counts | (
        {"largest distance to what is counted": round(max(misses), 2)} if misses else {}
    )


def _headlines(results: Results) -> Sequence[Row]:
    """The headline of every setting on every target."""
    return [row for row in headlines(results.summary) if row["target"] != ALL]
