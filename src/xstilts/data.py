"""Prepared rows: their schema by kind, how raw rows become them, and what must hold for each.

Pure but for `read`, which opens raw files. Used by `prepare`; schemas are for all who read rows.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from xstilts.errors import UserError
from xstilts.sources import card, raw, url_path
from xstilts.tasks.base import Row, Split, Task

TEXT = pa.string()
NUMBER = pa.int32()
ANSWERS = pa.list_(pa.struct([("text", TEXT), ("start", NUMBER)]))
SCHEMAS: dict[str, pa.Schema] = {
    "classification": pa.schema(
        [("id", TEXT), ("text_a", TEXT), ("text_b", TEXT), ("label", NUMBER)]
    ),
    "multiple_choice": pa.schema(
        [
            ("id", TEXT),
            ("context", TEXT),
            ("question", TEXT),
            ("choices", pa.list_(TEXT)),
            ("label", NUMBER),
        ]
    ),
    "span": pa.schema([("id", TEXT), ("context", TEXT), ("question", TEXT), ("answers", ANSWERS)]),
    "tagging": pa.schema([("id", TEXT), ("tokens", pa.list_(TEXT)), ("tags", pa.list_(NUMBER))]),
    "retrieval": pa.schema([("id", TEXT), ("text_a", TEXT), ("text_b", TEXT)]),
    "mlm": pa.schema([("id", TEXT), ("text", TEXT), ("pair", TEXT)]),
}
# Texts that may not be empty; the others may (a choice task without a question, a single sentence).
NEEDED = {
    "classification": ("text_a",),
    "multiple_choice": ("context",),
    "span": ("context", "question"),
    "tagging": (),
    "retrieval": ("text_a", "text_b"),
    "mlm": ("text",),
}


@dataclass
class Rows:
    """Rows of one language's split, and what happened to them on the way.

    Attributes:
        dropped: source rows of this language that were left out (no label, no token).
        realigned: rows with an answer whose stated start was wrong and was moved to its text.
        renamed: ids that the source gives twice and that got a number behind them.
    """

    rows: list[Row] = field(default_factory=list)
    dropped: int = 0
    realigned: int = 0
    renamed: int = 0

    def table(self, kind: str) -> pa.Table:
        """The rows in the schema of their kind."""
        return pa.Table.from_pylist(self.rows, schema=SCHEMAS[kind])


def load_rows(task: Task, folder: Path, language: str, split: Split) -> list[Row]:
    """Valid rows of one language's split from a fetched folder; see `read`."""
    return read(task, folder, language, split).rows


def read(task: Task, folder: Path, language: str, split: Split) -> Rows:
    """Read, convert, align and check one language's split of a fetched folder.

    Raises:
        UserError: a file is missing or corrupt, or a row is not valid: names file and row.
    """
    out = Rows()
    seen: dict[str, int] = {}
    for path in raw_files(task, folder, language, split):
        for number, source in enumerate(raw.read(path, task.parse)):
            place = f"{path} row {number}"
            row = _convert(task, source, language, place)
            if row is None:
                out.dropped += _belongs(task, source, language, place)
                continue
            row = {"id": str(len(out.rows) + out.dropped), **row}
            if task.kind == "span":
                out.realigned += align(row, place) > 0
            check(row, task, place)
            out.renamed += _make_unique(row, seen)
            out.rows.append(row)
    return out


def raw_files(task: Task, folder: Path, language: str, split: Split) -> list[Path]:
    """The fetched files that hold one language's split, in reading order."""
    if split in task.urls:
        return [folder / url_path(url) for url in task.urls[split]]
    config, source_split = task.source(language, split)
    present = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
    facts = card.read_file(folder)
    names = card.resolve(facts, present, config, source_split, f"{folder} ({task.dataset})")
    return [folder / name for name in names]


def _belongs(task: Task, source: Row, language: str, place: str) -> bool:
    try:
        return task.belongs(source, language)
    except (KeyError, TypeError) as error:
        raise _misread(task, error, place) from error


def _convert(task: Task, source: Row, language: str, place: str) -> Row | None:
    """The task's own conversion; None also for rows of other languages."""
    if not _belongs(task, source, language, place):
        return None
    try:
        return task.convert(source, language)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise _misread(task, error, place) from error


