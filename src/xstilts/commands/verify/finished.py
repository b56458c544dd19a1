"""A finished study as `xstilts verify` reads it: in this workspace, a git revision, or a folder.

Of a revision, dvc.lock, metrics and provenance are in git; its score rows are a DVC output, which
comes from DVC's cache or remote where it is at hand.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from xstilts.core import paths
from xstilts.core.errors import UserError

LOCK = "dvc.lock"
CODE = "src/"  # deps below it are code, the others data
PULL_SECONDS = 120  # for one file of a remote
# A process of its own, as a remote that does not answer can be given up on only from outside.
PULL = (
    "import sys, dvc.api;"
    "sys.stdout.buffer.write(dvc.api.read(sys.argv[1], rev=sys.argv[2], mode='rb'))"
)
Scores = dict[tuple[str, ...], tuple[float, int]]  # (run, target, language, metric) -> value, n


@dataclass(frozen=True)
class Stage:
    """One stage in dvc.lock: name of an input or output -> its value or hash."""

    params: Mapping[str, str]
    data: Mapping[str, str]
    code: Mapping[str, str]
    outs: Mapping[str, str]


class Place(Protocol):
    """Where a finished study lies."""

    @property
    def label(self) -> str:
        """What a person calls it."""

    def read(self, name: str) -> bytes | None:
        """A file's bytes; None where there is none."""

    def below(self, folder: str) -> dict[str, bytes]:
        """All JSON files below a folder."""

    def output(self, name: str) -> bytes | None:
        """A file inside a DVC output; None where it is not at hand."""


@dataclass(frozen=True)
class Folder:
    """A project folder: this workspace, or another one."""

    root: Path
    label: str

    def read(self, name: str) -> bytes | None:
        """See `Place`."""
        path = self.root / name
        return path.read_bytes() if path.is_file() else None

    def below(self, folder: str) -> dict[str, bytes]:
        """See `Place`."""
        found = sorted((self.root / folder).rglob("*.json"))
        return {str(path.relative_to(self.root)): path.read_bytes() for path in found}

    def output(self, name: str) -> bytes | None:
        """See `Place`."""
        return self.read(name)


@dataclass(frozen=True)
class Revision:
    """A commit of this repository."""

    commit: str
    label: str

    def read(self, name: str) -> bytes | None:
        """See `Place`."""
        return _git("show", f"{self.commit}:./{name}")

    def below(self, folder: str) -> dict[str, bytes]:
        """See `Place`; one call, as a study has hundreds of provenance files."""
        packed = _git("archive", "--format=tar", self.commit, "--", folder)
        if packed is None:
            return {}
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            named = [one for one in tar if one.isfile() and one.name.endswith(".json")]
            return {one.name: tar.extractfile(one).read() for one in named}  # type: ignore[union-attr]

    def output(self, name: str) -> bytes | None:
        """See `Place`; from DVC's cache, or the one file from its remote."""
        command = [sys.executable, "-c", PULL, name, self.commit]
        try:
            done = subprocess.run(command, capture_output=True, timeout=PULL_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return None
        return done.stdout if done.returncode == 0 else None


def find(reference: str) -> Place:
    """What a person means by REF.

    Raises:
        UserError: it is neither a folder with a dvc.lock nor a commit.
    """
    root = Path(reference).expanduser()
    if (root / LOCK).is_file():
        return Folder(root, str(root))
    found = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
    if found is None:
        raise UserError(
            f"{reference} is neither a git revision of this repository nor a folder with a "
            f"{LOCK}. Mend: name a commit, a branch or tag (git fetch first), or such a folder"
        )
    commit = found.decode().strip()
    return Revision(
        commit, reference if commit.startswith(reference) else f"{reference} ({commit[:8]})"
    )


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


def scores(place: Place, study: str) -> Scores | None:
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
    for content in place.below(f"provenance/{study}").values():
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


def _git(*command: str) -> bytes | None:
    """Standard output of git; None where it fails or is not there."""
    try:
        done = subprocess.run(["git", *command], capture_output=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None
