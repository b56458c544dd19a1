"""Which scored rows a training set holds: exactly, normalised, by id, or in their first text.

Two rows are compared in the most telling shape that both have; so rows of one kind are compared
whole, and rows of two kinds by the texts that mean the same in both (kinds/spec.py says which):

    pair      two texts                     classification, retrieval, mlm with a pair
    choices   context, question, choices    multiple_choice
    asked     document and question         span, ranking (training rows, which hold the document)
    question  the question alone            span, ranking
    text      one text                      tagging, mining, mlm (either text of a pair)

A span row and a ranking query, which has no document, are thus compared by their question. Kinds
without a common shape share a first text at most: a premise that is a sentence of the MLM text.
Candidates of a ranking are not scored, so they are not compared.

Run by the stage `check`, which compares every pair of tasks. The stage `prepare` compares a task's
rows with its own training rows, whole.

Texts are kept as hashes of 16 bytes: a row costs some 50 to 130 bytes, whatever its length.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xstilts.core import files
from xstilts.core.errors import UserError
from xstilts.core.params import Check, Params
from xstilts.core.progress import Advance, Observe
from xstilts.kinds.spec import KINDS, Row, Spec, Texts

Hashes = NDArray[np.bytes_]  # "S16"; a zero at the end is dropped alike in equal hashes
BATCH = 5000  # rows that are plain Python objects at a time
# Ids that mean the same row in every data set which holds them (SQuAD's and MLQA's hashes, TyDi
# QA's numbers), unlike a row's number in its file.
GLOBAL_ID = re.compile(r"[0-9a-f]{16}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
OWN_MARKS = re.compile(r"(_[a-z]{2,3})?(#\d+)?$")  # LAReQA's language, our number of a repeat
Shapes = Iterator[tuple[str, Texts]]
HASH = 16  # bytes
# A target's own training rows reach the scores of that target only.
APART = "no model is trained on the one and scored on the other"
LEAKS = ("exact", "normalised", "same_id")  # a shared first text alone is reported
Pair = dict[str, Any]


@dataclass
class Column:
    """Hashes of rows in one shape; `rows` are their numbers. Equal lengths."""

    rows: list[int] = field(default_factory=list)
    exact: list[bytes] = field(default_factory=list)
    normal: list[bytes] = field(default_factory=list)
    first: list[bytes] = field(default_factory=list)  # of the first text, normalised

    def add(self, number: int, texts: Texts) -> None:
        """Add row `number`, which has these texts."""
        normal = normalised(texts)
        self.rows.append(number)
        self.exact.append(digest(texts))
        self.normal.append(digest(normal))
        self.first.append(digest(normal[:1]))


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
    """Hash the rows of a prepared file, in the shapes of their kind.

    Raises:
        UserError: the file is missing, corrupt, or of no known kind.
    """
    table = files.read_parquet(path)
    batches = table.to_batches(max_chunksize=BATCH)
    rows = (row for batch in batches for row in batch.to_pylist())
    return sheet(path, rows, kind_of(table.schema, path).shapes)


def sheet(path: Path, rows: Iterable[Row], shaped: Callable[[Row], Shapes]) -> Sheet:
    """Hash the rows that a file holds, each in the shapes that `shaped` gives."""
    columns: dict[str, Column] = {}
    ids: dict[int, bytes] = {}
    size = 0
    for row in rows:
        for shape, texts in shaped(row):
            columns.setdefault(shape, Column()).add(size, texts)
        if GLOBAL_ID.search(row["id"]):
            ids[size] = digest([OWN_MARKS.sub("", row["id"]).lower()])
        size += 1
    packed = {
        shape: {
            "rows": np.array(column.rows, np.int64),
            "exact": _pack(column.exact),
            "normal": _pack(column.normal),
            "first": _pack(column.first),
        }
        for shape, column in columns.items()
    }
    return Sheet(path, size, packed, _pack(list(ids.values())), np.array([*ids], np.int64))


def _pack(hashes: list[bytes]) -> Hashes:
    return np.array(hashes, dtype=f"S{HASH}")


def kind_of(schema: pa.Schema, path: Path) -> Spec:
    """The kind whose schema has these columns."""
    for kind in KINDS.values():
        if set(kind.schema.names) == set(schema.names):
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


def digest(texts: Iterable[str]) -> bytes:
    """16 bytes that stand for some texts in their order."""
    whole = "".join(f"{text}\0" for text in texts)
    return blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=HASH).digest()


def normalised(texts: Texts) -> Texts:
    """Each text by `normalise`; as it is where no letter or digit would be left."""
    return tuple(normalise(text) or text for text in texts)


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


def parts(spec: Check) -> tuple[dict[str, list[str]], ...]:
    """What is trained on, what chooses, what is scored."""
    return spec.training, spec.selection, spec.evaluation


def reached(params: Params) -> dict[str, set[str]]:
    """Prepared training file -> the targets whose scores a model trained on it enters.

    Intermediate rows are not in it: they reach every target.
    """
    found: dict[str, set[str]] = {}
    for name, target in params.targets.items():
        for path in (target.train_rows, *(before.rows for before in target.before)):
            if path:
                found.setdefault(path, set()).add(name)
    for subsample in params.subsample.values():
        for path in (path for subset in subsample.subsets for path in subset.rows):
            found.pop(path, None)
    return found


def compare(spec: Check, reach: dict[str, set[str]], observe: Observe) -> dict[str, Any]:
    """What overlap.json holds: pairs that share anything, sorted, and what was looked at.

    Args:
        reach: see `reached`.
    """
    total = sum(len(names) for part in parts(spec) for names in part.values())
    with observe.progress("check", total) as advance:
        scored = dict(_scored(spec, advance))
        training, sizes = _against(spec.training, scored, spec.allow, advance)
        selection, _ = _against(spec.selection, scored, spec.allow, advance)
    for pair in training:
        names = spec.training[pair["training"]]
        if all(pair["evaluation"] not in reach.get(name, {pair["evaluation"]}) for name in names):
            pair["allowed"] = pair["allowed"] or APART
    used = {pair_name(pair) for pair in training + selection if leaked(pair)}
    return {
        "pairs": training,
        "selection": selection,
        "checked": len(spec.training) * len(scored),
        "training_rows": sizes,
        "unused": sorted(spec.allow.keys() - used),
    }


def _scored(spec: Check, advance: Advance) -> Iterator[tuple[tuple[str, str], Sheet]]:
    """((target, language), hashes) of each scored file; a ranking's candidates are not scored."""
    for target, names in sorted(spec.evaluation.items()):
        for path in map(Path, sorted(names)):
            language, split = path.name.split(".")[:2]
            if split != "candidates":
                yield (target, language), read(path)
            advance(1)


