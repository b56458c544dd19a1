"""Raw files -> plain rows (dicts): parquet, JSON lines, tab- or comma-separated, SQuAD's JSON."""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from xstilts.errors import UserError
from xstilts.tasks.base import Row

MEND = "Mend: delete its folder and run `fetch` again, or mend the source"


def read(path: Path, parse: str) -> Iterator[Row]:
    """Rows of one raw file, in their order.

    Args:
        parse: how to read it; `hub` goes by the file's ending.

    Raises:
        UserError: the file is missing, corrupt, or of an unknown kind.
    """
    reader = READERS.get(_format(path) if parse == "hub" else parse)
    if reader is None:
        raise UserError(f"{path}: files of this kind cannot be read. Mend: convert it to parquet")
    try:
        yield from reader(path)
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing. {MEND}") from error
    except (pa.ArrowException, OSError, EOFError) as error:
        raise UserError(f"{path} is corrupt ({_line(error)}). {MEND}") from error
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise UserError(f"{path} is not as expected ({_line(error)}). {MEND}") from error


def count(path: Path) -> int | None:
    """Rows (SQuAD's JSON: questions) of a raw file; None for cards and other text.

    Raises:
        UserError: the file is corrupt.
    """
    form = _format(path)
    if form == "parquet":
        try:
            return int(pq.read_metadata(path).num_rows)
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{path} is corrupt ({_line(error)}). {MEND}") from error
    if form == "tsv" or form == "csv":
        with _text(path) as stream:
            return max(sum(1 for _ in csv.reader(stream, delimiter=_delimiter(path))) - 1, 0)
    return None if form is None else sum(1 for _ in read(path, form))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _format(path: Path) -> str | None:
    """Kind of a file by its ending (`.gz` aside); a whole JSON document is SQuAD's."""
    endings = [ending for ending in path.suffixes if ending != ".gz"]
    kinds = {".parquet": "parquet", ".jsonl": "jsonl", ".tsv": "tsv", ".csv": "csv"}
    return {**kinds, ".json": "squad_json"}.get(endings[-1] if endings else "")


def _text(path: Path) -> IO[str]:
    """Open a text file, gzipped or not, as UTF-8 with line ends as they are."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _parquet(path: Path) -> Iterator[Row]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            yield from batch.to_pylist()


def _jsonl(path: Path) -> Iterator[Row]:
    with _text(path) as stream:
        for line in stream:
            if line.strip():
                yield json.loads(line)


def _delimiter(path: Path) -> str:
    """What parts the columns, by the head line: some .csv files have tabs."""
    with _text(path) as stream:
        return "\t" if "\t" in stream.readline() else ","


def _separated(path: Path) -> Iterator[Row]:
    csv.field_size_limit(sys.maxsize)
    with _text(path) as stream:
        for row in csv.DictReader(stream, delimiter=_delimiter(path), strict=True):
            if None in row or None in row.values():
                raise ValueError(f"the row {str(row)[:60]} is cut short")
            yield row


def _squad_json(path: Path) -> Iterator[Row]:
    with _text(path) as stream:
        document: dict[str, Any] = json.load(stream)
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


READERS: dict[str | None, Callable[[Path], Iterator[Row]]] = {
    "parquet": _parquet,
    "jsonl": _jsonl,
    "tsv": _separated,
    "csv": _separated,
    "squad_json": _squad_json,
}
