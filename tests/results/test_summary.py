"""The summary: pseudo-languages, pairing, families of Holm, against plain arithmetic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xstilts.results.samples import Sample
from xstilts.results.samples import measure as sample_of
from xstilts.results.scores import BEST, Group, Run, group_order
from xstilts.results.summary import (
    Target,
    correct,
    measure,
    over_targets,
    slope_rows,
    summary_rows,
)

NONE = Group("none", "none", "none", 0)
SMALL, LARGE = (Group("single", "squad", "en", size) for size in (1000, 10000))
RUNS = [Run(f"{g.label}-s{s}", g, s) for g in (NONE, SMALL, LARGE) for s in (1, 2)]


def cell(language: str, scores: list[float], runs: list[Run] = RUNS, size: int = 20) -> Sample:
    """One language; run i has the score scores[i]."""
    num = np.zeros((len(scores), size))
    for row, score in zip(num, scores, strict=True):
        row[: round(score * size / 100)] = 1.0
    flags = [language == "sw" and run.name == "none-s1" for run in runs]
    return sample_of(runs, num, np.ones_like(num), flags)


def results(name: str = "xnli") -> list:
    cells = {
        "en": cell("en", [80, 80, 80, 80, 90, 90]),
        "de": cell("de", [60, 70, 65, 75, 80, 90]),
        "sw": cell("sw", [30, 40, 45, 45, 50, 60]),
    }
    return [measure(Target(name, "en", "accuracy", 33.3), cells)]


def find(rows: list[dict], language: str, group: str) -> dict:
    return next(row for row in rows if (row["language"], row["group"]) == (language, group))


def test_means_and_deltas_are_plain_arithmetic() -> None:
    """Zero-shot leaves out the source language, mean does not; the delta is to `none`."""
    rows = summary_rows("s", results())
    assert find(rows, "de", "squad-en-10000")["mean"] == 85
    assert find(rows, "zero-shot", "none")["mean"] == 50  # (65 + 35) / 2
    assert find(rows, "zero-shot", "squad-en-10000")["mean"] == 70  # (85 + 55) / 2
    assert find(rows, "zero-shot", "squad-en-10000")["delta"] == 20
    assert find(rows, "mean", "squad-en-10000")["delta"] == pytest.approx(50 / 3, abs=1e-6)
    assert find(rows, "zero-shot", "none")["delta"] is None


def test_deltas_are_paired() -> None:
    """A group that answers as the baseline does differs by 0."""
    same = cell("de", [60, 70, 60, 70, 80, 90])
    rows = summary_rows("s", [measure(Target("x", "en", "f1", 0.0), {"de": same})])
    row = find(rows, "de", "squad-en-1000")
    assert (row["delta"], row["p"]) == (0, 1)
    assert row["delta_low"] == -row["delta_high"]
    assert row["low"] < row["mean"] < row["high"]


def test_whose_interval_it_is() -> None:
    """Languages are drawn in the zero-shot mean alone; there the interval is the wider one."""
    rows = summary_rows("s", results())
    row = find(rows, "zero-shot", "squad-en-10000")
    assert row["like_low"] <= row["delta_low"] < row["delta_high"] <= row["like_high"]
    assert find(rows, "mean", "squad-en-10000")["like_low"] is None
    assert find(rows, "de", "squad-en-10000")["like_low"] is None


def test_one_seed_everywhere_tests_nothing() -> None:
    """Scores and intervals over examples stay; every p is null, and Holm has nothing to correct."""
    runs = [run for run in RUNS if run.seed == 1]
    cells = {name: cell(name, [50, 60, 70], runs) for name in ("en", "de", "sw")}
    found = [measure(Target("x", "en", "f1", 0.0), cells)]
    for row in [*summary_rows("s", found), *slope_rows("s", found)]:
        assert row["p"] is None
        assert row["p_holm"] is None
    assert find(summary_rows("s", found), "zero-shot", "squad-en-1000")["delta_low"] < 10


def test_counts_of_seeds_examples_and_collapsed_runs_are_kept() -> None:
    """A collapsed run counts in the mean, and is seen in every row that it enters."""
    rows = summary_rows("s", results())
    assert find(rows, "sw", "none")["collapsed"] == 1
    assert find(rows, "zero-shot", "none")["collapsed"] == 1
    assert find(rows, "de", "none")["collapsed"] == 0
    assert find(rows, "zero-shot", "none")["n"] == 40
    assert find(rows, "zero-shot", "none")["seeds"] == 2


def test_slope_is_of_the_group_means() -> None:
    """60 to 70 from 1K to 10K: see the zero-shot means above."""
    rows = slope_rows("s", results())
    row = next(row for row in rows if row["language"] == "zero-shot")
    assert row["sizes"] == [1000, 10000]
    assert row["slope"] == pytest.approx(70 - (70 + 45) / 2)


def test_all_is_the_mean_over_targets() -> None:
    """The paper's headline is an average over targets; one target has none."""
    both = results() + results("pawsx")
    rows = summary_rows("s", [over_targets(both)])
    assert find(rows, "zero-shot", "squad-en-10000")["delta"] == 20
    assert find(rows, "zero-shot", "none")["n"] == 80
    assert summary_rows("s", [over_targets(results())]) == []


