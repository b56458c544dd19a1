"""Verdicts: both ways, undecided and not run, on made-up studies and on the committed demo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import fake_study
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.claims import answers, entries, evidence
from xstilts.claims.answers import Answer, Says, judge
from xstilts.claims.entries import Bounds, Claim, Rule
from xstilts.claims.evidence import Estimate
from xstilts.core import design, paths
from xstilts.core.files import read_json
from xstilts.core.params import Params
from xstilts.core.progress import Observe
from xstilts.report.data import Results, load
from xstilts.results.contrasts import Contrasts
from xstilts.results.scores import Row
from xstilts.stages import aggregate

FACTS = {"task": "facts", "language": "qaa"}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A study in which `facts` helps by many points, `order` by few, shuffled rows by none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("claims"))
        params = fake_study.params(seeds=(1, 2, 3))
        fake_study.write(params, examples=300)
        aggregate.run(params, "fake", Observe(quiet=True))
        return load(params, paths.aggregated("fake"))


def claim(check: dict[str, Any], **more: Any) -> Claim:
    """An entry with a check."""
    known = {"id": "one", "text": "Something is said here.", "status": "own", "source": "a test"}
    return Claim.model_validate({**known, "check": check, **more})


def ask(study: evidence.Study, measure: str, **bounds: Any) -> Answer:
    """Ask one measured claim."""
    return answers.answer(claim({measure: {"of": FACTS, **bounds}}), study)


@pytest.mark.parametrize(
    ("measure", "bounds", "verdict"),
    [
        ("gain", {"above": 5}, "reproduced"),
        ("gain", {"below": 5}, "not reproduced"),
        ("gain", {"above": 5, "below": 60}, "reproduced"),
        ("gain", {"above": 60, "below": 70}, "not reproduced"),
        ("gain", {"above": 5, "target": ["paraphrase", "fact_qa"]}, "reproduced"),
        ("gain", {"above": 5, "language": "qab", "target": "fact_qa"}, "reproduced"),
        ("gain", {"of": {**FACTS, "method": "shuffled"}, "above": 5}, "not reproduced"),
        ("gain", {"minus": {"method": "shuffled"}, "above": 1}, "reproduced"),
        ("gain", {"minus": {"task": "order"}, "above": 0}, "reproduced"),
        ("gain", {"of": {"task": "order"}, "minus": {"task": "facts"}, "above": 0},
         "not reproduced"),
        ("gain", {"of": {**FACTS, "size": 1000}, "minus": {"size": 16000}, "above": 0},
         "not reproduced"),
        ("gain", {"of": {"language": "qaa"}, "above": 7, "rule": "any"}, "reproduced"),
        ("gain", {"of": {"language": "qaa"}, "above": 7, "rule": "each"}, "not reproduced"),
        ("slope", {"above": 0}, "reproduced"),
        ("slope", {"below": 0}, "not reproduced"),
        ("slope", {"minus": {"task": "order"}, "above": 0}, "reproduced"),
        ("score", {"above": 1}, "reproduced"),
        ("score", {"of": {"method": "none"}, "below": 1}, "not reproduced"),
    ],
)  # fmt: skip
def test_both_ways(measure: str, bounds: dict[str, Any], verdict: str, results: Results) -> None:
    """A machinery that only ever agrees would pass for a check of nothing."""
    assert ask(results, measure, **bounds).verdict == verdict


def test_an_interval_that_holds_both_decides_nothing(results: Results) -> None:
    """The bound is put where we know that the interval has it inside."""
    found = ask(results, "gain", above=0).found
    assert found is not None
    one = ask(results, "gain", above=found.value)
    assert (one.verdict, one.reason) == ("undecided", "the interval holds both")


def test_of_several_it_says_how_many_decide_nothing(results: Results) -> None:
    """The interval of their mean may lie on one side, and still one of them holds both."""
    targets = ["paraphrase", "fact_qa"]
    found = [ask(results, "gain", above=0, target=target).found for target in targets]
    low, high = sorted((one for one in found if one is not None), key=lambda one: one.value)
    assert high.low > low.value
    one = ask(results, "gain", above=low.value, target=targets)
    assert [said for _, said in one.numbers].count("agrees") == 1
    assert (one.verdict, one.reason) == ("undecided", "1 of 2 intervals hold both")


def test_no_interval_decides_nothing(results: Results) -> None:
    """One scored example has none, however large the gain."""
    bare = [row | {"delta_low": None, "delta_high": None} for row in results.summary]
    one = ask(replace(results, summary=bare), "gain", above=0)
    assert (one.verdict, one.reason) == ("undecided", answers.NO_INTERVAL)
    assert one.found is not None
    assert one.found.low is None


def test_a_difference_has_the_interval_of_its_contrast(results: Results) -> None:
    """Two intervals added up would be wider; without the file they are what is left."""
    asked = {"minus": {"task": "order"}, "above": 0}
    exact, added = (
        ask(study, "gain", **asked).found for study in (results, replace(results, contrasts=[]))
    )
    assert exact is not None
    assert added is not None
    assert exact.value == pytest.approx(added.value, abs=1e-4)
    assert added.low < exact.low < exact.value < exact.high < added.high
    kept = Contrasts.of(results.contrasts, "all")
    assert kept is not None
    found = kept.estimate({"facts-qaa-16000": 1.0, "order-qaa-16000": -1.0})
    assert exact.low == pytest.approx(found.low, abs=1e-5)


def test_single_seeds_decide_nothing(results: Results) -> None:
    """An interval over examples alone says nothing of training anew."""
    single = [row | {"seeds": 1} for row in results.summary]
    one = ask(replace(results, summary=single), "gain", above=0)
    assert (one.verdict, one.reason) == ("undecided", answers.NO_SEEDS)


@pytest.mark.parametrize(
    ("measure", "bounds", "words"),
    [
        ("gain", {"of": {"task": "mnli", "language": "en"}}, "mnli (en)"),
        ("gain", {"of": {**FACTS, "size": 3000}}, "facts (qaa, 3,000 rows)"),
        ("gain", {"of": {**FACTS, "variant": "steps"}}, "facts (qaa, steps)"),
        ("gain", {"of": {"method": "multi"}}, "any task (any language, multi)"),
        ("gain", {"minus": {"language": "en"}}, "facts (en)"),
        ("gain", {"target": "xnli"}, "target xnli"),
        ("gain", {"target": "fact_qa", "language": "de"}, "target fact_qa in de"),
        ("error", {}, "a score that is expected on all"),
        ("slope", {"of": {"task": "mnli"}}, "mnli (any language)"),
    ],
)
def test_what_is_missing_is_named(
    measure: str, bounds: dict[str, Any], words: str, results: Results
) -> None:
    """`not run` tells what to run."""
    one = ask(results, measure, above=0, **bounds)
    assert one.verdict == "not run"
    assert one.reason == f"the study lacks {words}"


@pytest.mark.parametrize(("size", "other"), [(16000, "largest"), ("largest", 16000)])
def test_a_setting_is_not_compared_with_itself(size: Any, other: Any, results: Results) -> None:
    """A difference of 0 with no error would reproduce whatever is said of small differences."""
    one = ask(results, "gain", of={**FACTS, "size": size}, minus={"size": other}, above=-1)
    assert one.verdict == "not run"
    assert "lacks another setting than facts-qaa-16000" in one.reason


def test_the_mean_is_over_the_targets_that_the_claim_is_about(results: Results) -> None:
    """A gain on other targets answers another claim."""
    check = {"gain": {"of": FACTS, "above": 0}}
    own = claim(check, targets=["fact_qa", "paraphrase"])
    assert answers.answer(own, results).verdict == "reproduced"
    more = answers.answer(claim(check, targets=["fact_qa", "xnli"]), results)
    assert (more.verdict, more.reason) == ("not run", "the study lacks target xnli")
    less = answers.answer(claim(check, targets=["fact_qa"]), results)
    assert less.reason == "the study lacks a mean without paraphrase"


def test_most_of_a_list_of_which_one_is_missing(results: Results) -> None:
    """Two that agree are most of three, whatever the third would say; of five they are not."""
    bounds = {"above": 0, "target": ["fact_qa", "paraphrase"], "rule": "most"}
    three = {**bounds, "target": ["fact_qa", "paraphrase", "xnli"]}
    one = ask(results, "gain", **three)
    assert (one.verdict, one.reason) == ("reproduced", "the study lacks target xnli")
    five = {**bounds, "target": ["fact_qa", "paraphrase", "xnli", "mlqa", "bucc"]}
    assert ask(results, "gain", **five).verdict == "not run"
    assert ask(results, "gain", **{**three, "rule": "mean"}).verdict == "not run"


def test_the_expected_score(results: Results) -> None:
    """In the control world a score is held against the one that was counted."""
    rows = [row | {"expected": row["mean"] - 1.0} for row in results.summary]
    counted = replace(results, summary=rows)
    assert ask(counted, "error", above=-20, below=20).verdict == "reproduced"
    assert ask(counted, "error", above=20).verdict == "not reproduced"
    found = ask(counted, "error", above=0).found
    assert found is not None
    assert found.value == pytest.approx(1.0)


def test_a_published_number_beside_ours(results: Results) -> None:
    """Whether it lies in our interval is another question than whether the claim holds."""
    check = {"gain": {"of": FACTS, "above": 0}}
    found = answers.answer(claim(check), results).found
    assert found is not None
    for number, within in ((found.value, True), (99.0, False)):
        one = answers.answer(claim(check, published=number), results)
        assert (one.verdict, one.published_within) == ("reproduced", within)


def test_facts_of_the_set_up(results: Results) -> None:
    """A study without the fact is another study: it does not contradict the paper's set-up."""
    there = {"tasks": ["facts", "order"], "language": "qaa", "phases": ["intermediate", "transfer"]}
    one = answers.answer(claim({"setup": there}), results)
    assert one.verdict == "reproduced"
    assert one.reason.startswith("2 intermediate tasks (qaa); ")
    for absent, words in (
        ({"encoder": "xlmr-large"}, "FacebookAI/xlm-roberta-large at its start"),
        ({"encoder": "published"}, "a published encoder at its start"),
        ({"tasks": ["mnli"], "language": "en"}, "mnli (en)"),
    ):
        one = answers.answer(claim({"setup": absent}), results)
        assert (one.verdict, one.reason) == ("not run", f"the study lacks {words}")


