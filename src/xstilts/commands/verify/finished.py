"""A finished study as `xstilts verify` reads it: in this workspace, another folder, or a commit.

All of it is in git: dvc.lock, score rows, conclusions, verdicts on claims, provenance.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from fsspec import AbstractFileSystem
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

from xstilts.core import paths
from xstilts.core.errors import UserError
from xstilts.results.contrasts import Contrasts
from xstilts.results.inference import Part
from xstilts.results.scores import Row

LOCK = "dvc.lock"
CODE, DESIGN = "code/", "design/"  # deps below these are code and params, the others data
Scores = dict[tuple[str, ...], tuple[float, int]]  # (run, target, language, metric) -> value, n


@dataclass(frozen=True)
class Stage:
    """One stage in dvc.lock: name of an input or output -> its value or hash."""

    params: Mapping[str, str]
    data: Mapping[str, str]
    code: Mapping[str, str]
    outs: Mapping[str, str]


@dataclass(frozen=True)
class Number:
    """A mean or gain in points, and what its variance is made of."""

    value: float
    parts: Sequence[Part]


@dataclass(frozen=True)
class Effect:
    """The gain over no intermediate training: `sign` is 1 (higher), -1 (lower) or 0 (not told)."""

    gain: Number
    sign: int


@dataclass(frozen=True)
class Conclusion:
    """One setting on one target: its headline mean, and what came of it, where that is tested."""

    mean: Number
    effect: Effect | None = None


@dataclass(frozen=True)
class Place:
    """Where a finished study lies.

    Attributes:
        label: what a person calls it.
        files: a disk, or what git holds at a commit.
    """

    label: str
    files: AbstractFileSystem

    def read(self, name: str) -> bytes | None:
        """A file's bytes; None where there is none."""
        return self.files.cat_file(name) if self.files.isfile(name) else None

    def find(self, folder: str, ending: str) -> list[str]:
        """Names of the files below a folder that end so."""
        return [name for name in self.files.find(folder) if name.endswith(ending)]


def folder(root: Path, label: str) -> Place:
    """A project folder: this workspace, or another one."""
    return Place(label, DirFileSystem(str(root.resolve()), LocalFileSystem()))


def find(reference: str) -> Place:
    """What a person means by REF.

    Raises:
        UserError: it is neither a folder with a dvc.lock nor a commit.
    """
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.scm import resolve_rev

    root = Path(reference).expanduser()
    if (root / LOCK).is_file():
        return folder(root, str(root))
    try:
        with Repo() as here:  # closes git's packs, also where there is no such commit
            commit = resolve_rev(here.scm, f"{reference}^{{commit}}")
        repo = DVCFileSystem(rev=commit, subrepos=True).repo
    except DvcException as error:
        raise UserError(
            f"{reference} is neither a git revision of this repository nor a folder with a "
            f"{LOCK}. Mend: name a commit, a branch or tag (git fetch first), or such a folder"
        ) from error
    label = reference if commit.startswith(reference) else f"{reference} ({commit[:8]})"
    below = Path.cwd().relative_to(repo.scm.root_dir)  # a project inside a repository
    return Place(label, DirFileSystem(below, repo.fs.fs))


def stages(place: Place, study: str) -> dict[str, Stage]:
    """Stages of a study in its dvc.lock files, by name (transfer@demo/none-s1), in their order.

    Raises:
        UserError: there is no readable dvc.lock, or none holds a run of the study.
    """
    names = [LOCK, *place.find(f"{paths.PIPELINES}/{study}", LOCK)]
    entries = {name: entry for lock in names for name, entry in _entries(place, lock).items()}
    found = {name: _stage(place, entry) for name, entry in entries.items() if _study(name) == study}
    if not found:
        others = ", ".join(sorted({_study(name) for name in entries} - {""})) or "none"
        raise UserError(
            f"{place.label} holds no run of the study {study} (its {LOCK} has: {others}). "
            "Mend: `xstilts study use NAME` for one that it has, or name another reference"
        )
    return found


def _entries(place: Place, lock: str) -> dict[str, Any]:
    """What one dvc.lock holds, by the names of stages."""
    text = place.read(lock)
    if text is None:
        raise UserError(
            f"{place.label} has no {lock}, so no study was finished there. "
            "Mend: run `dvc repro`, or name another reference"
        )
    try:
        content = yaml.load(text, Loader=yaml.CSafeLoader)
        return {name: {**entry} for name, entry in content["stages"].items()}
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{lock} of {place.label} cannot be read ({type(error).__name__}). "
            "Mend: restore it with git, as after a merge conflict"
        ) from error


def _study(name: str) -> str:
    """Whose a stage is: transfer@demo/none-s1 -> demo."""
    return name.partition("@")[2].partition("/")[0]