def test_a_target_in_its_source_language_alone_has_no_zero_shot() -> None:
    """Nothing is zero-shot there; an invented average would be."""
    only = measure(Target("x", "en", "f1", 0.0), {"en": cell("en", [1] * 6)})
    assert {row["language"] for row in summary_rows("s", [only])} == {"en", "mean"}


def test_a_study_without_baseline_has_no_delta() -> None:
    """A missing baseline gives nulls and no error."""
    part = cell("de", [60, 60, 70, 70], RUNS[2:])
    rows = summary_rows("s", [measure(Target("x", "en", "f1", 0.0), {"de": part})])
    assert {row["delta"] for row in rows} == {None}
    assert {row["p_holm"] for row in rows} == {None}


def test_families_are_corrected_apart() -> None:
    """Twenty languages must not make the two headline rows insignificant."""
    rows = [{"language": "zero-shot", "p": 0.02, "p_holm": None} for _ in range(2)]
    rows += [{"language": f"l{i}", "p": 0.02, "p_holm": None} for i in range(20)]
    correct(rows)
    assert [row["p_holm"] for row in rows] == [0.04] * 2 + [0.4] * 20


def test_labels_are_run_ids_without_the_seed() -> None:
    """Labels are how a person finds the runs of a row."""
    assert NONE.label == "none"
    assert LARGE.label == "squad-en-10000"
    assert Group("shuffled", "squad", "en", 9).label == "squad-en-9-shuffled"
    assert Group("mlm", "squad", "en", 9, "steps").label == "squad-en-9-mlm-steps"
    assert Group("multi", "nine", "en", 9).label == "nine-en-9"
    assert Group("mlm", "mlm", "mul", 9).label == "mlm-mul-9"  # of text alone
    assert BEST.label == "best"


def test_variants_are_groups_and_series_of_their_own() -> None:
    """A run of 1,000 steps and one of 3 epochs are two points, and not two seeds of one."""
    other = replace(LARGE, variant="steps")
    runs = [Run(run.name, other if run.group == LARGE else run.group, run.seed) for run in RUNS]
    part = cell("de", [60, 70, 65, 75, 80, 90], runs)
    found = [measure(Target("x", "en", "f1", 0.0), {"de": part})]
    rows = summary_rows("s", found)
    assert find(rows, "de", "squad-en-10000-steps")["variant"] == "steps"
    assert find(rows, "de", "squad-en-1000")["variant"] == ""
    assert slope_rows("s", found) == []  # one size each


def test_the_order_is_none_then_settings_then_best() -> None:
    """All tables of a study list its settings in this order."""
    steps = replace(LARGE, variant="steps")
    control = replace(LARGE, method="shuffled")
    ordered = [NONE, SMALL, LARGE, steps, control, BEST]
    assert sorted([*ordered[3:], *ordered[:3]], key=group_order) == ordered
