"""The numbers that a check asks for, out of the rows of a study, and what of them is missing.

A number has an interval (at `aggregate.confidence`) or none. Of zero-shot scores, differences of
two settings and means of several on one target have the interval that contrasts.parquet gives them.
Of single languages, and over several targets, they are made from the intervals of single rows: as
wide as if all errors pointed the worst way, hence too wide and never too narrow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean
from typing import Protocol

from xstilts.claims import languages
from xstilts.claims.entries import Bounds, Measure, Otherwise, Settings, Size
from xstilts.core.params import Params
from xstilts.results.contrasts import Contrasts
from xstilts.results.inference import log_size
from xstilts.results.scores import DECIMALS, ZERO_SHOT, Group, Row

COLUMNS: dict[Measure, tuple[str, str, str]] = {  # value, low, high
    "score": ("mean", "low", "high"),
    "error": ("mean", "low", "high"),
    "gain": ("delta", "delta_low", "delta_high"),
    "slope": ("slope", "low", "high"),
    "in_language": ("mean", "low", "high"),
}
Key = tuple[str, str | None, str | None, str]  # method, task, language, variant; None: any
Wanted = tuple[Key, Size]
Weights = dict[str, float]  # setting -> its weight in a number


class Study(Protocol):
    """What a claim is asked of; `report.data.Results` is one."""

    @property
    def params(self) -> Params:
        """The compiled design."""

    @property
    def summary(self) -> list[Row]:
        """Rows of summary.parquet."""

    @property
    def scores(self) -> list[Row]:
        """Rows of scores.parquet."""

    @property
    def slopes(self) -> list[Row]:
        """Rows of slopes.parquet."""

    @property
    def contrasts(self) -> Sequence[Row]:
        """Rows of contrasts.parquet."""


@dataclass(frozen=True)
class Estimate:
    """A number in points and its interval; without one `low` and `high` are None."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Number:
    """One number that a check asked for: of which setting, on which target."""

    name: str  # the setting; of a difference `plus minus other`
    target: str
    estimate: Estimate
    weights: Weights  # of settings' means in it; empty where these do not give its interval


@dataclass(frozen=True)
class Evidence:
    """All numbers of a check, how many are missing and for want of what, and the rows read."""

    numbers: list[Number]
    lacking: int
    missing: list[str]
    rows: list[Row]


def gather(study: Study, measure: Measure, bounds: Bounds) -> Evidence:
    """Every number that the check names: settings x targets, or pairs of settings x targets."""
    rows = [row for row in _rows(study, measure, bounds) if row["language"] == bounds.language]
    present = list(dict.fromkeys(_key(row) for row in rows))
    numbers: list[Number] = []
    read: list[Row] = []
    missing: list[str] = []
    for target, wanted in product(bounds.target, _wanted(bounds, present)):
        own = [row for row in rows if row["target"] == target]
        found = [_find(own, *one) for one in wanted]
        held = [row for row in found if row is not None]
        if not own:
            scored = target in study.params.targets
            missing.append(f"target {target}" + f" in {bounds.language}" * scored)
        elif len(held) < len(found):
            absent = [_text(one) for one, row in zip(wanted, found, strict=True) if row is None]
            missing.append(" and ".join(absent))
        elif len(held) == 2 and held[0] is held[1]:  # as "largest" is the size that is named
            missing.append(f"another setting than {_label(held[0])} to compare it with")
        elif (number := _number(study, measure, bounds, target, held)) is None:
            what = "a score that is expected" if measure == "error" else "runs of none"
            missing.append(f"{what} on {target}")
        else:
            read += held
            numbers.append(number)
    return Evidence(numbers, len(missing), list(dict.fromkeys(missing)), _once(read))


def _rows(study: Study, measure: Measure, bounds: Bounds) -> Sequence[Row]:
    """Where a measure is read."""
    if measure == "in_language":
        confidence = study.params.aggregate.confidence
        return languages.rows(study.scores, study.params.targets, bounds.language, confidence)
    return study.slopes if measure == "slope" else study.summary


def _wanted(bounds: Bounds, present: Sequence[Key]) -> Iterator[list[Wanted]]:
    """Each setting that is named; where a difference is asked for, with each of its partners."""
    for key in _expand(bounds.of, present):
        one = (key, bounds.of.size)
        if bounds.minus is None:
            yield [one]
        else:
            partner = _partner(bounds.of, key, bounds.minus)
            others = [(other, partner.size) for other in _expand(partner, present)]
            yield from ([one, other] for other in others if other != one)


def _partner(of: Settings, key: Key, otherwise: Otherwise) -> Settings:
    """The settings that one is compared with: its own names, but for those that are changed.

    A name that `minus` leaves open stays; one that nothing in the study has stays open.
    """
    method, task, language, variant = key
    own: dict[str, object] = {"method": method, "task": task, "language": language}
    own |= {"variant": variant, "size": of.size}
    changed = otherwise.model_dump(exclude_none=True)
    return Settings.model_validate({**own, **changed})


def _expand(wanted: Settings, present: Iterable[Key]) -> list[Key]:
    """Names that are given stand whether the study has them or not; open ones are what it has."""
    found: list[Key] = []
    tasks: Sequence[str | None] = wanted.task or (None,)
    languages: Sequence[str | None] = wanted.language or (None,)
    for names in product(wanted.method, tasks, languages, wanted.variant):
        fitting = [
            key
            for key in present
            if all(one in (None, own) for one, own in zip(names, key, strict=True))
        ]
        found += fitting or [names]
    return list(dict.fromkeys(found))