def _stage(place: Place, entry: dict[str, Any]) -> Stage:
    deps = {one["path"]: _hash(one) for one in entry.get("deps", ())}
    found: dict[str, dict[str, str]] = {CODE: {}, DESIGN: {}, "": {}}
    for path, value in deps.items():
        kind = next(kind for kind in found if path.startswith(kind))
        found[kind] |= _told(place, path, value) if kind else {path: value}
    return Stage(
        params=found[DESIGN],
        data=found[""],
        code=found[CODE],
        outs={one["path"]: _hash(one) for one in entry.get("outs", ())},
    )


def _told(place: Place, path: str, value: str) -> dict[str, str]:
    """What a small file of params, or of hashes of modules, says line by line.

    Its hash alone, where the file is no longer the one that the stage has read.
    """
    content = place.read(path)
    if content is None or hashlib.md5(content, usedforsecurity=False).hexdigest() != value:
        return {path: value}
    if path.startswith(DESIGN):
        return flat(json.loads(content))
    return dict(line.split() for line in content.decode().splitlines())


def _hash(entry: dict[str, Any]) -> str:
    return str(entry[entry.get("hash", "md5")])


def flat(value: Any, prefix: str = "") -> dict[str, str]:
    """Nested values as `{"a.b": text}`; lists and scalars are leaves."""
    if isinstance(value, dict) and value:
        parts = [
            flat(one, f"{prefix}.{name}" if prefix else str(name)) for name, one in value.items()
        ]
        return {name: text for part in parts for name, text in part.items()}
    return {prefix: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}


def scores(place: Place, study: str) -> Scores | None:
    """Every score of a study; None where the rows are not there."""
    content = place.read(str(paths.aggregated(study) / "scores.parquet"))
    if content is None:
        return None
    try:
        columns = ["run", "target", "language", "metric", "value", "n"]
        rows = pq.read_table(io.BytesIO(content), columns=columns).to_pylist()
    except (pa.ArrowException, OSError):
        return None
    return {
        (row["run"], row["target"], row["language"], row["metric"]): (row["value"], row["n"])
        for row in rows
    }


def conclusions(place: Place, study: str) -> dict[tuple[str, str], Conclusion] | None:
    """What a study concludes, as it is committed; None where that is not there.

    Raises:
        UserError: how far its means may be off is not beside it.
    """
    try:
        told = json.loads(place.read(str(paths.metrics_file(study))) or b"{}")
    except ValueError:
        return None
    if not told:
        return None
    file = str(paths.aggregated(study) / "contrasts.parquet")
    try:
        rows = pq.read_table(io.BytesIO(place.read(file) or b"")).to_pylist()
        return concluded(told, rows)
    except (pa.ArrowException, OSError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{place.label} does not say how far the means of {study} may be off: {file} is missing"
            " or of another version. Mend: aggregate the study again there (`dvc repro`) and "
            "commit, or name another reference"
        ) from error


def concluded(
    told: Mapping[str, Mapping[str, Any]], rows: Sequence[Row]
) -> dict[tuple[str, str], Conclusion]:
    """Each setting on each target.

    Args:
        told: of the metrics file: target -> setting -> its `effect`, where it was tested.
        rows: of contrasts.parquet.
    """
    found = {}
    for target, groups in told.items():
        kept = Contrasts.of(rows, target)
        if kept is None:
            raise KeyError(target)
        for group, one in groups.items():
            effect = None
            if "effect" in one:
                effect = Effect(Number(*kept.measure({group: 1.0, "none": -1.0})), one["effect"])
            found[target, group] = Conclusion(Number(*kept.measure({group: 1.0})), effect)
    return found


def answers(place: Place, study: str) -> dict[str, tuple[str, str]]:
    """Claim id -> hash of its entry and verdict, of all that were answered; none without them."""
    content = place.read(str(paths.answers(study)))
    try:
        return {
            name: (one["claim_sha256"], one["verdict"])
            for name, one in json.loads(content or b"{}").get("claims", {}).items()
            if one["verdict"] != "not run"
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def environment(place: Place, study: str) -> dict[str, str]:
    """Hardware, versions and settings of a study's stages; several values are joined by ` | `."""
    found: dict[str, set[str]] = {}
    for name in place.find(f"provenance/{study}", ".json"):
        try:
            origin = json.loads(place.read(name) or b"")
            parts = {name: origin.get(name) for name in ("hardware", "software", "bits", "machine")}
            parts |= {
                "commit": (origin.get("git") or {}).get("commit"),
                "image": origin.get("image"),
            }
        except (ValueError, AttributeError):
            continue
        known = {name: value for name, value in parts.items() if value is not None}
        for name, value in flat(known).items():
            found.setdefault(name, set()).add(value)
    return {name: " | ".join(sorted(values)) for name, values in found.items()}