def test_what_cannot_be_asked_says_why(results: Results) -> None:
    """A paper's claim is not left out only because we have no task for it."""
    one = answers.answer(claim({"outside": "nothing is generated here"}), results)
    assert (one.verdict, one.reason) == ("not run", "nothing is generated here")


def test_stale_is_other_rows_or_another_claim(results: Results) -> None:
    """Other rows of the same study leave an answer as it is."""
    check = {"gain": {"of": FACTS, "above": 0}}
    one = answers.answer(claim(check), results)
    recorded = answers.content([one])["claims"]

    def why(claim: Claim, rows: list[Row]) -> str:
        found = answers.answer(claim, replace(results, summary=rows))
        return answers.stale(answers.to_json(found), recorded)

    same = results.summary
    moved = [row | {"delta": 1.0} if row["task"] == "facts" else row for row in same]
    others = [row | {"delta": 1.0} if row["task"] == "order" else row for row in same]
    assert why(claim(check), same) == ""
    assert why(claim(check), others) == ""
    assert why(claim(check), moved) == "stale: answered from other rows"
    assert why(claim(check, note="said better"), same) == "stale: the claim was another"
    assert why(claim(check, id="two"), same) == "not in the report"


@dataclass(frozen=True)
class Demo:
    """The demo as git has it: its design, and the means and intervals that it concluded."""

    params: Params
    summary: list[Row]
    slopes: list[Row]
    contrasts: Sequence[Row] = ()


