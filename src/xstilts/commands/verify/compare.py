"""Two finished studies against each other: stages, scores and machines. Pure; used by `verify`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from xstilts.commands.verify.finished import Scores, Stage
from xstilts.core import flow

Verdict = Literal["exact", "within tolerance", "diverged"]


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

    def beyond(self, tolerance: float) -> int:
        """Scores that differ by more than `tolerance` points."""
        return sum(abs(here - there) > tolerance for _, here, there in self.changed)


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


def judge(found: Stages, scores: Differences | None, tolerance: float) -> Verdict:
    """The verdict; without scores to compare, bytes alone decide."""
    if found.exact:
        return "exact"
    if found.only_here or found.only_there or scores is None or scores.unlike:
        return "diverged"
    return "diverged" if scores.beyond(tolerance) else "within tolerance"
