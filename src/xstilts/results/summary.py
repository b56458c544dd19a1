"""From scored examples to the summary of a study: a row per group x language, and slopes.

A group is one setting over its seeds: (method, task, source_language, size, variant). Beside the
languages of a target there are two pseudo-languages: `mean` over all of them, and `zero-shot` over
all but the target's own source language. Beside the targets there is `all`: the mean over the
targets, where there are two or more. Beside the groups there may be `best`: for each target the
group that `best.py` chose. Pure functions; `stages/aggregate.py` reads and writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from xstilts.results import inference
from xstilts.results.inference import Floats
from xstilts.results.scores import (
    AGGREGATES,
    ALL,
    BEST,
    DECIMALS,
    MEAN,
    ZERO_SHOT,
    Group,
    Row,
    Run,
    group_order,
)


@dataclass(frozen=True)
class Cell:
    """All runs on the examples of one target in one language."""

    language: str
    ids: Sequence[str]
    runs: Sequence[Run]
    num: Floats  # (runs, examples)
    den: Floats  # (runs, examples)
    collapsed: Mapping[str, bool]  # run name -> one class predicted
    expected: Mapping[str, float | None] = field(default_factory=dict)  # run name -> as counted


@dataclass(frozen=True)
class Target:
    """What the summary must know of a target."""

    name: str
    source_language: str
    metric: str
    chance: float


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made."""

    resamples: int = 1000
    seed: int = 1
    confidence: float = 0.95


@dataclass
class Measured:
    """Draws of one group in one language or pseudo-language."""

    draws: Floats
    seeds: int
    n: int
    collapsed: int
    expected: float | None = None  # what follows from the control world, mean over the seeds


@dataclass
class TargetResult:
    """Draws of one target: language or pseudo-language -> group -> draws."""

    target: Target
    cells: dict[str, dict[Group, Measured]] = field(default_factory=dict)


def measure(target: Target, cells: Iterable[Cell], bootstrap: Bootstrap) -> TargetResult:
    """Draws of every group in every language of a target, and its two means."""
    result = TargetResult(target)
    for cell in cells:
        result.cells[cell.language] = _measure_cell(cell, bootstrap)
    languages = sorted(result.cells)
    away = [language for language in languages if language != target.source_language]
    for name, members in ((ZERO_SHOT, away), (MEAN, languages)):
        if members:
            result.cells[name] = _average([result.cells[language] for language in members])
    return result


def _measure_cell(cell: Cell, bootstrap: Bootstrap) -> dict[Group, Measured]:
    """One language: score every run under every resample, then join the seeds of each group."""
    draws = inference.run_draws(cell.num, cell.den, cell.ids, bootstrap.resamples, bootstrap.seed)
    members: dict[Group, list[int]] = {}
    for index, run in enumerate(cell.runs):
        members.setdefault(run.group, []).append(index)
    measured = {}
    for group, columns in members.items():
        seeds = [cell.runs[index].seed for index in columns]
        joined = inference.group_draws(draws[:, columns], seeds, bootstrap.seed)
        collapsed = sum(cell.collapsed[cell.runs[index].name] for index in columns)
        counted = [cell.expected.get(cell.runs[index].name) for index in columns]
        measured[group] = Measured(joined, len(seeds), len(cell.ids), collapsed, _mean(counted))
    return measured


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean, or None where a value is missing."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def _average(parts: Sequence[Mapping[Group, Measured]]) -> dict[Group, Measured]:
    """Mean of the draws over languages (or targets), for the groups that all parts have."""
    shared = [group for group in parts[0] if all(group in part for part in parts)]
    average = {}
    for group in shared:
        found = [part[group] for part in parts]
        draws = np.mean([one.draws for one in found], axis=0)
        average[group] = Measured(
            draws,
            min(one.seeds for one in found),
            sum(one.n for one in found),
            sum(one.collapsed for one in found),
            _mean([one.expected for one in found]),
        )
    return average


def over_targets(results: Sequence[TargetResult]) -> TargetResult:
    """The pseudo-target `all`: mean over the targets of their zero-shot means."""
    parts = [result.cells[ZERO_SHOT] for result in results if ZERO_SHOT in result.cells]
    chance = float(np.mean([result.target.chance for result in results]))
    target = Target(ALL, "", "mean over targets", chance)
    return TargetResult(target, {ZERO_SHOT: _average(parts)} if len(parts) > 1 else {})