def _against(
    part: dict[str, list[str]],
    scored: dict[tuple[str, str], Sheet],
    allow: dict[str, str],
    advance: Advance,
) -> tuple[list[Pair], dict[str, int]]:
    """Pairs that share anything, and the rows of each task; one task is in memory at a time."""
    pairs, sizes = [], {}
    for task, names in sorted(part.items()):
        sheets = []
        for name in names:
            sheets.append(read(Path(name)))
            advance(1)
        seen = Seen(sheets)
        sizes[task] = seen.size
        for (target, language), sheet in scored.items():
            pair: Pair = {"training": task, "evaluation": target, "language": language}
            pair |= {**seen.compare(sheet), "allowed": allow.get(pair_name(pair))}
            if pair["shared_first_text"] or pair["same_id"]:
                pairs.append(pair)
    return pairs, sizes


def pair_name(pair: Pair) -> str:
    """A pair as `allow_overlap` names it."""
    return f"{pair['training']} > {pair['evaluation']}"


def leaked(pair: Pair) -> int:
    """Scored rows found among the training rows, by the way that finds most."""
    return max(pair[name] for name in LEAKS)


def forbidden(pair: Pair) -> bool:
    """Whether a pair of overlap.json holds scored rows that nothing allows."""
    return leaked(pair) > 0 and pair["allowed"] is None
