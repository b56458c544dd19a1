"""From the samples of a study to its summary: a row per setting and language, and slopes.

A group is one setting over its seeds: (method, task, source_language, size, variant). Beside the
languages of a target there are two pseudo-languages: `mean` over all of them, and `zero-shot` over
all but the target's own source language. Beside the targets there is `all`: the mean over the
targets, where there are two or more. Beside the groups there may be `best`: for each target the
group that `best.py` chose. Pure functions; `stages/aggregate.py` reads and writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from xstilts.results import inference
from xstilts.results.inference import Estimate
from xstilts.results.samples import CONFIDENCE, Sample, average, combine
from xstilts.results.scores import (
    AGGREGATES,
    ALL,
    BEST,
    DECIMALS,
    MEAN,
    ZERO_SHOT,
    Group,
    Row,
    group_order,
)


@dataclass(frozen=True)
class Target:
    """What the summary must know of a target."""

    name: str
    source_language: str
    metric: str
    chance: float


@dataclass
class TargetResult:
    """All runs on one target: language or pseudo-language -> sample."""

    target: Target
    cells: dict[str, Sample] = field(default_factory=dict)


def measure(target: Target, languages: Mapping[str, Sample]) -> TargetResult:
    """The languages of a target, and its two means."""
    cells = dict(languages)
    away = {name: one for name, one in languages.items() if name != target.source_language}
    for name, members in ((ZERO_SHOT, away), (MEAN, languages)):
        if members:
            cells[name] = average(members)
    return TargetResult(target, cells)


def over_targets(results: Sequence[TargetResult]) -> TargetResult:
    """The pseudo-target `all`: mean over the targets of their zero-shot means."""
    parts = [result.cells[ZERO_SHOT].closed() for result in results if ZERO_SHOT in result.cells]
    chance = sum(result.target.chance for result in results) / max(1, len(results))
    whole = TargetResult(Target(ALL, "", "mean over targets", chance))
    if len(parts) > 1:
        whole.cells[ZERO_SHOT] = combine(parts, [1.0 / len(parts)] * len(parts))
    return whole


def summary_rows(
    study: str, results: Sequence[TargetResult], confidence: float = CONFIDENCE
) -> list[Row]:
    """A row per target, language or pseudo-language, and group, in a fixed order.

    `delta` is the difference to the group `none` of the same target and language; null where the
    study has none. `delta_low` to `delta_high` hold for these languages, `like_low` to `like_high`
    for languages like these (zero-shot rows alone). `p_holm` is `p` after Holm's correction in one
    of three families of the whole study: all `zero-shot` rows, all `mean` rows, all rows of single
    languages. `best` has no p, and p is null where no setting has two seeds.
    """
    rows = [
        _summary_row(study, result.target, language, group, sample, confidence)
        for result in results
        for language, sample in result.cells.items()
        for group in sorted(sample.settings, key=group_order)
    ]
    correct(rows)
    return rows


def _summary_row(
    study: str, target: Target, language: str, group: Group, sample: Sample, confidence: float
) -> Row:
    """One row; see `summary_rows`."""
    runs = sample.settings[group]
    mean = sample.contrast({group: 1.0}, confidence)
    expected = [value for value in (sample.expected[run] for run in runs) if value is not None]
    row: Row = {
        "study": study,
        "target": target.name,
        "language": language,
        "metric": target.metric,
        "chance": target.chance,
        "group": group.label,
        **asdict(group),
        "mean": tidy(mean.value),
        "low": tidy(max(0.0, mean.low)),
        "high": tidy(min(100.0, mean.high)),
        "expected": tidy(sum(expected) / len(runs)) if len(expected) == len(runs) else None,
        "seeds": len(runs),
        "n": sample.n,
        "collapsed": sum(sample.collapsed[run] for run in runs),
    }
    row |= dict.fromkeys(("delta", "delta_low", "delta_high", "like_low", "like_high", "p"))
    baseline = sample.baseline
    if baseline is not None and group != baseline:
        gain = {group: 1.0, baseline: -1.0}
        found = sample.contrast(gain, confidence)
        row |= {"delta": tidy(found.value), **_bounds("delta", found)}
        if language == ZERO_SHOT:
            row |= _bounds("like", sample.contrast_languages(gain, confidence))
        # That `best` was chosen among many is in neither: no test of it would be honest.
        row["p"] = None if group == BEST else tidy_p(found.p)
    return row | {"p_holm": None}


def headlines(rows: Sequence[Row]) -> list[Row]:
    """The rows that stand for their targets: `zero-shot`, or `mean` where there is none."""
    away = {row["target"] for row in rows if row["language"] == ZERO_SHOT}
    return [
        row for row in rows if row["language"] == (ZERO_SHOT if row["target"] in away else MEAN)
    ]


def slope_rows(
    study: str, results: Sequence[TargetResult], confidence: float = CONFIDENCE
) -> list[Row]:
    """A row per target, language or pseudo-language and series of two or more sizes.

    `slope` is in points per tenfold rows; `p` tests "the slope is 0"; the rest as in the summary.
    """
    rows = [
        _slope_row(study, result.target, language, members, sample, confidence)
        for result in results
        for language, sample in result.cells.items()
        for members in series(sample)
        if len(members) > 1
    ]
    correct(rows)
    return rows


def series(sample: Sample) -> list[list[Group]]:
    """Settings that differ in size alone, by rising size."""
    found: dict[tuple[str, ...], list[Group]] = {}
    for group in sorted(sample.settings, key=group_order):
        if group.method != "none" and group.size > 0:
            key = (group.method, group.task, group.source_language, group.variant)
            found.setdefault(key, []).append(group)
    return list(found.values())


def slope(members: Sequence[Group]) -> dict[Group, float]:
    """The contrast of a series that is its slope, in points per tenfold rows."""
    weights = inference.log_size([group.size for group in members])
    return dict(zip(members, weights.tolist(), strict=True))


def _slope_row(
    study: str,
    target: Target,
    language: str,
    members: Sequence[Group],
    sample: Sample,
    confidence: float,
) -> Row:
    """One series; see `slope_rows`."""
    weights = slope(members)
    found = sample.contrast(weights, confidence)
    like = sample.contrast_languages(weights, confidence) if language == ZERO_SHOT else None
    return {
        "study": study,
        "target": target.name,
        "language": language,
        **asdict(members[0]),
        "sizes": [group.size for group in members],
        "slope": tidy(found.value),
        "low": tidy(found.low),
        "high": tidy(found.high),
        **_bounds("like", like),
        "seeds": min(len(sample.settings[group]) for group in members),
        "p": tidy_p(found.p),
        "p_holm": None,
    }


def _bounds(name: str, found: Estimate | None) -> Row:
    low, high = (None, None) if found is None else (tidy(found.low), tidy(found.high))
    return {f"{name}_low": low, f"{name}_high": high}


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


def tidy(value: float | None) -> float | None:
    """Round away the noise of summation order, so that equal work gives equal bytes."""
    return None if value is None else round(float(value), DECIMALS) + 0.0


def tidy_p(value: float | None) -> float | None:
    """A p with six digits, for the same reason."""
    return None if value is None else float(f"{value:.6g}")
