"""Raw rows -> valid rows of one language's split, and where the raw ones are.

Used by `prepare`. Reads files through `sources`; what must hold for a row is in `valid`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from xstilts.core.errors import UserError
from xstilts.kinds.spec import KINDS
from xstilts.rows import valid
from xstilts.sources import card, joined, raw
from xstilts.sources.places import url_path
from xstilts.tasks.base import Row, Split, Task

# What a row leads to that lacks a column, or has another type in it than its task expects.
UNLIKE = (AttributeError, KeyError, TypeError, ValueError, IndexError)


@dataclass
class Rows:
    """Rows of one language's split, and what happened to them on the way.

    Attributes:
        dropped: source rows of this language that were left out (no label, no token).
        unmatched: rows left out as no answer of theirs occurs in the context (translated QA).
        elsewhere: rows of the same files that belong to other languages.
        realigned: rows with an answer whose stated start was wrong and was moved to its text.
        renamed: ids that the source gives twice and that got a number behind them.
    """

    rows: list[Row] = field(default_factory=list)
    dropped: int = 0
    unmatched: int = 0
    elsewhere: int = 0
    realigned: int = 0
    renamed: int = 0

    def table(self, kind: str) -> pa.Table:
        """The rows in the schema of their kind."""
        return pa.Table.from_pylist(self.rows, schema=KINDS[kind].schema)


def labelled(task: Task, folder: Path) -> Task:
    """The task with the labels that only its data tells; most tasks name them themselves."""
    return replace(task, labels=task.labels_from(folder)) if task.labels_from else task


def read_split(task: Task, folder: Path, language: str, split: Split) -> Rows:
    """Read, convert, align and check one language's split of a fetched folder.

    Raises:
        UserError: a file is missing or corrupt, or a row is not valid: names file and row.
    """
    task = labelled(task, folder)
    out = Rows()
    seen: dict[str, int] = {}
    named = {label: number for number, label in enumerate(task.labels)} if task.labels_from else {}
    for place, source in _sources(task, folder, language, split):
        if task.limit is not None and len(out.rows) >= task.limit:
            break
        try:
            row = _valid(task, source, (language, split), place, out, named)
        except UNLIKE as error:
            raise _misread(task, error, place) from error
        if row is None:
            continue
        if KINDS[task.kind].by_id and row["id"] in seen:
            raise UserError(f"{place}: the id {row['id']!r} comes twice. {valid.MEND}")
        out.renamed += valid.make_unique(row, seen)
        out.rows.append(row)
    return out


def _valid(
    task: Task,
    source: Row,
    whose: tuple[str, Split],
    place: str,
    out: Rows,
    named: dict[str, int],
) -> Row | None:
    """A valid row, or None for one that `out` counts as left out."""
    language, split = whose
    if not task.belongs(source, language):
        out.elsewhere += 1
        return None
    row = task.convert(source, language)
    if row is None:
        out.dropped += 1
        return None
    row = {"id": str(len(out.rows) + out.dropped + out.unmatched), **row}
    columns = KINDS[task.kind].columns
    if "answers" in columns and not _aligned(out, row, task, place):
        return None
    if "tags" in columns and named:
        valid.number_tags(row, named, place)
    valid.check(row, task, place, split)
    return row


def _aligned(out: Rows, row: Row, task: Task, place: str) -> bool:
    """Move its answers to their text; say whether the row is kept."""
    answered = bool(row["answers"])
    out.realigned += valid.align(row, place, task.strict_answers) > 0
    lost = answered and not row["answers"]
    out.unmatched += lost
    return not lost


def _sources(task: Task, folder: Path, language: str, split: Split) -> Iterator[tuple[str, Row]]:
    """(where it stands, source row) of the files that hold one language's split."""
    files = raw_pieces(task, folder, language, split)
    parse = task.parse if task.place or _linked(task, folder, language, split) else "hub"
    if parse in joined.READERS:
        for number, row in enumerate(joined.read(parse, files, language, split)):
            yield f"{folder} {task.name}.{language}.{split} row {number}", row
        return
    for piece in files:
        for number, row in enumerate(raw.read(piece, parse)):
            yield f"{piece} row {number}", row


def _linked(task: Task, folder: Path, language: str, split: Split) -> bool:
    """Whether a split was fetched by its URLs, and not in the hub's layout."""
    paths = [folder / url_path(url) for url in task.addresses(language, split)]
    return bool(paths) and (split not in task.splits or paths[0].exists())


def raw_files(task: Task, folder: Path, language: str, split: Split) -> list[Path]:
    """The fetched files that hold one language's split, in reading order; archives as they are."""
    if task.place:
        return [folder / name for name in task.inside(language, split)]
    if _linked(task, folder, language, split):
        return [folder / url_path(url) for url in task.addresses(language, split)]
    config, source_split = task.source(language, split)
    present = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
    facts = card.read_file(folder)
    names = card.resolve(facts, present, config, source_split, f"{folder} ({task.dataset})")
    return [folder / name for name in names]


def raw_pieces(task: Task, folder: Path, language: str, split: Split) -> list[raw.Piece]:
    """As `raw_files`, with the wanted files inside of archives (all where the task names none)."""
    inside = task.inside(language, split) if _linked(task, folder, language, split) else ()
    files = raw_files(task, folder, language, split)
    return [piece for path in files for piece in raw.pieces(path, inside)]


def _misread(task: Task, error: Exception, place: str) -> UserError:
    return UserError(
        f"{place} is not as {task.name} expects ({type(error).__name__}: {error}). "
        "Mend: see that the source has the columns of the task's pinned revision"
    )
