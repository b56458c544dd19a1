"""What stands beside a study's own numbers: published scores, and rows that it has seen before.

`build` gives tables of the aggregates per protocol, their comparison with published ones
(comparisons.py) and one of all sources, `leak_tables` the one of training rows that are evaluation
rows. Called by `tables`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xstilts.benchmarks import comparison, protocols, references
from xstilts.benchmarks.aggregates import ALL, GROUP, SCORE, TASK
from xstilts.benchmarks.comparison import Own
from xstilts.benchmarks.references import Reference
from xstilts.report import comparisons
from xstilts.report.comparisons import MARKS, MARKS_TEXT
from xstilts.report.data import Results, setting_text, signed
from xstilts.report.table import Entry, Table

Column = tuple[str, str]  # level, name
LEAK_COUNTS = ("rows", "exact", "normalised", "same_id", "shared_first_text")
LEAK_HEADER = (
    "learnt from",
    "evaluated on",
    "language",
    "rows",
    "equal",
    "equal when normalised",
    "same id",
    "same first text",
    "allowed because",
)

_UNSAFE = re.compile(r"[^a-z0-9]+")  # in the name of a file that is typed into a paper


def build(results: Results) -> list[Table]:
    """Per protocol that the study follows: its aggregates, then these against published ones.

    Last a table of all published scores at hand. Tasks on validation rows have tables apart.

    Raises:
        UserError: the aggregate has scores by another protocol than the study's.
    """
    names = list(dict.fromkeys(row["protocol"] for row in results.benchmark))
    aggregates, compared = [], []
    for protocol in map(protocols.get, names):
        own = comparison.own(results.params, protocol, results.benchmark)
        for rows in sorted({one.rows for one in own.signatures.values()}):
            if columns := _columns(own, rows):
                aggregates.append(_benchmark(results, own, rows, columns))
        compared += comparisons.build(own, comparison.compare(own, results.references))
    references = [_references(results.references)] if names else []
    return [*aggregates, *compared, *references]


def _columns(own: Own, rows: str) -> list[Column]:
    """Tasks that have a score on these rows, the groups that touch them, the whole; or nothing."""
    scored = {
        name
        for (_, level, name, _), row in own.index.items()
        if level == TASK and row["value"] is not None and own.signatures[name].rows == rows
    }
    tasks = [task for task in own.protocol.languages if task in scored]
    groups = [name for name, members in own.protocol.groups.items() if scored & set(members)]
    found = [*((TASK, task) for task in tasks), *((GROUP, name) for name in groups)]
    return [*found, (ALL, ALL)] if found else []


def _benchmark(results: Results, own: Own, rows: str, columns: Sequence[Column]) -> Table:
    """Settings and the published systems that are scored as they are, by task, group and whole."""
    protocol = own.protocol
    index = {key[:3]: row for key, row in own.index.items() if key[3] == SCORE}
    lines = [
        [
            Entry(setting_text(group), head=True),
            *(_entry(index.get((group["group"], *column))) for column in columns),
        ]
        for group in results.groups
        if any((group["group"], *column) in index for column in columns)
    ]
    published = [
        [Entry(name, way, head=True), *cells]
        for name, way, cells in _published(results.references, own, columns)
    ]
    if published:
        lines += [[Entry("published scores", head=True), *(Entry("") for _ in columns)], *published]
    names = {ALL: "all"}
    plain = rows == "test"
    other = "" if plain else f"-{_UNSAFE.sub('-', rows).strip('-')}"
    return Table(
        f"benchmark-{protocol.name}{other}",
        f"{protocol.title}: the published aggregates{'' if plain else f', rows: {rows}'}",
        _caption(own, index),
        ["setting", *(names.get(name, name) for _, name in columns)],
        lines,
        [row for row in results.benchmark if row["protocol"] == protocol.name],
    )


def _entry(row: dict[str, Any] | None) -> Entry:
    """Mean over seeds and their deviation; what is missing is in the title."""
    if row is None or row["value"] is None:
        return Entry("–", title="" if row is None else f"missing: {row['missing']}")
    small = "" if row["sd"] is None else f"± {row['sd']:.1f}"
    return Entry(f"{row['value']:.1f}", small, title=f"{row['seeds']} seeds")


def _published(
    entries: Sequence[Reference], own: Own, columns: Sequence[Column]
) -> Iterator[tuple[str, str, list[Entry]]]:
    """System, way, and a score for each column; entries of one system and way share a row.

    A number that is scored otherwise than ours is left out; a table of its own has it.
    """
    merged: dict[tuple[str, str, str], dict[Column, Entry]] = {}
    # What was read in its source goes before what was recalled or derived, and the study's own
    # protocol before another of the same benchmark.
    order = list(MARKS)
    entries = sorted(
        entries, key=lambda one: (one.protocol != own.protocol.name, order.index(one.status))
    )
    for entry in entries:
        same = protocols.get(entry.protocol).benchmark == own.protocol.benchmark
        if not same or entry.difference_to is not None:
            continue
        cells = merged.setdefault((entry.system, entry.way, entry.protocol), {})
        for column in columns:
            value = references.score(entry, *column)
            if value is not None and not comparison.unlike(own, entry, *column):
                title = f"{entry.status}: {entry.source}"
                mark = MARKS[entry.status]
                cells.setdefault(column, Entry(f"{value:.1f}", "", mark, title=title))
    for (system, way, name), cells in merged.items():
        if cells:
            label = system if name == own.protocol.name else f"{system} ({name})"
            yield label, way, [cells.get(column, Entry("")) for column in columns]


def _caption(own: Own, index: Mapping[tuple[str, str, str], Mapping[str, Any]]) -> str:
    """How the numbers are made, and what is missing for the whole."""
    protocol = own.protocol
    text = (
        f"As {protocol.title} has it ({protocol.source}): a task's score is the mean over all"
        " languages of the official list, English too; of question answering it is the mean of F1"
        " and exact match; groups and “all” are means over tasks, and given only when whole. Mean"
        " ± standard deviation over seeds."
    )
    lacking = dict.fromkeys(
        row["missing"]
        for (_, level, _), row in index.items()
        if level == ALL and row["value"] is None
    )
    if lacking:
        text += f" Missing for the whole: {' | '.join(lacking)}."
    return text + (
        " Below the study's settings: published scores, where the same scorer gave them on the same"
        f" rows. {MARKS_TEXT}"
    )


def _references(entries: Sequence[Reference]) -> Table:
    """Every published number, with its source."""
    records = [
        {
            "system": entry.system,
            "protocol": entry.protocol,
            "split": entry.split,
            "way": entry.way,
            "level": one.level,
            "name": one.name,
            "metric": one.metric,
            "language": one.language,
            "value": one.value,
            "difference_to": entry.difference_to or "",
            "status": entry.status,
            "source": entry.source,
            "url": entry.url or "",
            "note": entry.note,
        }
        for entry in entries
        for one in references.flat(entry)
    ]
    rows = [
        [
            Entry(entry.system, head=True),
            Entry(entry.protocol),
            Entry(entry.way),
            Entry(entry.status + (f", {entry.split} rows" if entry.split != "test" else "")),
            Entry(_numbers(entry), ". ".join(t for t in (entry.source, entry.note) if t)),
        ]
        for entry in entries
    ]
    header = ("system", "protocol", "way", "status", "scores and source")
    caption = (
        f"{len(records)} numbers of {len(entries)} entries in references.yaml; the CSV has each of"
        " them, language by language where they were published so."
    )
    return Table("references", "Published scores and their sources", caption, header, rows, records)


def _numbers(entry: Reference) -> str:
    """Every number that is over all languages, in a line."""
    texts = [
        f"{one.name}{'' if one.metric == SCORE else f' {one.metric}'}"
        f" {one.value if entry.difference_to is None else signed(one.value)}"
        for one in references.flat(entry)
        if not one.language
    ]
    beyond = f", points above {entry.difference_to}" if entry.difference_to else ""
    return ", ".join(texts) + beyond


def leak_tables(results: Results) -> list[Table]:
    """The table, where the check was made."""
    if results.overlap is None:
        return []
    found = [("training", pair) for pair in results.overlap["pairs"]]
    found += [("selection", pair) for pair in results.overlap.get("selection", [])]
    records = [{"use": use, **pair} for use, pair in found]
    rows = [_leak_row(use, pair) for use, pair in found]
    return [Table("leaks", "Leaks", _leak_caption(results.overlap), LEAK_HEADER, rows, records)]


def _leak_row(use: str, pair: Mapping[str, Any]) -> list[Entry]:
    learnt = pair["training"] + (" (chooses)" if use == "selection" else "")
    return [
        Entry(learnt, head=True),
        Entry(pair["evaluation"]),
        Entry(pair["language"]),
        *(Entry(f"{pair[name]:,}" if pair[name] else "–") for name in LEAK_COUNTS),
        Entry(pair["allowed"] or "–"),
    ]


def _leak_caption(overlap: Mapping[str, Any]) -> str:
    """What was compared, and how to read the columns."""
    checked, found = overlap["checked"], len(overlap["pairs"]) + len(overlap.get("selection", []))
    text = f"{checked:,} pairs of training rows and evaluation rows were compared"
    if not found:
        return text + ", language by language; none has a row in common."
    return (
        text + f"; the {found} with anything in common are listed. “rows” are the evaluation rows;"
        " beside them how many of these occur among the rows that something is trained on, or that"
        " choose a model: equal, equal when case, punctuation and spaces do not count, under the"
        " same id, or with the same first text (premise, context) alone."
    )