def demo(root: Path) -> Demo:
    """Rows from the committed conclusions, differences as if runs shared no example."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        params = design.load("demo")
    groups = {name.replace(f"-s{one.seed}", ""): one for name, one in params.transfer.items()}
    summary: list[Row] = []
    slopes: list[Row] = []
    for target, cells in read_json(root / paths.metrics_file("demo")).items():
        rows = []
        for group, cell in cells.items():
            names = ("method", "task", "source_language", "variant", "size")
            row: Row = {name: getattr(groups[group], name) for name in names}
            row |= {"target": target, "language": "zero-shot", "group": group, "seeds": 3, **cell}
            none = cells["none"]
            delta, half = cell["mean"] - none["mean"], float(np.hypot(_half(cell), _half(none)))
            row |= {"delta": delta, "delta_low": delta - half, "delta_high": delta + half}
            rows.append(row | {"expected": None})
        summary += rows
        scaled = [r for r in rows if r["task"] == "world_classes" and r["method"] == "single"]
        x = np.log10([row["size"] for row in scaled])
        weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
        slope = float(weights @ [row["mean"] for row in scaled])
        half = float(np.abs(weights) @ [_half(row) for row in scaled])
        series = {name: scaled[0][name] for name in ("method", "task", "source_language")}
        place = {"target": target, "language": "zero-shot", "variant": "", **series}
        slopes.append(place | {"slope": slope, "low": slope - half, "high": slope + half})
    return Demo(params, summary, slopes)


def _half(row: Row) -> float:
    return float(row["high"] - row["low"]) / 2


def test_the_demo_answers_as_it_must(root: Path) -> None:
    """True claims and false ones, by construction; the counted scores are not in git."""
    claims = entries.asked_of(entries.load(root / "claims.yaml"), "demo")
    study = demo(root)
    known = [one for one in claims if one.expect and one.check.error is None]
    assert {one.expect for one in known} == {"reproduced", "not reproduced"}
    assert [(one.id, answers.answer(one, study).verdict) for one in known] == [
        (one.id, one.expect) for one in known
    ]


votes = st.lists(st.sampled_from(["agrees", "contradicts", "open"]), min_size=1, max_size=5)
rules = st.sampled_from(["each", "most", "any"])


@given(votes, rules, st.integers(0, 3))
def test_a_verdict_stands_whatever_the_rest_would_say(
    said: Sequence[Says], rule: Rule, missing: int
) -> None:
    """Open and missing numbers, filled in any way, never turn a yes or a no."""
    verdict = judge(said, rule, missing)
    known = [one for one in said if one != "open"]
    ways = product(["agrees", "contradicts"], repeat=len(said) - len(known) + missing)
    filled = {judge([*known, *way], rule) for way in ways}
    assert filled <= {"reproduced", "not reproduced"}
    decided = len(filled) == 1
    assert (verdict in ("reproduced", "not reproduced")) == decided
    assert not decided or filled == {verdict}


numbers = st.floats(-100, 100).map(lambda value: round(value, 3))
halves = st.floats(0, 20).map(lambda value: round(value, 3))


@given(numbers, halves, numbers)
def test_above_and_below_are_opposites(value: float, half: float, bound: float) -> None:
    """What agrees with the one contradicts the other; what is open is so for both."""
    estimate = Estimate(value, value - half, value + half)
    of = {"of": {"task": "x"}}
    above = answers.says(estimate, Bounds.model_validate({**of, "above": bound}))
    below = answers.says(estimate, Bounds.model_validate({**of, "below": bound}))
    opposite = {"agrees": "contradicts", "contradicts": "agrees", "open": "open"}
    if bound not in (estimate.low, estimate.high):
        assert below == opposite[above]


@given(st.lists(st.tuples(numbers, halves), min_size=2, max_size=2))
def test_a_difference_is_turned_round_and_no_narrower(pair: list[tuple[float, float]]) -> None:
    """a - b is the mirror of b - a, and its interval is at least that of independent numbers."""
    one, other = ({"mean": v, "low": v - h, "high": v + h, "expected": None} for v, h in pair)
    there, back = evidence.contrast("score", one, other), evidence.contrast("score", other, one)
    assert there is not None
    assert back is not None
    low, high = there.low or 0.0, there.high or 0.0
    assert (-high, -low) == (back.low, back.high)
    independent = float(np.hypot(pair[0][1], pair[1][1]))
    assert (high - low) / 2 >= independent - 1e-5
