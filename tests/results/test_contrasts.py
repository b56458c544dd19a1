"""Comparisons after the fact equal those of the samples, within what rounding leaves."""

from __future__ import annotations

import numpy as np
import pytest

from xstilts.results.contrasts import SCHEMA, Contrasts, table_rows
from xstilts.results.samples import measure as sample_of
from xstilts.results.scores import Group, Run
from xstilts.results.summary import Target, TargetResult, measure

GROUPS = [Group("none", "none", "none", 0)]
GROUPS += [Group("single", task, "en", size) for task in "abcd" for size in (1000, 10_000)]


def result(seeds: int) -> TargetResult:
    rng = np.random.default_rng(0)
    runs = [Run(f"{g.label}-s{s}", g, s) for g in GROUPS for s in range(seeds)]
    cells = {}
    for language in ("en", "de", "sw"):
        num = (rng.random((len(runs), 200)) < 0.5).astype(float)
        cells[language] = sample_of(runs, num, np.ones_like(num))
    return measure(Target("xnli", "en", "accuracy", 33.3), cells)


@pytest.mark.parametrize("seeds", [1, 3])
def test_every_contrast_of_the_file_is_that_of_the_sample(seeds: int) -> None:
    """Two settings, means of several, and a gain: value, interval and p."""
    whole = result(seeds)
    rows = table_rows("s", [whole])
    assert set(rows[0]) == set(SCHEMA.names)
    kept = Contrasts.of(rows, "xnli")
    assert kept is not None
    sample = whole.cells["zero-shot"]
    for weights in (
        {GROUPS[1]: 1.0, GROUPS[0]: -1.0},
        {GROUPS[2]: 1.0, GROUPS[5]: -1.0},
        {GROUPS[1]: 0.5, GROUPS[2]: 0.5, GROUPS[3]: -0.5, GROUPS[4]: -0.5},
    ):
        found = kept.estimate({group.label: weight for group, weight in weights.items()})
        exact = sample.contrast(weights)
        assert (found.value, found.low, found.high) == pytest.approx(
            (exact.value, exact.low, exact.high), abs=1e-3
        )
        assert found.p == (exact.p if exact.p is None else pytest.approx(exact.p, rel=1e-3))


def test_what_is_not_there_is_none() -> None:
    """A target without zero-shot rows, and a setting that the study lacks."""
    rows = table_rows("s", [result(2)])
    assert Contrasts.of(rows, "xquad") is None
    kept = Contrasts.of(rows, "xnli")
    assert kept is not None
    with pytest.raises(KeyError):
        kept.estimate({"e-en-1000": 1.0})
