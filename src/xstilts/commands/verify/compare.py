"""Two finished studies against each other: stages, scores and machines. Pure; used by `verify`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from xstilts.commands.verify.finished import Conclusion, Effect, Number, Scores, Stage
from xstilts.core import flow
from xstilts.results.inference import SIGNIFICANT, half_width

Verdict = Literal["exact", "same conclusions", "different"]
Name = tuple[str, str]  # target, group
Answers = Mapping[str, tuple[str, str]]  # claim id -> hash of its entry, verdict
Move = tuple[Name, float, float, float]  # here, there, allowed
Turn = tuple[str, str, str]  # claim id, verdict here, verdict there
OPEN = "undecided"  # a verdict that contradicts none


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
        effects: effects compared: higher, lower or not told from no intermediate training.
        turned: names whose effect is the opposite one, or whose gains are told apart.
        told_once: names whose effect is told from none in one of the two only.
        untested: names whose effect is tested in one of the two only.
        unlike: names that only one side has.
        claims: claims compared.
        contradicted: claims that are reproduced in one of the two and not in the other.
        decided_once: claims that are undecided in one of the two only.
    """

    moved: list[Move]
    effects: int
    turned: list[Name]
    told_once: list[Name]
    untested: list[Name]
    unlike: list[Name]
    claims: int
    contradicted: list[Turn]
    decided_once: list[Turn]

    @property
    def beyond(self) -> list[Name]:
        """Means that differ by more than the joint interval of the two."""
        return [name for name, here, there, most in self.moved if abs(here - there) > most]

    @property
    def same(self) -> bool:
        """Whether nothing that one concludes speaks against the other."""
        return not (self.beyond or self.turned or self.unlike or self.contradicted)


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

    Every look at equal settings scatters by its seeds. So what differences are allowed holds for
    all means and gains together (Bonferroni): of twenty faithful looks one at the most has any
    outside. That a gain is told from none in one of two looks is no contradiction, but chance.

    Args:
        mine, theirs: answers to claims here and there. One is compared where both sides answered
            it as it is worded now; the rows that it rests on are other ones, on another machine.
    """
    both = [name for name in here if name in there]
    effects = {name: (here[name].effect, there[name].effect) for name in both}
    tested = {name: (one, other) for name, (one, other) in effects.items() if one and other}
    level = SIGNIFICANT / max(1, len(both) + len(tested))
    moved = [_move(name, here[name].mean, there[name].mean, level) for name in both]
    turned = [name for name, (one, other) in tested.items() if _turned(one, other, level)]
    apart = [name for name, (one, other) in tested.items() if one.sign != other.sign]
    asked = [name for name in mine if name in theirs and mine[name][0] == theirs[name][0]]
    otherwise = [(name, mine[name][1], theirs[name][1]) for name in asked]
    otherwise = [turn for turn in otherwise if turn[1] != turn[2]]
    return Conclusions(
        moved=sorted(moved, key=lambda one: (-abs(one[1] - one[2]), one[0])),
        effects=len(tested),
        turned=turned,
        told_once=[name for name in apart if name not in turned],
        untested=[name for name, pair in effects.items() if pair.count(None) == 1],
        unlike=sorted({*here} ^ {*there}),
        claims=len(asked),
        contradicted=[turn for turn in otherwise if OPEN not in turn],
        decided_once=[turn for turn in otherwise if OPEN in turn],
    )


def _move(name: Name, here: Number, there: Number, level: float) -> Move:
    return name, here.value, there.value, _allowed(here, there, level)


def _turned(here: Effect, there: Effect, level: float) -> bool:
    """Whether two effects are opposite, or their gains are told apart."""
    difference = abs(here.gain.value - there.gain.value)
    return here.sign * there.sign < 0 or difference > _allowed(here.gain, there.gain, level)


def _allowed(here: Number, there: Number, level: float) -> float:
    """By how much two may differ: half the interval of their difference.

    They count as independent. Looks at the same examples are nearer to each other than that.
    """
    return half_width([*here.parts, *there.parts], 1.0 - level)


def judge(found: Stages, conclusions: Conclusions | None) -> Verdict:
    """The verdict; without conclusions to compare, bytes alone decide."""
    if found.exact:
        return "exact"
    if found.only_here or found.only_there or conclusions is None:
        return "different"
    return "same conclusions" if conclusions.same else "different"
