"""Which scored rows a training set holds: exactly, normalised, by id, or in their first text.

Two rows are compared in the most telling shape that both have; so rows of one kind are compared
whole, and rows of two kinds by the texts that mean the same in both:

    pair      text_a and text_b             classification, retrieval, mlm with a pair
    choices   context, question, choices    multiple_choice
    asked     document and question         span, ranking (training rows, which hold the document)
    question  the question alone            span, ranking
    text      one text                      tagging, mining, mlm (either text of a pair)

A span row and a ranking query, which has no document, are thus compared by their question. Kinds
without a common shape share a first text at most: a premise that is a sentence of the MLM text.
Candidates of a ranking are not scored, so they are not compared.

Texts are kept as hashes of 16 bytes: a row costs some 50 to 130 bytes, whatever its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xstilts import data, files
from xstilts.errors import UserError
from xstilts.statistics import HASH, Texts, digest, normalised
from xstilts.tasks.base import Row

Hashes = NDArray[np.bytes_]  # "S16"; a zero at the end is dropped alike in equal hashes
BATCH = 5000  # rows that are plain Python objects at a time
# Ids that mean the same row in every data set which holds them (SQuAD's and MLQA's hashes, TyDi
# QA's numbers), unlike a row's number in its file.
GLOBAL_ID = re.compile(r"[0-9a-f]{16}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)

OWN_MARKS = re.compile(r"(_[a-z]{2,3})?(#\d+)?$")  # LAReQA's language, our number of a repeat


def shapes(kind: str, row: Row) -> Iterator[tuple[str, Texts]]:
    """(shape, texts) of a row, the most telling first."""
    if kind == "span":
        yield "asked", (row["context"], row["question"])
        yield "question", (row["question"],)
    elif kind == "ranking":
        if row.get("positive_pair"):
            yield "asked", (row["positive_pair"], row["text"])
        yield "question", (row["text"],)
    elif kind == "multiple_choice":
        yield "choices", data.texts(row)
    elif kind in ("classification", "retrieval"):
        yield "pair", data.texts(row)
    elif kind == "mlm" and row.get("pair"):
        yield "pair", (row["text"], row["pair"])
        yield "text", (row["text"],)
        yield "text", (row["pair"],)
    else:
        yield "text", data.texts(row)


@dataclass
class Column:
    """Hashes of rows in one shape; `rows` are their numbers. Equal lengths."""

    rows: list[int] = field(default_factory=list)
    exact: list[bytes] = field(default_factory=list)
    normal: list[bytes] = field(default_factory=list)
    first: list[bytes] = field(default_factory=list)  # of the first text, normalised


@dataclass(frozen=True)
class Sheet:
    """Hashes of all rows of one file.

    Attributes:
        path: the file.
        size: its number of rows.
        columns: shape -> {"rows": numbers, "exact" | "normal" | "first": hashes}.
        ids: hashes of the ids that are global; `id_rows` are their rows' numbers.
    """

    path: Path
    size: int
    columns: dict[str, dict[str, Any]]
    ids: Hashes
    id_rows: NDArray[np.int64]


def read(path: Path) -> Sheet:
    """Hash the rows of a prepared file.

    Raises:
        UserError: the file is missing, corrupt, or of no known kind.
    """
    table = files.read_parquet(path)
    kind = kind_of(table.schema, path)
    columns: dict[str, Column] = {}
    ids: dict[int, bytes] = {}
    number = 0
    for batch in table.to_batches(max_chunksize=BATCH):
        for row in batch.to_pylist():
            _add(columns, kind, row, number)
            if GLOBAL_ID.search(row["id"]):
                ids[number] = digest([OWN_MARKS.sub("", row["id"]).lower()])
            number += 1
    packed = {
        shape: {
            "rows": np.array(column.rows, np.int64),
            "exact": _pack(column.exact),
            "normal": _pack(column.normal),
            "first": _pack(column.first),
        }
        for shape, column in columns.items()
    }
    return Sheet(path, number, packed, _pack(list(ids.values())), np.array([*ids], np.int64))


def _add(columns: dict[str, Column], kind: str, row: Row, number: int) -> None:
    """Put one row into the columns of its shapes."""
    for shape, texts in shapes(kind, row):
        column = columns.setdefault(shape, Column())
        normal = normalised(texts)
        column.rows.append(number)
        column.exact.append(digest(texts))
        column.normal.append(digest(normal))
        column.first.append(digest(normal[:1]))


def _pack(hashes: list[bytes]) -> Hashes:
    return np.array(hashes, dtype=f"S{HASH}")


def kind_of(schema: pa.Schema, path: Path) -> str:
    """The kind whose schema has these columns."""
    for kind, known in data.SCHEMAS.items():
        if set(known.names) == set(schema.names):
            return kind
    raise UserError(
        f"{path} has the columns {', '.join(schema.names)}, which are of no kind of rows. "
        "Mend: delete it and rerun `prepare`"
    )


class Seen:
    """All that a training set holds, sorted for look-up."""

    def __init__(self, sheets: list[Sheet]) -> None:
        self.size = sum(sheet.size for sheet in sheets)
        self.ids = _union([sheet.ids for sheet in sheets])
        names = dict.fromkeys(shape for sheet in sheets for shape in sheet.columns)
        self.columns = {
            shape: {
                name: _union([s.columns[shape][name] for s in sheets if shape in s.columns])
                for name in ("exact", "normal")
            }
            for shape in names
        }
        self.first = _union([column["first"] for s in sheets for column in s.columns.values()])

    def compare(self, scored: Sheet) -> dict[str, Any]:
        """Count scored rows found here: {"rows", "exact", "normalised", "same_id",
        "shared_first_text", "example": id of the first row found, or None}.

        `normalised` counts the exact ones too, and `shared_first_text` all that read alike.
        """
        common = [shape for shape in scored.columns if shape in self.columns]
        shape = next(iter(common or scored.columns), None)
        column = scored.columns[shape] if shape else {}
        none = np.array([], np.int64)
        first = normal = exact = none
        if shape:
            first = np.unique(column["rows"][_found(column["first"], self.first)])
        if common and len(first):  # equal rows have equal first texts
            seen = self.columns[common[0]]
            normal = np.unique(column["rows"][_found(column["normal"], seen["normal"])])
            exact = np.unique(column["rows"][_found(column["exact"], seen["exact"])])
        same = scored.id_rows[_found(scored.ids, self.ids)]
        hits = np.concatenate([exact, normal, same])
        return {
            "rows": scored.size,
            "exact": len(exact),
            "normalised": len(normal),
            "same_id": len(same),
            "shared_first_text": len(first),
            "example": _id(scored.path, int(hits[0])) if len(hits) else None,
        }


def _union(parts: list[Hashes]) -> Hashes:
    """Sorted, each once."""
    return np.unique(np.concatenate(parts)) if parts else _pack([])


def _found(values: Hashes, known: Hashes) -> NDArray[np.bool_]:
    """Which values occur among sorted ones."""
    if not len(known):
        return np.zeros(len(values), bool)
    places = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return np.asarray(known[places] == values)


def _id(path: Path, number: int) -> str:
    return str(files.read_parquet(path)["id"][number].as_py())