def _find(rows: Sequence[Row], key: Key, size: Size) -> Row | None:
    """The row of one setting; slopes have no size."""
    own = [row for row in rows if _key(row) == key and size in ("largest", row.get("size"))]
    return max(own, key=lambda row: row.get("size", 0), default=None)


def estimated(measure: Measure, row: Row) -> Estimate | None:
    """A row's number; None where the study has no baseline, or nothing is expected of it."""
    value, low, high = (row[name] for name in COLUMNS[measure])
    shift = row["expected"] if measure == "error" else 0.0
    if value is None or shift is None:
        return None
    bare = low is None or high is None
    return _tidy(value - shift, *((None, None) if bare else (low - shift, high - shift)))


def _number(
    study: Study, measure: Measure, bounds: Bounds, target: str, held: Sequence[Row]
) -> Number | None:
    """The number of one row or of the difference of two; None where a row has none."""
    estimate = contrast(measure, *held)
    if estimate is None:
        return None
    weights: Weights = {}
    kept = measure not in ("error", "in_language") and study.contrasts
    if bounds.language == ZERO_SHOT and kept:
        for sign, row in zip((1.0, -1.0), held, strict=False):
            for group, weight in _weights(measure, row).items():
                weights[group] = weights.get(group, 0.0) + sign * weight
    if len(held) > 1:
        estimate = exact(study, target, weights) or estimate
    return Number(" minus ".join(_label(row) for row in held), target, estimate, weights)


def _weights(measure: Measure, row: Row) -> Weights:
    """What a row's number is of settings' means."""
    if measure == "slope":
        names = ("method", "task", "source_language", "variant")
        series = {name: row[name] for name in names}
        groups = [Group(size=size, **series).label for size in row["sizes"]]
        return dict(zip(groups, log_size(row["sizes"]).tolist(), strict=True))
    return {row["group"]: 1.0} | ({"none": -1.0} if measure == "gain" else {})


def exact(study: Study, target: str, weights: Weights) -> Estimate | None:
    """The interval of a contrast on one target; None where the study does not keep it."""
    kept = Contrasts.of(study.contrasts, target) if weights else None
    if kept is None or not weights.keys() <= kept.places.keys():
        return None
    found = kept.estimate(weights, study.params.aggregate.confidence)
    return _tidy(found.value, found.low, found.high)


def contrast(measure: Measure, plus: Row, minus: Row | None = None) -> Estimate | None:
    """A row's number, or the difference of two settings on one target, wider than it need be.

    The sum of two half intervals is at least the half interval of the difference, however the two
    hang together (they share examples, seeds and for gains the baseline).
    """
    one = estimated(measure, plus)
    if minus is None or one is None:
        return one
    other = estimated(measure, minus)
    if other is None:
        return None
    value = one.value - other.value
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return _tidy(value, None, None)
    return _tidy(value, one.low - other.high, one.high - other.low)


def mean(study: Study, numbers: Sequence[Number]) -> Estimate:
    """Mean of numbers; of several targets also of their bounds: right if all errors are one."""
    if len(numbers) == 1:
        return numbers[0].estimate
    if len({number.target for number in numbers}) == 1 and all(one.weights for one in numbers):
        weights: Weights = {}
        for number in numbers:
            for group, weight in number.weights.items():
                weights[group] = weights.get(group, 0.0) + weight / len(numbers)
        found = exact(study, numbers[0].target, weights)
        if found is not None:
            return found
    estimates = [number.estimate for number in numbers]
    lows = [one.low for one in estimates if one.low is not None]
    highs = [one.high for one in estimates if one.high is not None]
    value = fmean(one.value for one in estimates)
    if not len(lows) == len(highs) == len(estimates):
        return _tidy(value, None, None)
    return _tidy(value, fmean(lows), fmean(highs))


def _tidy(value: float, low: float | None, high: float | None) -> Estimate:
    """Round away the noise of sums, so that equal work gives equal bytes."""
    low, high = (None if one is None else round(one, DECIMALS) + 0.0 for one in (low, high))
    return Estimate(round(value, DECIMALS) + 0.0, low, high)


def seeded(study: Study) -> bool:
    """Whether any setting has two seeds: without, nothing says how far training scatters."""
    return any(row["seeds"] > 1 for row in study.summary)


def _key(row: Row) -> Key:
    return row["method"], row["task"], row["source_language"], row["variant"]


def _label(row: Row) -> str:
    """The setting's name; of a slope that of the series."""
    if "group" in row:
        return str(row["group"])
    tail = [row["method"]] * (row["method"] != "single") + [row["variant"]] * bool(row["variant"])
    return "-".join([row["task"], row["source_language"], *tail])


def _text(wanted: Wanted) -> str:
    """A setting that is missing, as people say it."""
    (method, task, language, variant), size = wanted
    name = f"{task or 'any task'} ({language or 'any language'}"
    name += "" if size == "largest" else f", {size:,} rows"
    way = ", ".join(part for part in (method * (method != "single"), variant) if part)
    return f"{name}, {way})" if way else f"{name})"


def _once(rows: Sequence[Row]) -> list[Row]:
    """Each row once, in order."""
    return list({id(row): row for row in rows}.values())
