"""Published scores to compare with: `references.yaml`, read strictly.

Each entry says where it was read, and whether it was: `verified` in its source, `recalled` from
memory, or `derived` by arithmetic. The report marks all that is not verified. An entry also says
which setting of a study it is to be compared with, and what its numbers depend on besides the
system (signature.py). Run by the stage `report`, for studies that follow a published protocol.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from xstilts import tasks
from xstilts.benchmarks import protocols
from xstilts.benchmarks.aggregates import ALL, GROUP, SCORE, TASK
from xstilts.benchmarks.signature import SCORERS, Signature, published
from xstilts.core.errors import UserError
from xstilts.core.strict import Strict, load_yaml, parse
from xstilts.model.published import ENCODERS

FILE = Path("references.yaml")
MEND = "mend the entry"
Metric = Literal["score", "f1", "exact_match", "map"]  # map: over the whole ranking
Values = float | dict[Metric, float]


class SingleTask(Strict):
    """A setting of one intermediate task, on all of its rows."""

    task: str
    language: str


class Reference(Strict):
    """One system under one protocol from one source; all numbers 0-100, or points of difference."""

    system: str = Field(min_length=1)
    protocol: str
    split: Literal["validation", "test"]
    way: str = Field(min_length=1)  # zero-shot, translate-train ...
    status: Literal["verified", "recalled", "derived"]
    source: str = Field(min_length=3)
    url: str | None = Field(None, pattern=r"^https://")
    note: str = ""
    difference_to: str | None = None  # the system that the numbers are points above
    # The setting of a study that is the same experiment; None: the kit has none. With
    # `difference_to` it is that setting's score minus that of `none`.
    setting: Literal["none", "best"] | SingleTask | None = None
    encoder: str | None = None  # what the study must have begun with: one of model/published.py
    scorers: dict[str, str] = Field(default_factory=dict)  # task -> where it is not the usual one
    cautions: dict[str, str] = Field(default_factory=dict)  # task -> what to know when comparing
    scores: dict[str, Values] = Field(default_factory=dict)  # task -> over its languages
    languages: dict[str, dict[str, Values]] = Field(default_factory=dict)  # task -> language ->
    groups: dict[str, float] = Field(default_factory=dict)  # group of the protocol -> mean
    averages: dict[str, float] = Field(default_factory=dict)  # a mean that the protocol lacks ->
    overall: float | None = None

    @model_validator(mode="after")
    def sensible(self) -> Reference:
        """Where a number could be read, the place is linked; and numbers are percentages."""
        if self.url is None and self.status != "derived":
            raise ValueError("`url` is missing, which only what is derived may lack")
        if self.status == "derived" and not self.note:
            raise ValueError("`note` is missing, which says what this is derived from")
        if (self.setting is None) != (self.encoder is None):
            raise ValueError("`setting` and `encoder` go together: give both, or neither")
        if self.difference_to is not None and self.setting == "none":
            raise ValueError("`setting: none` is a score; leave `difference_to` out")
        low = 0.0 if self.difference_to is None else -100.0
        wrong = [score for score in flat(self) if not low <= score.value <= 100.0]
        if wrong:
            raise ValueError(f"{wrong[0].name}: {wrong[0].value} is not within {low:g} and 100")
        return self


@dataclass(frozen=True)
class Score:
    """One published number. `language` is "" where it is over all languages of the task."""

    level: str  # task | group | all | average
    name: str
    metric: str
    language: str
    value: float


def flat(reference: Reference) -> Iterator[Score]:
    """Every number of an entry."""
    for task, values in reference.scores.items():
        yield from _values(task, "", values)
    for task, by_language in reference.languages.items():
        for language, values in by_language.items():
            yield from _values(task, language, values)
    for name, value in reference.groups.items():
        yield Score(GROUP, name, SCORE, "", value)
    for name, value in reference.averages.items():
        yield Score("average", name, SCORE, "", value)
    if reference.overall is not None:
        yield Score(ALL, ALL, SCORE, "", reference.overall)


def _values(task: str, language: str, values: Values) -> Iterator[Score]:
    for metric, value in (values if isinstance(values, dict) else {SCORE: values}).items():
        yield Score(TASK, task, metric, language, value)


def score(reference: Reference, level: str, name: str) -> float | None:
    """A number comparable with the study's own, over all languages; of QA the mean of its two."""
    own = [
        one for one in flat(reference) if (one.level, one.name, one.language) == (level, name, "")
    ]
    found = {one.metric: one.value for one in own}
    if SCORE in found:
        return found[SCORE]
    if {"f1", "exact_match"} <= found.keys():
        return (found["f1"] + found["exact_match"]) / 2
    return None


