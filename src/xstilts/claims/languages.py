"""Shares of outputs in the right language, out of a study's score rows, as rows of a summary.

A value beside a target's main one has no interval in summary.parquet. Here it has one that joins
two errors as independent ones: Student's over the seeds of a setting, each seed's number being the
mean over the languages, and Wilson's for the outputs that were looked at, which are the same rows
in all seeds. Only those of one language are counted, as all may be asked the same. One seed has
none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import hypot
from statistics import fmean, stdev

from scipy.stats import binomtest, t

from xstilts.core.params import Target
from xstilts.results.scores import DECIMALS, MEAN, ZERO_SHOT, Group, Row

RIGHT = "right_language"  # a value of metrics/generation.py


def rows(
    scores: Sequence[Row], targets: Mapping[str, Target], language: str, confidence: float
) -> list[Row]:
    """A row a target and setting, with `mean`, `low` and `high` (0-100).

    Args:
        language: of the scored rows; zero-shot or mean: over the languages.
    """
    shares: dict[tuple[str, Group], dict[str, list[float]]] = {}
    outputs: dict[str, int] = {}
    for row in scores:
        if row["metric"] == RIGHT and _asked(row, targets[row["target"]], language):
            names = ("method", "task", "source_language", "size", "variant")
            key = row["target"], Group(**{name: row[name] for name in names})
            shares.setdefault(key, {}).setdefault(row["run"], []).append(row["value"])
            outputs[row["target"]] = min(row["n"], outputs.get(row["target"], row["n"]))
    return list(_rows(shares, outputs, language, confidence))


def _asked(row: Row, target: Target, language: str) -> bool:
    """Whether a score row is of the language, or of one that a mean is over."""
    if language == ZERO_SHOT:
        return bool(row["language"] != target.source_language)
    return language == MEAN or row["language"] == language


def _rows(
    shares: Mapping[tuple[str, Group], Mapping[str, list[float]]],
    outputs: Mapping[str, int],
    language: str,
    confidence: float,
) -> Iterator[Row]:
    for (target, group), runs in shares.items():
        means = [fmean(values) for values in runs.values()]
        low, high = interval(means, outputs[target], confidence)
        names = ("method", "task", "source_language", "size", "variant")
        setting = {name: getattr(group, name) for name in names}
        number = {"mean": round(fmean(means), DECIMALS), "low": low, "high": high}
        yield {"target": target, "language": language, "group": group.label, **setting, **number}


def interval(
    means: Sequence[float], outputs: int, confidence: float
) -> tuple[float, float] | tuple[None, None]:
    """Bounds of a share (0-100), of its value in each seed and the number of outputs."""
    if len(means) < 2:
        return None, None
    share = fmean(means)
    over_seeds = float(t.ppf((1 + confidence) / 2, len(means) - 1))
    over_seeds *= stdev(means) / len(means) ** 0.5
    right = round(share / 100 * outputs)
    own = binomtest(right, outputs).proportion_ci(confidence, "wilson")
    down, up = (abs(100 * (bound - right / outputs)) for bound in (own.low, own.high))
    low, high = share - hypot(over_seeds, down), share + hypot(over_seeds, up)
    return round(max(0.0, low), DECIMALS), round(min(100.0, high), DECIMALS)
