"""Comparison with published scores: the right setting, the right difference, and no wrong one.

Run: python -m pytest tests/benchmarks/test_comparison.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fake_study
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.benchmarks import aggregates, comparison, protocols, references, signature
from xstilts.benchmarks.comparison import Compared, Own
from xstilts.benchmarks.references import Reference
from xstilts.core.errors import UserError
from xstilts.model.published import ENCODERS
from xstilts.results.scores import Group, Row

STILTS = protocols.get("x-stilts")
SETTINGS = {
    "none": Group("none", "none", "none", 0),
    "best": Group("best", "best", "best", 0),
    "mnli-en-1000": Group("single", "mnli", "en", 1000),
    "mnli-en-392702": Group("single", "mnli", "en", 392_702),
    "mnli-en-392702-steps": Group("single", "mnli", "en", 392_702, "steps"),
}
ENTRY = {
    "system": "A", "protocol": "xtreme", "split": "test", "way": "zero-shot", "setting": "none",
    "encoder": "xlmr-large", "status": "verified", "source": "a paper",
    "url": "https://arxiv.org/abs/2005.13013",
}  # fmt: skip


def entry(**changes: Any) -> Reference:
    return Reference.model_validate(ENTRY | changes)


def ours(values: dict[str, float], encoder: str = "xlmr-large", **targets: dict[str, Any]) -> Own:
    """A study whose aggregates of a setting are all of one value."""
    lines = aggregates.lines(STILTS, {})
    index: dict[tuple[str, str, str, str], Row] = {
        (label, line.level, line.name, line.metric): {
            "group": label, "method": SETTINGS[label].method, "task": SETTINGS[label].task,
            "variant": SETTINGS[label].variant, "size": SETTINGS[label].size, "sd": 0.5, "seeds": 3,
            "source_language": SETTINGS[label].source_language, "value": value, "missing": "",
        }
        for label, value in values.items() for line in lines
    }  # fmt: skip
    made = {
        name: fake_study.Target(
            **(fake_study.official_target(STILTS, name) | targets.get(name, {}))
        )
        for name in STILTS.languages
    }
    scored = signature.of_study(STILTS, made)
    return Own(STILTS, ENCODERS[encoder].hub, scored, index)


def one(own: Own, reference: Reference) -> Compared:
    (found,) = comparison.compare(own, [reference])
    return found


def test_a_system_is_compared_with_the_setting_that_is_the_same_experiment() -> None:
    """XLM-R alone against ours alone, X-STILTs' best against our best."""
    own = ours({"none": 60.0, "best": 70.0})
    found = one(own, entry(scores={"xnli": 65.0}))
    assert (found.setting, found.ours, found.sd, found.difference) == ("none", 60.0, 0.5, -5.0)
    found = one(own, entry(scores={"xnli": 65.0}, setting="best"))
    assert (found.setting, found.ours, found.difference) == ("best", 70.0, 5.0)


def test_a_single_task_is_compared_on_all_of_its_rows_and_as_the_study_trains() -> None:
    """A published MNLI row is of 392,702 rows; our 1K is another experiment."""
    setting = {"task": "mnli", "language": "en"}
    published = entry(scores={"xnli": 65.0}, setting=setting)
    whole = {"none": 60.0, "mnli-en-1000": 61.0, "mnli-en-392702": 66.0}
    found = one(ours({**whole, "mnli-en-392702-steps": 1.0}), published)
    assert (found.setting, found.difference) == ("mnli-en-392702", 1.0)
    found = one(ours({"none": 60.0, "mnli-en-1000": 61.0}), published)
    assert (found.setting, found.difference) == ("", None)
    assert found.why == "the study has 1,000 of 392,702 rows of mnli"


def test_points_above_a_baseline_are_compared_with_points_above_none() -> None:
    """The abstract's +5.4 over XLM-R Large is our best minus our none."""
    published = entry(overall=5.4, setting="best", difference_to="XLM-R Large")
    found = one(ours({"none": 60.0, "best": 64.0}), published)
    assert (found.ours, found.difference) == (4.0, -1.4)
    assert one(ours({"best": 64.0}), published).difference is None


