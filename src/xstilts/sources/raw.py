"""Raw files -> plain rows (dicts): parquet, JSON, JSON lines, separated values, SQuAD's JSON.

Files may be gzipped, or lie inside an archive. Data sets whose rows lie across several files are
put together in `joined`.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import IO, Any

import pyarrow.parquet as pq

from xstilts.core.errors import UserError
from xstilts.sources import archive
from xstilts.sources.archive import MEND
from xstilts.tasks.base import Row

FORMATS = {
    **{".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl"},
    **{".tsv": "tsv", ".csv": "csv", ".json": "json"},
}
PACKED = (".gz", ".tar", ".tgz", ".bz2", ".xz", ".zip")  # endings that say nothing of the format


@dataclass(frozen=True)
class Piece:
    """One raw file: on disk, or `member` of an archive on disk."""

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path}:{self.member}"

    @property
    def name(self) -> str:
        """Its own file name."""
        return self.path.name if self.member is None else PurePosixPath(self.member).name

    @property
    def format(self) -> str | None:
        """What its ending says, or where that says nothing the archive's: `train.jsonl.tar.gz`."""
        return _format(self.name) or _format(self.path.name)

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """A stream of its bytes, gzip seen through.

        Raises:
            UserError: it is missing, corrupt or not as expected; names it.
        """
        with self._stream() as stream, reading(self):
            packed = self.name.endswith(".gz")
            yield gzip.GzipFile(fileobj=stream) if packed else stream  # type: ignore[misc]

    def lines(self) -> Iterator[str]:
        """Its lines of UTF-8, which end with a line feed and nothing else.

        Raises:
            UserError: as `opened`; a line that is no UTF-8 is named by its number from 0.
        """
        place = _Place(self)
        with self.opened() as stream, reading(place):
            for line in stream:
                yield line.decode("utf-8")
                place.row += 1

    @contextmanager
    def _stream(self) -> Iterator[IO[bytes]]:
        if self.member is None:
            with reading(self), self.path.open("rb") as stream:
                yield stream
        else:
            with archive.member(self.path, self.member) as stream:
                yield stream


@dataclass
class _Place:
    """A row of a file, from 0; it moves on while the file is read."""

    piece: Piece
    row: int = 0

    def __str__(self) -> str:
        return f"{self.piece} row {self.row}"


@contextmanager
def reading(place: object) -> Iterator[None]:
    """Whatever a parser raises over somebody else's bytes becomes one line that names their place.

    Any exception, as no library says which ones damaged bytes may lead to; but for a permission
    that is missing, which is no fault of the bytes.
    """
    try:
        yield
    except (UserError, PermissionError):
        raise
    except FileNotFoundError as error:
        raise UserError(f"{place} is missing. {MEND}") from error
    except archive.DAMAGE as error:
        whole = place.piece if isinstance(place, _Place) else place
        raise UserError(f"{whole} is corrupt ({_line(error)}). {MEND}") from error
    except Exception as error:
        raise UserError(f"{place} is not as expected ({_line(error)}). {MEND}") from error


def pieces(path: Path, members: tuple[str, ...] = ()) -> list[Piece]:
    """A file as it is; of an archive the wanted members, or where none are named all its files.

    Args:
        members: paths in the archive; one with a `*` stands for all that it fits, sorted.

    Raises:
        UserError: the archive is missing, damaged or refused, or no file fits.
    """
    if not archive.is_archive(path):
        return [Piece(path)]
    if members and not any("*" in name for name in members):
        return [Piece(path, name) for name in members]
    present = archive.names(path)
    wanted = [name for pattern in members for name in _fitting(path, present, pattern)]
    return [Piece(path, name) for name in (wanted if members else present)]


def _fitting(path: Path, names: list[str], pattern: str) -> list[str]:
    """The names that a pattern fits, sorted."""
    found = sorted(name for name in names if fnmatchcase(name, pattern))
    if not found:
        raise UserError(f"{path} has no file {pattern}. {MEND}")
    return found


def read(piece: Piece | Path, parse: str) -> Iterator[Row]:
    """Rows of one raw file, in their order.

    Args:
        parse: how to read it; `hub` goes by the file's ending.

    Raises:
        UserError: the file is missing, corrupt, or of an unknown kind.
    """
    piece = Piece(piece) if isinstance(piece, Path) else piece
    reader = READERS.get(piece.format if parse == "hub" else parse)
    if reader is None:
        raise UserError(f"{piece}: files of this kind cannot be read. Mend: convert it to parquet")
    if not piece.path.exists():
        raise UserError(f"{piece.path} is missing. {MEND}")
    place = _Place(piece)
    # A whole document is parsed before its first row, so no row is at fault there.
    with piece.opened() as stream, reading(place if reader in BY_ROW else piece):
        for row in reader(stream):
            yield row
            place.row += 1


def count(path: Path) -> int | None:
    """Rows (SQuAD's JSON: questions) of a raw file; None where its ending tells of no rows.

    Raises:
        UserError: the file is corrupt or, as an archive, refused.
    """
    known = [piece for piece in pieces(path) if piece.format]
    return sum(map(_count, known)) if known else None


