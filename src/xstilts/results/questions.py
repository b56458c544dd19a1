"""What a study answers beyond its table: where a gain begins, what it depends on, whom it reaches.

Each answer is a contrast of samples (samples.py), so it has an interval for these languages, one
for languages like these, and a test, corrected by Holm within its question. Run by the stage
`aggregate`, which writes `questions.parquet`. The questions, by name:

first size             rows from which the zero-shot gain of a series is told from zero
slope difference       points per tenfold rows that one kind of series has beyond another, over the
                       sizes that both have: English and other languages as people write them,
                       native and machine-translated, matched by epochs and by steps
gain by family, script mean gain in the languages of one family or script
gain by distance       points of gain per unit of distance from the language that a target is
                       fine-tuned in, and from the language of the intermediate rows
transfer gap           source language less zero-shot mean; its change against `none` as well
chance-normalised gain gain in parts of the way from chance (0) to all right (100)
without collapsed runs gain if the runs that predict one class are left out
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from xstilts.results import inference
from xstilts.results.inference import SIGNIFICANT, Estimate, Part
from xstilts.results.samples import CONFIDENCE, Sample, average, combine
from xstilts.results.scores import ALL, BEST, ZERO_SHOT, Group, Row, group_order
from xstilts.results.summary import TargetResult, series, slope, tidy, tidy_p

SERIES = ("method", "task", "source_language", "variant")
Distance = Callable[[str, str], float | None]


@dataclass(frozen=True)
class Facts:
    """What questions must know of languages and of intermediate tasks."""

    family: Mapping[str, str] = field(default_factory=dict)  # language ->
    script: Mapping[str, str] = field(default_factory=dict)  # language ->
    distance: Distance = lambda source, language: None  # 0 to 1; None where none is known
    kind: Mapping[str, str] = field(default_factory=dict)  # task -> kind; a mix has none
    machine: frozenset[str] = frozenset()  # tasks whose rows are machine-translated


@dataclass(frozen=True)
class Answer:
    """One row of the table; `like` is the interval of languages like these."""

    question: str
    target: str
    subject: str  # setting or series
    other: str  # what it is compared with, or for whom: a series, a family, a distance
    value: float | None
    found: Estimate | None = None
    like: Estimate | None = None
    count: int = 0  # languages, series or runs that the answer is of

    def row(self, study: str) -> Row:
        """As the table has it, not yet corrected."""
        return {
            "study": study,
            "question": self.question,
            "target": self.target,
            "subject": self.subject,
            "other": self.other,
            "value": tidy(self.value),
            "low": tidy(self.found.low if self.found else None),
            "high": tidy(self.found.high if self.found else None),
            "like_low": tidy(self.like.low if self.like else None),
            "like_high": tidy(self.like.high if self.like else None),
            "count": self.count,
            "p": tidy_p(self.found.p if self.found else None),
            "p_holm": None,
        }


def rows(
    study: str,
    results: Sequence[TargetResult],
    summary: Sequence[Row],
    facts: Facts,
    confidence: float = CONFIDENCE,
) -> list[Row]:
    """All answers, in a fixed order.

    Args:
        results: the targets, and `all`.
        summary: the rows of the summary, with Holm's p.
    """
    answers = list(first_sizes(summary))
    for result in results:
        if ZERO_SHOT in result.cells:
            answers += slope_differences(result, facts, confidence)
            answers += by_language(result, facts, confidence)
            answers += transfer_gaps(result, confidence)
            answers += without_collapsed(result, confidence)
    answers += normalised(results, confidence)
    answers.sort(key=lambda one: QUESTIONS.index(one.question))
    table = [one.row(study) for one in answers]
    for question in QUESTIONS:
        asked = [row for row in table if row["question"] == question and row["p"] is not None]
        corrected = inference.holm([row["p"] for row in asked])
        for row, p in zip(asked, corrected, strict=True):
            row["p_holm"] = tidy_p(p)
    return table


QUESTIONS = (
    "first size",
    "slope difference",
    "gain by family",
    "gain by script",
    "gain by distance",
    "transfer gap",
    "change of transfer gap",
    "chance-normalised gain",
    "without collapsed runs",
)


def first_sizes(summary: Sequence[Row]) -> Iterator[Answer]:
    """The smallest size with a gain told from zero; `value` is null where there is none.

    `count` is the number of sizes from it on at which the gain is told, to be held against the
    sizes that the series has in `other`.
    """
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in summary:
        if row["language"] == ZERO_SHOT and row["size"] and row["delta"] is not None:
            key = tuple(row[name] for name in ("target", *SERIES))
            found.setdefault(key, []).append(row)
    for (target, *_), members in found.items():
        members.sort(key=lambda row: int(row["size"]))
        if len(members) < 2 or all(row["p_holm"] is None for row in members):
            continue
        told = [row for row in members if row["p_holm"] < SIGNIFICANT and row["delta"] > 0]
        sizes = ", ".join(str(row["size"]) for row in members)
        first = float(told[0]["size"]) if told else None
        yield Answer("first size", target, _series_name(members[0]), sizes, first, count=len(told))


def _series_name(row: Row) -> str:
    group = Group(row["method"], row["task"], row["source_language"], 0, row["variant"])
    return name_of(group)


def name_of(group: Group) -> str:
    """A series: its settings' label without the size."""
    return group.label.replace(f"-{group.size}", "", 1)