def signatures(reference: Reference) -> dict[str, Signature]:
    """Task of the protocol -> the signature of the entry's score in it."""
    protocol = protocols.get(reference.protocol)
    return {
        task: published(protocol, task, reference.split, reference.scorers.get(task))
        for task in protocol.languages
    }


def load(path: Path = FILE) -> list[Reference]:
    """All entries, in the order of the file.

    Raises:
        UserError: no list; an unknown or missing key; a protocol, task, language or group that
            does not exist; an entry without a number; an entry that stands there twice. The message
            names the entry.
    """
    content = load_yaml(path, "it belongs to the repository: `git checkout` it")
    if not isinstance(content, list):
        raise UserError(f"{path} is no list of entries. Mend: begin each with `- system: ...`")
    entries = [_entry(value, f"{path}, entry {number}") for number, value in enumerate(content, 1)]
    bases = {(entry.system, entry.encoder) for entry in entries if entry.setting == "none"}
    for number, entry in enumerate(entries, 1):
        if entry in entries[: number - 1]:
            first = entries.index(entry) + 1
            raise UserError(
                f"{path}, entry {number} ({entry.system}) is entry {first} once more, and would be"
                " compared with twice. Mend: delete one"
            )
        compared = entry.setting is not None and entry.difference_to is not None
        if compared and (entry.difference_to, entry.encoder) not in bases:
            raise UserError(
                f"{path}, entry {number} ({entry.system}): it is the difference to"
                f" {entry.difference_to!r}, which has no entry with `setting: none` and encoder"
                f" {entry.encoder}. Mend: add it, or leave `setting` out"
            )
    return entries


def _entry(value: object, place: str) -> Reference:
    reference = parse(Reference, value, place, MEND)
    place += f" ({reference.system})"
    protocol = protocols.PROTOCOLS.get(reference.protocol)
    if protocol is None:
        known = ", ".join(protocols.PROTOCOLS)
        raise UserError(f"{place}: unknown protocol {reference.protocol!r}. Mend: one of {known}")
    found = list(flat(reference))
    if not found:
        raise UserError(f"{place} has no number. Mend: give `scores`, `groups` or `overall`")
    names = {TASK: protocol.languages, GROUP: protocol.groups}
    for one in found:
        if one.level in names:
            _known(one.name, names[one.level], f"{place}: {protocol.name} has no {one.level}")
        if one.language and one.language not in protocol.languages[one.name]:
            raise UserError(f"{place}: {one.name} has no language {one.language!r}. Mend: {MEND}")
    for task in (*reference.scorers, *reference.cautions):
        _known(task, protocol.languages, f"{place}: {protocol.name} has no task")
    for scorer in reference.scorers.values():
        _known(scorer, SCORERS, f"{place}: there is no scorer")
    if reference.encoder is not None:
        _known(reference.encoder, ENCODERS, f"{place}: there is no encoder")
    if isinstance(reference.setting, SingleTask):
        _check_setting(reference.setting, place)
    return reference


def _check_setting(setting: SingleTask, place: str) -> None:
    """See that a study can have such a setting."""
    _known(setting.task, tasks.NAMES, f"{place}: there is no task")
    known = tasks.load(setting.task).train_languages
    _known(setting.language, known, f"{place}: {setting.task} has no training rows in")


def _known(name: str, names: Collection[str], wrong: str) -> None:
    """Refuse a name that is none of `names`."""
    if name not in names:
        raise UserError(f"{wrong} {name!r}. Mend: use one of {', '.join(names)}")
