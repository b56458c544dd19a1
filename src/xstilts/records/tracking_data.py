"""The data sets that a stage read, as MLflow lists and filters them: from a record's inputs.

The files of one task that have one use are one data set: a run of 40 languages has a few and not
hundreds. MLflow's own digest reads the first 10,000 rows alone; this one is of all bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from xstilts.core import files

DIGITS = 32  # of the sha256; MLflow takes 36 characters at most
USES = {"train": "training", "test": "evaluation"}  # split -> use; of others the split's own name
TYPES = {
    **{"string": "string", "bool": "boolean", "int32": "integer", "int64": "long"},
    **{"float": "float", "double": "double"},
}


@dataclass(frozen=True)
class Dataset:
    """What MLflow is told of one: `dataset.name = 'xnli'` finds the runs that read it."""

    name: str
    digest: str
    source: str
    schema: str | None
    profile: str
    context: str


def datasets(record: dict[str, Any]) -> list[Dataset]:
    """The data sets of a record, in the order of their names."""
    tasks = dict(_named(record["params"]))
    found: dict[tuple[str, str], dict[str, str]] = {}
    for path, sha in record.get("inputs", {}).items():
        if known := _known(path, tasks):
            found.setdefault(known, {})[path] = sha
    return [_dataset(*key, found[key]) for key in sorted(found)]


def is_data(path: str) -> bool:
    """Whether a record's input is told as a data set."""
    return _known(path, {}) is not None


def _named(params: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(file, task) of what an intermediate training is given."""
    for part in params.get("parts") or ():
        yield from ((part[name], part["task"]) for name in ("rows", "validation") if part.get(name))


def _known(path: str, tasks: dict[str, str]) -> tuple[str, str] | None:
    """(name, use) of a file of rows, by the rule of core/paths.py; None: it is something else."""
    match Path(path).parts:
        case "data", "prepare", _, _, task, name:
            split = name.split(".")[-2] if name.count(".") > 1 else "rows"
            return task, USES.get(split, split)
        case "data", "subsample", _, key, name:
            use = "validation" if name.startswith("validation") else "training"
            return tasks.get(path, key.split("-")[0]), use
        case "data", "fetch", _, name, *_:
            return name, "raw"
    return None


def _dataset(name: str, use: str, shas: dict[str, str]) -> Dataset:
    """One data set of some files: the sha256 of a single file, or that of all names and sha256."""
    sha = files.sha256_json(shas) if len(shas) > 1 else next(iter(shas.values()))
    uri = os.path.commonpath(list(shas))
    known = [facts for facts in map(_facts, shas) if facts]
    profile: dict[str, Any] = {"files": len(shas), "sha256": sha}
    if len(known) == len(shas):
        profile = {"num_rows": sum(rows for rows, _ in known), **profile}
    source, schema = json.dumps({"uri": uri}), known[0][1] if known else None
    return Dataset(name, sha[:DIGITS], source, schema, json.dumps(profile), use)


def _facts(path: str) -> tuple[int, str] | None:
    """Rows and columns of a file of rows; None where it is not here, or holds no rows."""
    try:
        return _read(Path(path).resolve(), Path(path).stat().st_mtime_ns)
    except (OSError, pa.ArrowException):
        return None


@lru_cache(maxsize=10_000)  # the runs of a study read the same files
def _read(path: Path, changed: int) -> tuple[int, str] | None:
    if path.suffix != ".parquet":
        return None
    meta = pq.read_metadata(path)
    columns = [{"name": one.name, **_type(one.type)} for one in meta.schema.to_arrow_schema()]
    return meta.num_rows, json.dumps({"mlflow_colspec": columns})


def _type(kind: pa.DataType) -> dict[str, Any]:
    """An Arrow type in the words of MLflow's schemas."""
    if pa.types.is_list(kind):
        return {"type": "array", "items": _type(kind.value_type), "required": False}
    if pa.types.is_struct(kind):
        return {"type": "object", "properties": {one.name: _type(one.type) for one in kind}}
    return {"type": TYPES.get(str(kind), "string"), "required": False}
