"""Two finished studies against each other: stages, scores and machines. Pure; used by `verify`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from xstilts.commands.verify.finished import Conclusion, Scores, Stage
from xstilts.core import flow

Verdict = Literal["exact", "same conclusions", "different"]
Name = tuple[str, str]  # target, group
Answers = Mapping[str, tuple[str, str]]  # claim id -> hash of its entry, verdict


@dataclass(frozen=True)
class Cause:
    """Where two studies part: a stage and what of it differs.

    Attributes:
        stage: the first whose output differs though params and data are equal; where there is
            none, the first whose output differs.
        inputs: params and data that differ, as "name: there -> here"; empty in the first case.
        code: code files that differ.
        outs: outputs that differ.
    """

    stage: str
    inputs: tuple[str, ...]
    code: tuple[str, ...]
    outs: tuple[str, ...]


@dataclass(frozen=True)
class Stages:
    """How the stages of two studies compare; names are in the order of the flow."""

    equal: list[str]
    differing: list[str]
    only_here: list[str]
    only_there: list[str]
    cause: Cause | None

    @property
    def exact(self) -> bool:
        """Whether every output has the same bytes."""
        return not (self.differing or self.only_here or self.only_there)


@dataclass(frozen=True)
class Differences:
    """How the scores of two studies compare.

    Attributes:
        compared: number of scores on both sides.
        changed: (name, here, there) of scores that differ, the largest difference first.
        unlike: names that only one side has, or that count other examples.
    """

    compared: int
    changed: list[tuple[tuple[str, ...], float, float]]
    unlike: list[tuple[str, ...]]


@dataclass(frozen=True)
class Conclusions:
    """How what two studies conclude compares.

    Attributes:
        moved: (name, here, there, allowed) of every mean, the largest difference first; allowed is
            half the joint interval of the two.
        answers: effects compared: higher, lower or not told from no intermediate training.
        turned: names whose effect is another one.
        unlike: names that only one side has.
        claims: claims compared.
        claims_turned: (id, verdict here, verdict there) of claims that are answered otherwise.
    """

    moved: list[tuple[Name, float, float, float]]
    answers: int
    turned: list[Name]
    unlike: list[Name]
    claims: int
    claims_turned: list[tuple[str, str, str]]

    @property
    def beyond(self) -> list[Name]:
        """Means that differ by more than the joint interval of the two runs."""
        return [name for name, here, there, most in self.moved if abs(here - there) > most]

    @property
    def same(self) -> bool:
        """Whether a reader would conclude the same."""
        return not (self.beyond or self.turned or self.unlike or self.claims_turned)


def compare_stages(here: Mapping[str, Stage], there: Mapping[str, Stage]) -> Stages:
    """Compare the outputs of all stages, and name the first that parts."""
    both = _flow([name for name in here if name in there])
    differing = [name for name in both if here[name].outs != there[name].outs]
    return Stages(
        equal=[name for name in both if here[name].outs == there[name].outs],
        differing=differing,
        only_here=_flow([name for name in here if name not in there]),
        only_there=_flow([name for name in there if name not in here]),
        cause=_cause(here, there, differing),
    )


def _flow(names: list[str]) -> list[str]:
    """Names in the order of the flow, else as they came."""
    order = {word: number for number, word in enumerate(flow.WORDS)}
    return sorted(names, key=lambda name: order.get(name.partition("@")[0], len(order)))


def _cause(
    here: Mapping[str, Stage], there: Mapping[str, Stage], differing: list[str]
) -> Cause | None:
    causes = []
    for name in differing:
        mine, other = here[name], there[name]
        inputs = [
            f"{key}: {other_values.get(key, '(none)')} -> {values.get(key, '(none)')}"
            for values, other_values in ((mine.params, other.params), (mine.data, other.data))
            for key in changed(values, other_values)
        ]
        code, outs = changed(mine.code, other.code), changed(mine.outs, other.outs)
        causes.append(Cause(name, tuple(inputs), tuple(code), tuple(outs)))
    unexplained = [cause for cause in causes if not cause.inputs]
    return next(iter(unexplained or causes), None)


def changed(here: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """Names whose values differ, or that one side lacks; sorted."""
    return sorted(name for name in {*here, *there} if here.get(name) != there.get(name))


def compare_scores(here: Scores, there: Scores) -> Differences:
    """Compare score by score."""
    both = [name for name in here if name in there]
    found = [(name, here[name][0], there[name][0]) for name in both]
    return Differences(
        compared=len(both),
        changed=sorted(
            (one for one in found if one[1] != one[2]),
            key=lambda one: (-abs(one[1] - one[2]), one[0]),
        ),
        unlike=sorted({*here} ^ {*there}) + [n for n in both if here[n][1] != there[n][1]],
    )


def compare_conclusions(
    here: Mapping[Name, Conclusion],
    there: Mapping[Name, Conclusion],
    mine: Answers,
    theirs: Answers,
) -> Conclusions:
    """Compare mean by mean, effect by effect, and claim by claim.

    Args:
        mine, theirs: answers to claims here and there. One is compared where both sides answered
            it as it is worded now; the rows that it rests on are other ones, on another machine.
    """
    both = [name for name in here if name in there]
    moved = [
        (name, here[name].mean, there[name].mean, math.hypot(here[name].half, there[name].half))
        for name in both
    ]
    answered = [name for name in both if here[name].effect is not None]
    asked = [name for name in mine if name in theirs and mine[name][0] == theirs[name][0]]
    return Conclusions(
        moved=sorted(moved, key=lambda one: (-abs(one[1] - one[2]), one[0])),
        answers=len(answered),
        turned=[name for name in both if here[name].effect != there[name].effect],
        unlike=sorted({*here} ^ {*there}),
        claims=len(asked),
        claims_turned=[
            (name, mine[name][1], theirs[name][1])
            for name in asked
            if mine[name][1] != theirs[name][1]
        ],
    )


def judge(found: Stages, conclusions: Conclusions | None) -> Verdict:
    """The verdict; without conclusions to compare, bytes alone decide."""
    if found.exact:
        return "exact"
    if found.only_here or found.only_there or conclusions is None:
        return "different"
    return "same conclusions" if conclusions.same else "different"
