"""A finished study as `xstilts verify` reads it: in this workspace, another folder, or a commit.

Of a commit, dvc.lock, metrics and provenance are in git; its score rows are a DVC output, which
comes from DVC's cache or remote where it is at hand.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Mapping
from contextlib import suppress
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

LOCK = "dvc.lock"
CODE = "src/"  # deps below it are code, the others data
PULL_SECONDS = 120  # for one file of a remote
Scores = dict[tuple[str, ...], tuple[float, int]]  # (run, target, language, metric) -> value, n


@dataclass(frozen=True)
class Stage:
    """One stage in dvc.lock: name of an input or output -> its value or hash."""

    params: Mapping[str, str]
    data: Mapping[str, str]
    code: Mapping[str, str]
    outs: Mapping[str, str]


@dataclass(frozen=True)
class Place:
    """Where a finished study lies.

    Attributes:
        label: what a person calls it.
        files: a disk, or what git holds at a commit.
        outputs: the same disk, or git and DVC at that commit; it opens `dvc.yaml`, which takes
            seconds in a large study.
    """

    label: str
    files: AbstractFileSystem
    outputs: AbstractFileSystem

    def read(self, name: str) -> bytes | None:
        """A file's bytes; None where there is none."""
        return self.files.cat_file(name) if self.files.isfile(name) else None

    def below(self, folder: str) -> list[bytes]:
        """All JSON files below a folder."""
        names = [name for name in self.files.find(folder) if name.endswith(".json")]
        return [self.files.cat_file(name) for name in names]

    def output(self, name: str) -> bytes | None:
        """A file inside a DVC output; None where it is not at hand, or its remote is silent."""
        found: list[bytes] = []

        def read() -> None:
            with suppress(Exception):  # the errors of every kind of remote
                found.append(self.outputs.cat_file(name))

        thread = threading.Thread(target=read, daemon=True)  # so that it can be given up on
        thread.start()
        thread.join(PULL_SECONDS)
        return found[0] if found else None


def folder(root: Path, label: str) -> Place:
    """A project folder: this workspace, or another one."""
    files = DirFileSystem(str(root.resolve()), LocalFileSystem())
    return Place(label, files, files)


def find(reference: str) -> Place:
    """What a person means by REF.

    Raises:
        UserError: it is neither a folder with a dvc.lock nor a commit.
    """
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException

    root = Path(reference).expanduser()
    if (root / LOCK).is_file():
        return folder(root, str(root))
    outputs = DVCFileSystem(rev=f"{reference}^{{commit}}", subrepos=True)
    try:
        commit = outputs.repo.get_rev()
    except DvcException as error:
        raise UserError(
            f"{reference} is neither a git revision of this repository nor a folder with a "
            f"{LOCK}. Mend: name a commit, a branch or tag (git fetch first), or such a folder"
        ) from error
    label = reference if commit.startswith(reference) else f"{reference} ({commit[:8]})"
    below = Path.cwd().relative_to(outputs.repo.scm.root_dir)  # a project inside a repository
    return Place(label, *(DirFileSystem(below, one) for one in (outputs.repo.fs.fs, outputs)))


def stages(place: Place, study: str) -> dict[str, Stage]:
    """Stages of a study in a dvc.lock, by name, in its order.

    Raises:
        UserError: there is no readable dvc.lock, or it holds no run of the study.
    """
    text = place.read(LOCK)
    if text is None:
        raise UserError(
            f"{place.label} has no {LOCK}, so no study was finished there. "
            "Mend: run `dvc repro`, or name another reference"
        )
    try:
        content = yaml.load(text, Loader=yaml.CSafeLoader)
        entries = {name: (_stage(one), _study(one)) for name, one in content["stages"].items()}
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{LOCK} of {place.label} cannot be read ({type(error).__name__}). "
            "Mend: restore it with git, as after a merge conflict"
        ) from error
    found = {name: stage for name, (stage, whose) in entries.items() if whose == study}
    if not found:
        others = ", ".join(sorted({whose for _, whose in entries.values()})) or "none"
        raise UserError(
            f"{place.label} holds no run of the study {study} (its {LOCK} has: {others}). "
            "Mend: `xstilts study use NAME` for one that it has, or name another reference"
        )
    return found


def _study(entry: dict[str, Any]) -> str:
    return str(entry.get("params", {}).get(str(paths.PARAMS), {}).get("study", ""))


def _stage(entry: dict[str, Any]) -> Stage:
    deps = {one["path"]: _hash(one) for one in entry.get("deps", ())}
    return Stage(
        params=flat(entry.get("params", {}).get(str(paths.PARAMS), {})),
        data={path: value for path, value in deps.items() if not path.startswith(CODE)},
        code={path: value for path, value in deps.items() if path.startswith(CODE)},
        outs={one["path"]: _hash(one) for one in entry.get("outs", ())},
    )


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


def score_rows(place: Place, study: str) -> Scores | None:
    """Every score of a study; None where the rows are not at hand."""
    content = place.output(str(paths.aggregated(study) / "scores.parquet"))
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


def metrics(place: Place, study: str) -> Scores | None:
    """The committed means of a study, in the form of scores; None where there are none."""
    content = place.read(str(paths.metrics_file(study)))
    try:
        values = flat(json.loads(content)) if content else {}
        return {(name,): (float(value), 1) for name, value in values.items()} or None
    except ValueError:
        return None


def environment(place: Place, study: str) -> dict[str, str]:
    """Hardware, versions and settings of a study's stages; several values are joined by ` | `."""
    found: dict[str, set[str]] = {}
    for content in place.below(f"provenance/{study}"):
        try:
            origin = json.loads(content)
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