@pytest.mark.parametrize(
    ("changes", "encoder", "why"),
    [
        ({"setting": None, "encoder": None}, "xlmr-large", "no setting of a study is this system"),
        ({}, "xlmr-base", "the study did not begin with xlmr-large"),
        ({"setting": "best"}, "xlmr-large", "the study has no such setting"),
    ],
)
def test_a_system_without_a_counterpart_is_listed_alone(
    changes: dict[str, Any], encoder: str, why: str
) -> None:
    """The difference between two encoders would be read as a failed reproduction."""
    found = one(ours({"none": 60.0}, encoder), entry(scores={"xnli": 65.0}, **changes))
    assert (found.published, found.ours, found.difference, found.why) == (65.0, None, None, why)


def test_f1_alone_is_compared_with_f1() -> None:
    """The protocol's score of QA is the mean with exact match, which some sources leave out."""
    own = ours({"none": 60.0})
    found = one(own, entry(scores={"xquad": {"f1": 70.0}}))
    assert (found.metric, found.difference) == ("f1", -10.0)
    both = entry(scores={"xquad": {"f1": 70.0, "exact_match": 50.0}})
    names = [(found.metric, found.published) for found in comparison.compare(own, [both])]
    assert names == [("score", 60.0), ("f1", 70.0), ("exact_match", 50.0)]


@given(
    task=st.sampled_from(sorted(STILTS.languages)),
    scorer=st.none() | st.sampled_from(sorted(signature.SCORERS)),
    split=st.sampled_from(signature.EVALUATION),
    level=st.sampled_from(["task", "group", "all"]),
)
def test_there_is_a_difference_or_a_reason_and_never_one_between_two_measures(
    task: str, scorer: str | None, split: str, level: str
) -> None:
    """Whatever an entry says of a task shows in the task, its group and the whole."""
    group = next(name for name, tasks in STILTS.groups.items() if task in tasks)
    number = {"task": {"scores": {task: 65.0}}, "group": {"groups": {group: 65.0}}}
    published = entry(
        protocol="x-stilts", split=split, scorers={task: scorer} if scorer else {},
        **number.get(level, {"overall": 65.0}),
    )  # fmt: skip
    own = ours({"none": 60.0})
    found = one(own, published)
    theirs = references.signatures(published)
    members = aggregates.members(STILTS, level, found.name)
    same = all(theirs[name] == own.signatures[name] for name in members)
    assert (found.difference is not None) == same
    assert bool(found.unlike) != same
    assert found.difference is None or found.difference == -5.0


def test_another_benchmark_is_not_looked_at() -> None:
    """XTREME-R's XNLI beside XTREME's: one number more that looks like the same thing."""
    assert comparison.compare(ours({"none": 1.0}), [entry(protocol="xtreme-r", overall=9.0)]) == []


def test_marks_come_with_the_tasks_that_they_are_about() -> None:
    """UDPOS has other rows than the papers, and with it its group and the whole."""
    own = ours({"none": 60.0})
    published = entry(
        scores={"xnli": 1.0, "udpos": 1.0}, groups={"structured": 1.0}, overall=1.0,
        cautions={"xnli": "mind it"},
    )  # fmt: skip
    found = {row.name: row.caution for row in comparison.compare(own, [published])}
    assert found["xnli"] == "mind it"
    assert found["udpos"] == found["structured"] == STILTS.cautions["udpos"]
    assert found["all"] == f"{STILTS.cautions['udpos']} | mind it"


def test_scores_by_a_protocol_that_the_study_does_not_follow_are_refused() -> None:
    """A report made with the params of today over an aggregate of yesterday."""
    params = fake_study.large("xtreme", seeds=(1,))
    row = {"protocol": "x-stilts", "run": "", "group": "none", "level": "task", "name": "xnli"}
    with pytest.raises(UserError, match=r"scores of xnli by the protocol x-stilts.*Mend: "):
        comparison.own(params, STILTS, [row | {"metric": "score", "value": 50.0}])


def test_all_published_numbers_over_all_languages_come_back(root: Path) -> None:
    """What cannot be compared is listed apart, not lost; but for means that no protocol has."""
    entries = references.load(root / "references.yaml")
    found = comparison.compare(ours({"none": 60.0, "best": 70.0}), entries)
    for reference in entries:
        if protocols.get(reference.protocol).benchmark != "xtreme":
            continue
        own = [
            row for row in found if (row.system, row.source) == (reference.system, reference.source)
        ]
        for number in references.flat(reference):
            if not number.language and number.level != "average":
                key = (number.level, number.name, number.metric, number.value)
                assert key in {(row.level, row.name, row.metric, row.published) for row in own}
