"""What a study answers: each question on samples whose answer is known by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from xstilts.results import questions
from xstilts.results.questions import Facts
from xstilts.results.samples import Sample
from xstilts.results.samples import measure as sample_of
from xstilts.results.scores import Group, Row, Run
from xstilts.results.summary import Target, TargetResult, measure, over_targets, summary_rows

NONE = Group("none", "none", "none", 0)
ENGLISH = [Group("single", "mnli", "en", size) for size in (1000, 10_000)]
STEPS = [Group("single", "mnli", "en", size, "steps") for size in (1000, 10_000)]
CHINESE = [Group("single", "ocnli", "zh", size) for size in (1000, 10_000, 50_000)]
MACHINE = [Group("single", "cmnli", "zh", size) for size in (1000, 10_000)]
GROUPS = [NONE, *ENGLISH, *STEPS, *CHINESE, *MACHINE]
# Points above `none` in a language that is nothing special.
GAINS = dict(zip(GROUPS, (0, 2, 12, 2, 8, 1, 5, 30, 1, 3), strict=True))
FACTS = Facts(
    {"de": "Germanic", "ru": "Slavic", "bg": "Slavic", "sw": "Niger-Congo"},
    {"de": "Latn", "ru": "Cyrl", "bg": "Cyrl", "sw": "Latn"},
    lambda source, language: {"de": 0.2, "ru": 0.4, "bg": 0.4, "sw": 0.8}[language],
    {"mnli": "classification", "ocnli": "classification", "cmnli": "classification"},
    frozenset({"cmnli"}),
)


def language(base: float, factor: float = 1.0, seeds: int = 3, fallen: str = "") -> Sample:
    """A language in which settings gain `factor` times what they gain; exact scores of 1,000."""
    runs = [Run(f"{g.label}-s{s}", g, s) for g in GROUPS for s in range(1, seeds + 1)]
    num = np.zeros((len(runs), 1000))
    for row, run in zip(num, runs, strict=True):
        score = base + factor * GAINS[run.group] + 0.1 * (run.seed - 2)
        row[: round(10 * (0 if run.name == fallen else score))] = 1.0
    flags = [run.name == fallen for run in runs]
    return sample_of(runs, num, np.ones_like(num), flags)


def target(name: str = "xnli", chance: float = 0.0, **options: object) -> TargetResult:
    """English, and four languages that gain less the farther they are."""
    factors = {"de": 1.0, "ru": 0.8, "bg": 0.8, "sw": 0.4}
    cells = {code: language(40.0, factor, **options) for code, factor in factors.items()}
    return measure(Target(name, "en", "accuracy", chance), {"en": language(60.0), **cells})


def answers(*results: TargetResult, facts: Facts = FACTS) -> list[Row]:
    results = (*results, over_targets(results))
    return questions.rows("s", results, summary_rows("s", results), facts)


def find(rows: list[Row], question: str, subject: str, other: str, on: str = "xnli") -> Row:
    wanted = (question, on, subject, other)
    names = ("question", "target", "subject", "other")
    return next(row for row in rows if tuple(row[name] for name in names) == wanted)


def test_first_size_is_the_smallest_that_is_told_from_zero() -> None:
    """By Holm's p of the summary; a series that is told nowhere has no first size."""
    shared = {"target": "x", "method": "single", "task": "mnli", "source_language": "en"}
    shared |= {"language": "zero-shot", "variant": ""}
    told = [
        shared | {"size": size, "delta": delta, "p_holm": p}
        for size, delta, p in ((3000, 2.0, 0.04), (1000, -3.0, 0.01), (9000, 3.0, 0.2))
    ]
    (answer,) = questions.first_sizes(told)
    assert (answer.value, answer.other, answer.count) == (3000.0, "1000, 3000, 9000", 1)
    (answer,) = questions.first_sizes([row | {"p_holm": 0.9} for row in told])
    assert (answer.value, answer.count) == (None, 0)
    assert list(questions.first_sizes([row | {"p_holm": None} for row in told])) == []


def test_slopes_are_compared_over_the_sizes_that_both_sides_have() -> None:
    """English gains 10 points tenfold, Chinese 4 between 1K and 10K: its 50K rows do not count."""
    rows = answers(target())
    mean = (1.0 + 0.8 + 0.8 + 0.4) / 4
    row = find(rows, "slope difference", "English, classification", "native in other languages")
    assert row["value"] == pytest.approx(mean * (10 - 4), abs=0.05)
    assert row["count"] == 2
    assert row["low"] < row["value"] < row["high"]
    row = find(rows, "slope difference", "native, classification", "machine-translated")
    assert row["value"] == pytest.approx(mean * (4 - 2), abs=0.05)
    row = find(rows, "slope difference", "mnli-en", "steps")
    assert row["value"] == pytest.approx(mean * (10 - 6), abs=0.05)


def test_gain_by_family_and_script_are_means_over_their_languages() -> None:
    """Slavic: 0.8 of 12; a family of one language cannot speak for languages like it."""
    rows = answers(target())
    row = find(rows, "gain by family", "mnli-en-10000", "Slavic")
    assert (row["value"], row["count"]) == (pytest.approx(9.6), 2)
    assert row["like_low"] is not None
    alone = find(rows, "gain by family", "mnli-en-10000", "Germanic")
    assert (alone["value"], alone["like_low"]) == (pytest.approx(12.0), None)
    assert find(rows, "gain by script", "mnli-en-10000", "Latn")["value"] == pytest.approx(8.4)


