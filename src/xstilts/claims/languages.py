"""Shares of outputs in the right language, out of a study's score rows, as rows of a summary.

A value beside a target's main one has no interval in summary.parquet. Here it has Student's over
the seeds of a setting, each seed's number being the mean over the languages; of one seed it has
none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev

from scipy.stats import t

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
    for row in scores:
        if row["metric"] == RIGHT and _asked(row, targets[row["target"]], language):
            names = ("method", "task", "source_language", "size", "variant")
            key = row["target"], Group(**{name: row[name] for name in names})
            shares.setdefault(key, {}).setdefault(row["run"], []).append(row["value"])
    return list(_rows(shares, language, confidence))


def _asked(row: Row, target: Target, language: str) -> bool:
    """Whether a score row is of the language, or of one that a mean is over."""
    if language == ZERO_SHOT:
        return bool(row["language"] != target.source_language)
    return language == MEAN or row["language"] == language


def _rows(
    shares: Mapping[tuple[str, Group], Mapping[str, list[float]]], language: str, confidence: float
) -> Iterator[Row]:
    for (target, group), runs in shares.items():
        means = [fmean(values) for values in runs.values()]
        low = high = None
        if len(means) > 1:
            half = float(t.ppf((1 + confidence) / 2, len(means) - 1))
            half *= stdev(means) / len(means) ** 0.5
            low = round(max(0.0, fmean(means) - half), DECIMALS)
            high = round(min(100.0, fmean(means) + half), DECIMALS)
        names = ("method", "task", "source_language", "size", "variant")
        setting = {name: getattr(group, name) for name in names}
        number = {"mean": round(fmean(means), DECIMALS), "low": low, "high": high}
        yield {"target": target, "language": language, "group": group.label, **setting, **number}