def slope_differences(result: TargetResult, facts: Facts, confidence: float) -> Iterator[Answer]:
    """Mean slope of the series on one side, less that of those on the other, kind by kind."""
    sample = result.cells[ZERO_SHOT]
    found = [members for members in series(sample) if len(members) > 1]
    for name, other, first, second in sides(found, facts):
        sizes = set.intersection(*({group.size for group in one} for one in (*first, *second)))
        if len(sizes) < 2:
            continue
        weights: dict[Group, float] = {}
        for side, sign in ((first, 1.0), (second, -1.0)):
            for members in side:
                kept = [group for group in members if group.size in sizes]
                for group, weight in slope(kept).items():
                    weights[group] = sign * weight / len(side)
        yield Answer(
            "slope difference",
            result.target.name,
            name,
            other,
            sample.value(weights),
            sample.contrast(weights, confidence),
            sample.contrast_languages(weights, confidence),
            len(first) + len(second),
        )


Series = list[Group]


def sides(
    found: Sequence[Series], facts: Facts
) -> Iterator[tuple[str, str, list[Series], list[Series]]]:
    """What is compared: (name, other name, series of the one side, of the other)."""
    single = [one for one in found if one[0].method == "single"]
    plain = [one for one in single if not one[0].variant and one[0].task in facts.kind]
    for kind in sorted({facts.kind[one[0].task] for one in plain}):
        mine = [one for one in plain if facts.kind[one[0].task] == kind]
        english = [one for one in mine if one[0].source_language == "en"]
        away = [one for one in mine if one[0].source_language != "en"]
        native = [one for one in away if one[0].task not in facts.machine]
        machine = [one for one in away if one[0].task in facts.machine]
        for first, second, name, other in (
            (english, native, "English", "native in other languages"),
            (native, machine, "native", "machine-translated"),
        ):
            if first and second:
                yield f"{name}, {kind}", other, first, second
    for one, two in combinations(single, 2):
        same = (one[0].task, one[0].source_language) == (two[0].task, two[0].source_language)
        if same and not one[0].variant:
            yield name_of(one[0]), two[0].variant, [one], [two]


def by_language(result: TargetResult, facts: Facts, confidence: float) -> Iterator[Answer]:
    """Gains by family, script and distance of the languages that a target was not trained in."""
    sample = result.cells[ZERO_SHOT]
    baseline = sample.baseline
    if baseline is None or result.target.name == ALL:
        return
    languages = {name: one for name, _, one in sample.languages}
    for what, table in (("family", facts.family), ("script", facts.script)):
        named: dict[str, list[str]] = {}
        for language in languages:
            named.setdefault(table.get(language, "unknown"), []).append(language)
        for name in sorted(named) if len(named) > 1 else []:
            part = average({language: languages[language] for language in named[name]})
            for group in _settings(sample):
                gain = {group: 1.0, baseline: -1.0}
                yield Answer(
                    f"gain by {what}",
                    result.target.name,
                    group.label,
                    name,
                    part.value(gain),
                    part.contrast(gain, confidence),
                    part.contrast_languages(gain, confidence),
                    len(named[name]),
                )
    for group in _settings(sample):
        origins = dict.fromkeys((result.target.source_language, group.source_language))
        for origin in origins:
            gain = {group: 1.0, baseline: -1.0}
            answer = _by_distance(languages, gain, origin, facts.distance, confidence)
            if answer:
                found, like, count = answer
                about = ("gain by distance", result.target.name, group.label, origin)
                yield Answer(*about, found.value, found, like, count)