def summary_rows(
    study: str, results: Sequence[TargetResult], bootstrap: Bootstrap = Bootstrap()
) -> list[Row]:
    """A row per target, language or pseudo-language, and group, in a fixed order.

    `delta` is the difference to the `none` group of the same target and language; null where the
    study has none. `p_holm` is `p` after Holm's correction in one of three families of the whole
    study: all `zero-shot` rows, all `mean` rows, all rows of single languages. `best` has no p.
    """
    rows = [
        _summary_row(study, result.target, language, group, cell, bootstrap)
        for result in results
        for language, cell in result.cells.items()
        for group in sorted(cell, key=group_order)
    ]
    correct(rows)
    return rows


def _summary_row(
    study: str,
    target: Target,
    language: str,
    group: Group,
    cell: Mapping[Group, Measured],
    bootstrap: Bootstrap,
) -> Row:
    """One row; see `summary_rows`."""
    own = cell[group]
    low, high = inference.interval(own.draws, bootstrap.confidence)
    row: Row = {
        "study": study,
        "target": target.name,
        "language": language,
        "metric": target.metric,
        "chance": target.chance,
        "group": group.label,
        **asdict(group),
        "mean": _tidy(own.draws[0]),
        "low": _tidy(low),
        "high": _tidy(high),
        "expected": None if own.expected is None else _tidy(own.expected),
        "seeds": own.seeds,
        "n": own.n,
        "collapsed": own.collapsed,
    }
    baseline = next((cell[other] for other in cell if other.method == "none"), None)
    row |= dict.fromkeys(("delta", "delta_low", "delta_high", "p", "p_holm"))
    if baseline is not None and group.method != "none":
        difference = own.draws - baseline.draws
        low, high = inference.interval(difference, bootstrap.confidence)
        row |= {"delta": _tidy(difference[0]), "delta_low": _tidy(low), "delta_high": _tidy(high)}
        # The resamples do not repeat the choice that made `best`: no test of it would be honest.
        if group != BEST:
            row["p"] = float(f"{inference.p_value(difference, own.n):.6g}")
    return row


def slope_rows(
    study: str, results: Sequence[TargetResult], bootstrap: Bootstrap = Bootstrap()
) -> list[Row]:
    """A row per target, language or pseudo-language and series of two or more sizes.

    `slope` is in points per tenfold rows; `p` tests "the slope is 0", `p_holm` as in the summary.
    """
    rows: list[Row] = []
    for result in results:
        for language, cell in result.cells.items():
            series: dict[tuple[str, ...], list[Group]] = {}
            for group in sorted(cell, key=group_order):
                if group.method != "none" and group.size > 0:
                    key = (group.method, group.task, group.source_language, group.variant)
                    series.setdefault(key, []).append(group)
            for members in series.values():
                if len(members) > 1:
                    part = {group: cell[group] for group in members}
                    rows.append(_slope_row(study, result.target, language, part, bootstrap))
    correct(rows)
    return rows


def _slope_row(
    study: str,
    target: Target,
    language: str,
    members: Mapping[Group, Measured],
    bootstrap: Bootstrap,
) -> Row:
    """One series; see `slope_rows`."""
    groups = list(members)
    draws = inference.slope([g.size for g in groups], np.stack([members[g].draws for g in groups]))
    low, high = inference.interval(draws, bootstrap.confidence)
    return {
        "study": study,
        "target": target.name,
        "language": language,
        **asdict(groups[0]),
        "sizes": [group.size for group in groups],
        "slope": _tidy(draws[0]),
        "low": _tidy(low),
        "high": _tidy(high),
        "seeds": min(members[g].seeds for g in groups),
        "p": float(f"{inference.p_value(draws, members[groups[0]].n):.6g}"),
        "p_holm": None,
    }


def correct(rows: Sequence[Row]) -> None:
    """Fill `p_holm` in place, family by family."""
    for family in (ZERO_SHOT, MEAN, None):
        members = [
            row
            for row in rows
            if row["p"] is not None
            and (
                row["language"] == family or (family is None and row["language"] not in AGGREGATES)
            )
        ]
        for row, adjusted in zip(
            members, inference.holm([row["p"] for row in members]), strict=True
        ):
            row["p_holm"] = float(f"{adjusted:.6g}")


def _tidy(value: float) -> float:
    """Round away the noise of summation order, so that equal work gives equal bytes."""
    return round(float(value), DECIMALS) + 0.0