def _count(piece: Piece) -> int:
    if piece.format == "parquet" and piece.member is None:
        with piece.opened() as stream:
            return int(pq.read_metadata(stream).num_rows)
    if piece.format in ("tsv", "csv"):
        # Not by `read`: a file without a head line is counted too, one row short.
        place = _Place(piece)
        with piece.opened() as stream, reading(place):
            text = _text(stream)
            for _ in csv.reader(text, delimiter=_delimiter(next(text, ""))):
                place.row += 1
        return place.row
    return sum(1 for _ in read(piece, "hub"))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _format(name: str) -> str | None:
    """Kind of a file by its last ending that says one."""
    endings = [one for one in PurePosixPath(name.lower()).suffixes if one not in PACKED]
    return FORMATS.get(endings[-1]) if endings else None


def _parquet(stream: IO[bytes]) -> Iterator[Row]:
    seekable = stream if stream.seekable() else io.BytesIO(stream.read())
    with pq.ParquetFile(seekable) as file:
        for batch in file.iter_batches():
            try:
                yield from batch.to_pylist()
            except UnicodeDecodeError:  # one by one, so that the row at fault can be counted
                yield from (batch.slice(i, 1).to_pylist()[0] for i in range(batch.num_rows))


def _text(stream: IO[bytes]) -> Iterator[str]:
    """Lines, each decoded by itself: what is no UTF-8 is met at its own row and not before."""
    return (line.decode("utf-8") for line in stream)


def _jsonl(stream: IO[bytes]) -> Iterator[Row]:
    for line in _text(stream):
        if line.strip():
            yield _object(json.loads(line))


def _object(value: Any) -> Row:
    """A row must have names for its values."""
    if not isinstance(value, dict):
        raise ValueError(f"an object is expected, not {str(value)[:60]!r}")
    return value


def _delimiter(head: str) -> str:
    """What parts the columns, by the head line: some .csv files have tabs."""
    return "\t" if "\t" in head else ","


def _separated(stream: IO[bytes]) -> Iterator[Row]:
    csv.field_size_limit(sys.maxsize)
    text = _text(stream)
    head = next(text, "")
    if not head.strip():
        raise ValueError("there is no head line")
    delimiter = _delimiter(head)
    (columns,) = csv.reader([head], delimiter=delimiter, strict=True)
    for row in csv.DictReader(text, columns, delimiter=delimiter, strict=True):
        if None in row or None in row.values():
            raise ValueError(f"the row {str(row)[:60]} is cut short")
        yield row


def _json(stream: IO[bytes]) -> Iterator[Row]:
    """A document of SQuAD's form or a list of objects; else one object a line."""
    text = stream.read().decode("utf-8")
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise
        yield from (_object(json.loads(line)) for line in text.split("\n") if line.strip())
        return
    if isinstance(document, dict) and isinstance(document.get("data"), list):
        yield from _questions(document)
    else:
        yield from map(_object, document if isinstance(document, list) else [document])


def _squad_json(stream: IO[bytes]) -> Iterator[Row]:
    yield from _questions(json.loads(stream.read().decode("utf-8")))


def _questions(document: dict[str, Any]) -> Iterator[Row]:
    """Every question of a document of SQuAD's form, in the hub's columns."""
    for article in document["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                answers = question["answers"]
                yield {
                    "id": question["id"],
                    "title": article.get("title", ""),
                    "context": paragraph["context"],
                    "question": question["question"],
                    "answers": {
                        "text": [answer["text"] for answer in answers],
                        "answer_start": [answer["answer_start"] for answer in answers],
                    },
                }


def _tagged(stream: IO[bytes]) -> Iterator[Row]:
    """A sentence a line: tokens parted by spaces, a tab, as many tags parted by spaces."""
    for line in _text(stream):
        if line.strip():
            tokens, tags = line.strip().split("\t")
            yield {"tokens": tokens.split(), "tags": tags.split()}


def _panx(stream: IO[bytes]) -> Iterator[Row]:
    """A token a line, `en:token`, tab, tag by name (none: O); a blank line ends a sentence."""
    tokens: list[str] = []
    tags: list[str] = []
    for line in chain(_text(stream), [""]):
        if line.strip():
            first, *rest = line.rstrip("\r\n").split("\t")
            tokens.append(first.partition(":")[2])
            tags.append(rest[-1] if rest else "O")
        elif tokens:
            yield {"tokens": tokens, "ner_tags": tags}
            tokens, tags = [], []


READERS: dict[str | None, Callable[[IO[bytes]], Iterator[Row]]] = {
    "parquet": _parquet,
    "jsonl": _jsonl,
    "tsv": _separated,
    "csv": _separated,
    "json": _json,
    "squad_json": _squad_json,
    "tagged": _tagged,
    "panx": _panx,
}
BY_ROW = (_parquet, _jsonl, _separated, _tagged)  # these parse row by row