def _by_distance(
    languages: Mapping[str, Sample],
    gain: Mapping[Group, float],
    origin: str,
    distance: Distance,
    confidence: float,
) -> tuple[Estimate, Estimate, int] | None:
    """Least squares of the languages' gains on their distance; None with fewer than three.

    Of languages like these: the scatter about the line, with K - 2 degrees of freedom.
    """
    known = {name: distance(origin, name) for name in languages}
    far = {name: value for name, value in known.items() if value is not None}
    x = np.array(list(far.values()))
    if len(far) < 3 or np.ptp(x) < 1e-6:
        return None
    x = x - x.mean()
    weights = x / (x @ x)
    sample = combine([languages[name] for name in far], weights.tolist())
    found = sample.contrast(gain, confidence)
    gains = np.array([languages[name].value(gain) for name in far])
    off = gains - gains.mean() - found.value * x
    scatter = Part(float(off @ off) / (len(far) - 2) / float(x @ x), len(far) - 2.0)
    like = sample.estimate(gain, [sample.parts(gain), [scatter]], confidence)
    return found, like, len(far)


def transfer_gaps(result: TargetResult, confidence: float) -> Iterator[Answer]:
    """Score in the language that a target is fine-tuned in, less its zero-shot mean."""
    source = result.cells.get(result.target.source_language)
    if source is None:
        return
    whole = result.cells[ZERO_SHOT]
    sample = combine([source, whole], [1.0, -1.0])
    baseline = sample.baseline
    for group in sorted(sample.settings, key=group_order):
        if group == BEST:
            continue
        gap = sample.contrast({group: 1.0}, confidence)
        count = len(whole.languages)
        name = result.target.name
        gap = replace(gap, p=None)  # whether there is a gap at all is no question
        yield Answer("transfer gap", name, group.label, "", gap.value, gap, count=count)
        if baseline is not None and group != baseline:
            found = sample.contrast({group: 1.0, baseline: -1.0}, confidence)
            change = "change of transfer gap"
            yield Answer(change, name, group.label, "none", found.value, found, count=count)


def normalised(results: Sequence[TargetResult], confidence: float) -> Iterator[Answer]:
    """Gains in percent of the way from chance to all right: targets become comparable."""
    scaled = {}
    for result in results:
        if ZERO_SHOT in result.cells and result.target.name != ALL:
            factor = 100.0 / (100.0 - result.target.chance)
            scaled[result.target.name] = combine([result.cells[ZERO_SHOT].closed()], [factor])
    if len(scaled) > 1:
        share = 1.0 / len(scaled)
        scaled[ALL] = combine(list(scaled.values()), [share] * len(scaled))
    for name, sample in scaled.items():
        baseline = sample.baseline
        if baseline is None:
            return
        for group in _settings(sample):
            gain = {group: 1.0, baseline: -1.0}
            yield Answer(
                "chance-normalised gain",
                name,
                group.label,
                "none",
                sample.value(gain),
                sample.contrast(gain, confidence),
                sample.contrast_languages(gain, confidence),
                len(sample.languages),
            )


def without_collapsed(result: TargetResult, confidence: float) -> Iterator[Answer]:
    """Gains of the settings that are touched, `none` among them; `count` runs were left out.

    A run is left out of a target where it predicts one class in any language. Beside the gain as
    it is: a training that collapses is a result, and leaving it out is a choice after the fact.
    """
    sample = result.cells[ZERO_SHOT]
    fallen = {run for run, count in zip(sample.runs, sample.collapsed, strict=True) if count}
    if not fallen:
        return
    kept = sample.without(fallen)
    baseline = kept.baseline
    for group in _settings(sample):
        left_out = sum(run[0] in (group, sample.baseline) for run in fallen)
        if not left_out:
            continue
        found = None
        if baseline is not None and group in kept.settings:
            found = kept.contrast({group: 1.0, baseline: -1.0}, confidence)
        value = None if found is None else found.value
        about = ("without collapsed runs", result.target.name, group.label, "none")
        yield Answer(*about, value, found, count=left_out)


def _settings(sample: Sample) -> list[Group]:
    """Settings that are compared with `none`, in the order of the summary."""
    ordered = sorted(sample.settings, key=group_order)
    return [group for group in ordered if not group.baseline and group != BEST]