def _misread(task: Task, error: Exception, place: str) -> UserError:
    return UserError(
        f"{place} is not as {task.name} expects ({type(error).__name__}: {error}). "
        "Mend: see that the source has the columns of the task's pinned revision"
    )


def _make_unique(row: Row, seen: dict[str, int]) -> bool:
    """Put `#2`, `#3` ... behind an id that came before; say whether that was needed."""
    name = row["id"]
    again = name in seen
    while row["id"] in seen:
        seen[name] += 1
        row["id"] = f"{name}#{seen[name]}"
    seen[row["id"]] = 1
    return again


def align(row: Row, place: str) -> int:
    """Move answers to their text where the stated start is wrong (in place); say how many.

    The hub's TyDi QA and XQuAD strip contexts and leave the starts as they were. The occurrence
    nearest to the stated start is taken.

    Raises:
        UserError: an answer does not occur in its context.
    """
    moved = 0
    for answer in row["answers"]:
        text, start = answer["text"], answer["start"]
        if row["context"][max(start, 0) :].startswith(text) and start >= 0:
            continue
        places = list(_occurrences(row["context"], text))
        if not places:
            raise UserError(
                f"{place}: the answer {text!r} does not occur in its context. Mend: the source"
            )
        answer["start"] = min(places, key=lambda one: (abs(one - start), one))
        moved += 1
    return moved


def _occurrences(context: str, text: str) -> Iterator[int]:
    """Where `text` starts in `context`, overlaps included; nowhere if it is empty."""
    start = context.find(text) if text else -1
    while start >= 0:
        yield start
        start = context.find(text, start + 1)


def check(row: Row, task: Task, place: str) -> None:
    """See that a row is one of its kind.

    Raises:
        UserError: an empty text, a label out of range, lists of unequal length.
    """
    wrong = _wrong(row, task)
    if wrong:
        raise UserError(f"{place} ({task.name} {row['id']}): {wrong}. Mend: the source")


def _wrong(row: Row, task: Task) -> str | None:
    """What is wrong with a row, if anything."""
    for name in NEEDED[task.kind]:
        if not _filled(row[name]):
            return f"{name} is empty"
    if task.kind == "classification" and not _in_range(row["label"], len(task.labels)):
        return f"label {row['label']!r} is not in 0..{len(task.labels) - 1}"
    if task.kind == "multiple_choice":
        if len(row["choices"]) < 2 or not all(map(_filled, row["choices"])):
            return "fewer than two choices, or an empty one"
        if not _in_range(row["label"], len(row["choices"])):
            return f"label {row['label']!r} is not in 0..{len(row['choices']) - 1}"
    if task.kind == "tagging":
        if not all(isinstance(token, str) for token in row["tokens"]):
            return "a token is no text"
        if len(row["tokens"]) != len(row["tags"] or ()):
            return f"{len(row['tokens'])} tokens but {len(row['tags'] or ())} tags"
        if not all(_in_range(tag, len(task.labels)) for tag in row["tags"]):
            return f"a tag is not in 0..{len(task.labels) - 1}"
    return None


def _filled(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())


def _in_range(label: object, count: int) -> bool:
    return isinstance(label, int) and 0 <= label < count


def texts(row: Row) -> tuple[str, ...]:
    """What a model reads of a row, label and answers left out."""
    if "tokens" in row:
        return (" ".join(row["tokens"]),)
    names = ("text_a", "text_b", "text", "pair", "context", "question")
    plain = tuple(row[name] for name in names if row.get(name))
    return plain + tuple(row.get("choices", ()))


class _Separators(dict[int, str]):
    """Code point -> a space for white space, punctuation and control signs; itself otherwise."""

    def __missing__(self, code: int) -> str:
        kind = unicodedata.category(chr(code))
        self[code] = " " if kind[0] in "PZC" else chr(code)
        return self[code]


_SEPARATORS = _Separators()


def normalise(text: str) -> str:
    """NFKC, lower case, runs of white space and punctuation as one space."""
    folded = unicodedata.normalize("NFKC", text).lower()
    return " ".join(folded.translate(_SEPARATORS).split())
