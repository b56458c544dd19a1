"""The summary: pseudo-languages, pairing, families of Holm, against plain arithmetic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xstilts.results.scores import BEST, Group, Run, group_order
from xstilts.results.summary import (
    Bootstrap,
    Cell,
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
BOOTSTRAP = Bootstrap(resamples=50)


def cell(language: str, scores: list[float], size: int = 20) -> Cell:
    """One language; run i has the score scores[i]."""
    num = np.zeros((len(scores), size))
    for row, score in zip(num, scores, strict=True):
        row[: round(score * size / 100)] = 1.0
    flags = {run.name: language == "sw" and run.name == "none-s1" for run in RUNS}
    return Cell(language, [str(i) for i in range(size)], RUNS, num, np.ones_like(num), flags)


def results(name: str = "xnli") -> list:
    cells = [
        cell("en", [80, 80, 80, 80, 90, 90]),
        cell("de", [60, 70, 65, 75, 80, 90]),
        cell("sw", [30, 40, 45, 45, 50, 60]),
    ]
    return [measure(Target(name, "en", "accuracy", 33.3), cells, BOOTSTRAP)]


def find(rows: list[dict], language: str, group: str) -> dict:
    return next(row for row in rows if (row["language"], row["group"]) == (language, group))


def test_means_and_deltas_are_plain_arithmetic() -> None:
    """Zero-shot leaves out the source language, mean does not; the delta is to `none`."""
    rows = summary_rows("s", results(), BOOTSTRAP)
    assert find(rows, "de", "squad-en-10000")["mean"] == 85
    assert find(rows, "zero-shot", "none")["mean"] == 50  # (65 + 35) / 2
    assert find(rows, "zero-shot", "squad-en-10000")["mean"] == 70  # (85 + 55) / 2
    assert find(rows, "zero-shot", "squad-en-10000")["delta"] == 20
    assert find(rows, "mean", "squad-en-10000")["delta"] == pytest.approx(50 / 3, abs=1e-6)
    assert find(rows, "zero-shot", "none")["delta"] is None


def test_deltas_are_paired() -> None:
    """A group that answers as the baseline does differs by 0 for sure, however few the examples."""
    same = cell("de", [60, 70, 60, 70, 80, 90])
    rows = summary_rows("s", [measure(Target("x", "en", "f1", 0.0), [same], BOOTSTRAP)], BOOTSTRAP)
    row = find(rows, "de", "squad-en-1000")
    assert (row["delta"], row["delta_low"], row["delta_high"], row["p"]) == (0, 0, 0, 1)
    assert row["low"] < row["high"]


def test_counts_of_seeds_examples_and_collapsed_runs_are_kept() -> None:
    """A collapsed run counts in the mean, and is seen in every row that it enters."""
    rows = summary_rows("s", results(), BOOTSTRAP)
    assert find(rows, "sw", "none")["collapsed"] == 1
    assert find(rows, "zero-shot", "none")["collapsed"] == 1
    assert find(rows, "de", "none")["collapsed"] == 0
    assert find(rows, "zero-shot", "none")["n"] == 40
    assert find(rows, "zero-shot", "none")["seeds"] == 2


def test_slope_is_of_the_group_means() -> None:
    """60 to 70 from 1K to 10K: see the zero-shot means above."""
    rows = slope_rows("s", results(), BOOTSTRAP)
    row = next(row for row in rows if row["language"] == "zero-shot")
    assert row["sizes"] == [1000, 10000]
    assert row["slope"] == pytest.approx(70 - (70 + 45) / 2)


def test_all_is_the_mean_over_targets() -> None:
    """The paper's headline is an average over targets; one target has none."""
    both = results() + results("pawsx")
    rows = summary_rows("s", [over_targets(both)], BOOTSTRAP)
    assert find(rows, "zero-shot", "squad-en-10000")["delta"] == 20
    assert find(rows, "zero-shot", "none")["n"] == 80
    assert summary_rows("s", [over_targets(results())], BOOTSTRAP) == []


def test_a_target_in_its_source_language_alone_has_no_zero_shot() -> None:
    """Nothing is zero-shot there; an invented average would be."""
    only = measure(Target("x", "en", "f1", 0.0), [cell("en", [1] * 6)], BOOTSTRAP)
    assert {row["language"] for row in summary_rows("s", [only], BOOTSTRAP)} == {"en", "mean"}


def test_a_study_without_baseline_has_no_delta() -> None:
    """A missing baseline gives nulls and no error."""
    part = cell("de", [50, 50, 60, 60, 70, 70])
    runs = RUNS[2:]
    only = Cell("de", part.ids, runs, part.num[2:], part.den[2:], part.collapsed)
    rows = summary_rows("s", [measure(Target("x", "en", "f1", 0.0), [only], BOOTSTRAP)], BOOTSTRAP)
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
    part = replace(cell("de", [60, 70, 65, 75, 80, 90]), runs=runs)
    found = [measure(Target("x", "en", "f1", 0.0), [part], BOOTSTRAP)]
    rows = summary_rows("s", found, BOOTSTRAP)
    assert find(rows, "de", "squad-en-10000-steps")["variant"] == "steps"
    assert find(rows, "de", "squad-en-1000")["variant"] == ""
    assert slope_rows("s", found, BOOTSTRAP) == []  # one size each


def test_the_order_is_none_then_settings_then_best() -> None:
    """All tables of a study list its settings in this order."""
    steps = replace(LARGE, variant="steps")
    control = replace(LARGE, method="shuffled")
    ordered = [NONE, SMALL, LARGE, steps, control, BEST]
    assert sorted([*ordered[3:], *ordered[:3]], key=group_order) == ordered