def test_gain_by_distance_is_the_regression_over_languages() -> None:
    """scipy's line through four gains; of languages like these its own interval."""
    row = find(answers(target()), "gain by distance", "mnli-en-10000", "en")
    line = stats.linregress([0.2, 0.4, 0.4, 0.8], [12.0, 9.6, 9.6, 4.8])
    assert row["value"] == pytest.approx(line.slope, abs=0.01)
    assert row["like_low"] <= row["low"] < row["value"] < 0
    away = find(answers(target()), "gain by distance", "ocnli-zh-10000", "zh")
    assert away["count"] == 4


def test_scatter_about_the_line_is_that_of_scipy() -> None:
    """Where seeds and examples hardly matter, it is the line's interval."""
    facts = Facts(distance=lambda source, code: {"de": 0.1, "ru": 0.9, "bg": 0.2, "sw": 0.3}[code])
    row = find(answers(target(), facts=facts), "gain by distance", "mnli-en-10000", "en")
    line = stats.linregress([0.1, 0.9, 0.2, 0.3], [12.0, 9.6, 9.6, 4.8])
    half = stats.t.ppf(0.975, 2) * line.stderr
    assert row["like_high"] - row["like_low"] == pytest.approx(2 * half, rel=0.01)


def test_too_few_distances_give_no_line() -> None:
    """Two languages always lie on a line, and languages at one distance on none."""
    for known in ({"de": 0.1, "ru": 0.9}, dict.fromkeys(("de", "ru", "bg", "sw"), 0.5)):
        facts = Facts(distance=lambda source, code, known=known: known.get(code))
        assert "gain by distance" not in {row["question"] for row in answers(target(), facts=facts)}


def test_transfer_gap_is_source_less_zero_shot() -> None:
    """English 60 + 12, others 40 + 9: a gap of 23, where `none` has one of 20."""
    rows = answers(target())
    assert find(rows, "transfer gap", "none", "")["value"] == pytest.approx(20.0)
    assert find(rows, "transfer gap", "mnli-en-10000", "")["value"] == pytest.approx(23.0)
    change = find(rows, "change of transfer gap", "mnli-en-10000", "none")
    assert change["value"] == pytest.approx(3.0)
    assert change["p"] is not None
    assert find(rows, "transfer gap", "none", "")["p"] is None


def test_normalised_gains_weigh_targets_by_their_room() -> None:
    """Nine points of the 50 above chance are 18 percent; of 100 they are 9; together 13.5."""
    rows = answers(target("xnli", 50.0), target("xquad"))
    question = "chance-normalised gain"
    for name, value in (("xnli", 18.0), ("xquad", 9.0), ("all", 13.5)):
        row = find(rows, question, "mnli-en-10000", "none", name)
        assert row["value"] == pytest.approx(value, abs=0.01)
        assert row["like_low"] <= row["low"] <= row["value"]


def test_scaling_scales_both_intervals() -> None:
    """A target's normalised gain is its gain times a number, and so is all that is said of it."""
    result = target("xnli", 50.0)
    summary = summary_rows("s", [result])
    plain = next(
        row for row in summary if (row["language"], row["group"]) == ("zero-shot", "mnli-en-10000")
    )
    row = find(answers(result), "chance-normalised gain", "mnli-en-10000", "none")
    for one, other in (("low", "delta_low"), ("like_low", "like_low"), ("like_high", "like_high")):
        assert row[one] == pytest.approx(2 * plain[other], abs=1e-5)


def test_collapsed_runs_are_left_out_beside_the_gain_that_has_them() -> None:
    """A run at 0 pulls three seeds down by a third; without it the gain is what it was."""
    rows = answers(target(fallen="mnli-en-10000-s2"))
    row = find(rows, "without collapsed runs", "mnli-en-10000", "none")
    assert (row["value"], row["count"]) == (pytest.approx(9.0), 1)
    others = {row["subject"] for row in rows if row["question"] == "without collapsed runs"}
    assert others == {"mnli-en-10000"}
    everywhere = answers(target(fallen="none-s1"))
    touched = [row for row in everywhere if row["question"] == "without collapsed runs"]
    assert len(touched) == len(GROUPS) - 1


def test_each_question_is_corrected_by_itself() -> None:
    """Holm within a question: asking one more must not weaken another."""
    rows = answers(target())
    for row in rows:
        assert (row["p"] is None) == (row["p_holm"] is None)
        assert row["p"] is None or row["p_holm"] >= row["p"]
    assert [row["question"] for row in rows] == sorted(
        (row["question"] for row in rows), key=questions.QUESTIONS.index
    )


def test_a_study_of_one_seed_has_answers_without_tests() -> None:
    """Values and intervals over examples, and every p null."""
    factors = {"de": 1.0, "sw": 0.4}
    cells = {code: language(40.0, factor, seeds=1) for code, factor in factors.items()}
    result = measure(Target("xnli", "en", "accuracy", 0.0), cells)
    rows = answers(result)
    assert rows
    assert {row["p"] for row in rows} == {None}
