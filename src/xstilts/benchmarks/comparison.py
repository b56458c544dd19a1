"""A study's own aggregates against published ones: which setting, what is comparable, how far off.

An entry of references.yaml names its setting and encoder; `compare` finds the study's score of that
setting for each of the entry's tasks, groups and whole. A number whose signature differs from ours
(signature.py) is never compared: it comes back with `unlike`, and tables list it apart. Called by
the report.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from xstilts import tasks
from xstilts.benchmarks import protocols, references, signature
from xstilts.benchmarks.aggregates import ALL, GROUP, SCORE, TASK, members
from xstilts.benchmarks.protocols import Protocol
from xstilts.benchmarks.references import Reference, SingleTask
from xstilts.benchmarks.signature import Signature
from xstilts.core.errors import UserError
from xstilts.core.params import Params
from xstilts.model.published import ENCODERS
from xstilts.results.scores import Row

LEVELS = (TASK, GROUP, ALL)
WHOLE = 0.99  # of a task's published rows: preparing leaves out those that are broken
ABSENT = "the study has no such setting"
Index = Mapping[tuple[str, str, str, str], Row]  # setting, level, name, metric -> row


@dataclass(frozen=True)
class Compared:
    """One published number and ours; the fields are the columns of the CSV.

    Attributes:
        status: verified | recalled | derived.
        level: task | group | all.
        metric: score | f1 | exact_match ...
        published: 0-100, or points of difference to `difference_to`.
        setting: label of our setting, or "" where there is none to compare with.
        ours: the same of ours, mean over `seeds` runs; None where `why` or `unlike` says why.
        sd: over the runs of the setting; None of fewer than two, and of a difference.
        difference: ours minus published, in points.
        why: why there is no difference though the numbers are of one kind; "" where there is one.
        unlike: what the two numbers are made of differently; then there is no difference.
        caution: what to know when comparing, sentences joined by ` | `; "" if nothing.
    """

    protocol: str
    system: str
    way: str
    status: str
    level: str
    name: str
    metric: str
    published: float
    difference_to: str
    setting: str
    ours: float | None
    sd: float | None
    seeds: int | None
    difference: float | None
    why: str
    unlike: str
    caution: str
    source: str
    url: str
    note: str


@dataclass(frozen=True)
class Own:
    """A study's own scores by one protocol.

    Attributes:
        signatures: of the tasks that the study scores by this protocol.
        index: the rows of settings of benchmark.parquet, over their runs.
    """

    protocol: Protocol
    encoder: str | None
    signatures: Mapping[str, Signature]
    index: Index


def own(params: Params, protocol: Protocol, rows: Sequence[Row]) -> Own:
    """What of a study is to be compared.

    Args:
        rows: of benchmark.parquet.

    Raises:
        UserError: tasks were scored by this protocol that the study scores by another, or not.
    """
    index = {
        (row["group"], row["level"], row["name"], row["metric"]): row
        for row in rows
        if row["protocol"] == protocol.name and not row["run"]
    }
    # Where no part of the params says what was begun with, nothing can be told to be the same.
    encoder = params.pretrain.model if params.pretrain else None
    signatures = signature.of_study(protocol, params.targets)
    scored = {
        row["name"] for row in index.values() if row["level"] == TASK and row["value"] is not None
    }
    if strange := sorted(scored - signatures.keys()):
        raise UserError(
            f"the aggregate of {params.study} has scores of {', '.join(strange)} by the protocol"
            f" {protocol.name}, by which the study does not score them."
            " Mend: `xstilts study use` the study again and `dvc repro`"
        )
    return Own(protocol, encoder, signatures, index)


def compare(ours: Own, entries: Sequence[Reference]) -> list[Compared]:
    """Every number of the protocol's benchmark over all languages, in the order of the entries.

    Only of tasks that the study scores, groups that touch one, and the whole.
    """
    return [
        _compared(ours, entry, *number)
        for entry in entries
        if protocols.get(entry.protocol).benchmark == ours.protocol.benchmark
        for number in _numbers(entry)
        if ours.signatures.keys() & set(members(ours.protocol, number[0], number[1]))
    ]


def _numbers(entry: Reference) -> Iterator[tuple[str, str, str, float]]:
    """Level, name, metric, value; QA with F1 and exact match has their mean before the two."""
    seen = set()
    for one in references.flat(entry):
        if one.level not in LEVELS or one.language:
            continue
        joined = references.score(entry, one.level, one.name)
        if joined is not None and (one.level, one.name) not in seen:
            yield one.level, one.name, SCORE, joined
        seen.add((one.level, one.name))
        if one.metric != SCORE:
            yield one.level, one.name, one.metric, one.value


def unlike(ours: Own, entry: Reference, level: str, name: str) -> str:
    """What sets a published number apart from ours, in words; "" where they are of one kind.

    `xnli, mlqa: rows validation, not test`.
    """
    theirs = references.signatures(entry)
    found: dict[str, list[str]] = {}
    for task in members(ours.protocol, level, name):
        if task in ours.signatures:
            found.setdefault(theirs[task].unlike(ours.signatures[task]), []).append(task)
    return " | ".join(f"{', '.join(names)}: {words}" for words, names in found.items() if words)


def caution(protocol: Protocol, entry: Reference, level: str, name: str) -> str:
    """What is to be known of the tasks of a number."""
    said = (protocol.cautions, entry.cautions)
    parts = members(protocol, level, name)
    return " | ".join(known[task] for known in said for task in parts if task in known)


def _compared(
    ours: Own, entry: Reference, level: str, name: str, metric: str, published: float
) -> Compared:
    differs = unlike(ours, entry, level, name)
    label, why = _setting(ours, entry)
    row = ours.index.get((label, level, name, metric)) if label and not differs else None
    base = ours.index.get(("none", level, name, metric)) if entry.difference_to else None
    value, lacking = _value(row, base, entry.difference_to is not None)
    why = "" if differs or value is not None else why or lacking
    return Compared(
        protocol=entry.protocol,
        system=entry.system,
        way=entry.way,
        status=entry.status,
        level=level,
        name=name,
        metric=metric,
        published=published,
        difference_to=entry.difference_to or "",
        setting=label,
        ours=value,
        sd=None if row is None or value is None or entry.difference_to else row["sd"],
        seeds=None if row is None or value is None else row["seeds"],
        difference=None if value is None else round(value - published, 6),
        why=why,
        unlike=differs,
        caution=caution(ours.protocol, entry, level, name),
        source=entry.source,
        url=entry.url or "",
        note=entry.note,
    )


def _value(row: Row | None, base: Row | None, minus: bool) -> tuple[float | None, str]:
    """Our score, or where a difference is published that above `none`; or what it lacks."""
    for one in (row, base) if minus else (row,):
        if one is None:
            return None, "not in the study"
        if one["value"] is None:
            return None, f"missing: {one['missing']}"
    assert row is not None
    return row["value"] - (base["value"] if minus and base is not None else 0.0), ""


def _setting(ours: Own, entry: Reference) -> tuple[str, str]:
    """Label of the setting that is an entry's counterpart; or "" and why there is none."""
    if entry.setting is None or entry.encoder is None:
        return "", "no setting of a study is this system"
    if ours.encoder != ENCODERS[entry.encoder].hub:
        return "", f"the study did not begin with {entry.encoder}"
    if isinstance(entry.setting, SingleTask):
        return _single(ours, entry.setting)
    known = {group for group, *_ in ours.index}
    return (entry.setting, "") if entry.setting in known else ("", ABSENT)


def _single(ours: Own, setting: SingleTask) -> tuple[str, str]:
    """The setting with all rows of a task, trained as the study trains."""
    found = [
        row
        for row in ours.index.values()
        if (row["method"], row["variant"]) == ("single", "")
        and (row["task"], row["source_language"]) == (setting.task, setting.language)
    ]
    if not found:
        return "", ABSENT
    largest = max(found, key=lambda row: int(row["size"]))
    size, whole = largest["size"], tasks.load(setting.task).train_rows.get(setting.language, 0)
    if size < WHOLE * whole:
        return "", f"the study has {size:,} of {whole:,} rows of {setting.task}"
    return str(largest["group"]), ""
