"""A mirror: the hub's layout on disk, for machines without a network.

<dir>/datasets/<org>/<name>/README.md and data files
<dir>/urls/<host>/<path>
<dir>/models/<org>/<name>/config.json, model.safetensors, tokenizer.json, ...
<dir>/manifest.json    optional: {path: {"sha256": ...}}; where it is there, it vouches for
                       every other file, and each file is checked against it while it is copied
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xstilts.core import files
from xstilts.core.errors import UserError
from xstilts.core.progress import Observe
from xstilts.sources import card
from xstilts.sources.places import MODEL_FILES, url_path

MANIFEST = "manifest.json"


def expand(place: str) -> Path:
    """Resolve `$VARIABLE`, `${VARIABLE}` and `~` in a mirror's place.

    Raises:
        UserError: a variable is not set, or the folder is not there.
    """
    text = os.path.expandvars(os.path.expanduser(place))
    unset = re.search(r"\$\{?(\w+)\}?", text)
    if unset:
        raise UserError(
            f"data.source mirror:{place}: the variable {unset[1]} is not set. "
            f"Mend: export {unset[1]}=<folder of the mirror>"
        )
    folder = Path(text)
    if not text or not folder.is_dir():
        raise UserError(
            f"data.source mirror:{place}: there is no folder {text or '(empty)'}. "
            "Mend: give the mirror's folder"
        )
    return folder


def obtain(spec: Any, place: str, target: Path, observe: Observe) -> None:
    """Copy the wanted files of a data set from a mirror; see `sources.dataset`."""
    root = expand(place)
    hashes = _hashes(root)
    jobs: list[tuple[str, Path, str | None]] = []  # path in the mirror, copy, pinned sha256
    if not linked(root, spec):
        folder = root / "datasets" / spec.dataset
        for name in _wanted(folder, spec):
            jobs.append((f"datasets/{spec.dataset}/{name}", target / name, None))
    else:
        for url, sha256 in spec.urls.items():
            path = url_path(url)
            jobs.append((str(path), target / path, sha256))
    with observe.progress(f"copy {spec.dataset}", len(jobs)) as advance:
        for name, copy, pinned in jobs:
            _copy(root, name, copy, hashes, pinned)
            advance(1)


def linked(root: Path, spec: Any) -> bool:
    """Whether a mirror has a data set as files of URLs; where it may, but not in the hub's layout.

    Args:
        spec: with `configs` (the hub's layout), with `urls`, or with both for either.
    """
    return bool(spec.urls) and not (spec.configs and (root / "datasets" / spec.dataset).is_dir())


def model(spec: Any, place: str, target: Path, observe: Observe) -> None:
    """Copy a checkpoint from a mirror; see `sources.model`."""
    root = expand(place)
    folder = root / "models" / spec.model
    if not folder.is_dir():
        raise UserError(
            f"the mirror {root} has no models/{spec.model}. Mend: copy it there, or use hub"
        )
    hashes = _hashes(root)
    names = sorted(file.name for file in folder.iterdir() if file.is_file())
    for name in names:
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in MODEL_FILES):
            _copy(root, f"models/{spec.model}/{name}", target / name, hashes, None)


def _wanted(folder: Path, spec: Any) -> list[str]:
    """The card and the data files of the wanted configs and splits, relative to the data set."""
    if not folder.is_dir():
        raise UserError(
            f"the mirror has no data set {spec.dataset} ({folder} is missing). "
            "Mend: copy it there, leave its task out, or use another data.source"
        )
    present = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
    facts = card.read_file(folder)
    names = {card.NAME} if card.NAME in present else set()
    for config, splits in spec.configs.items():
        for split in splits:
            place = f"{spec.dataset} in the mirror"
            names.update(card.resolve(facts, present, config, split, place))
    return sorted(names)


def _hashes(root: Path) -> Mapping[str, Any] | None:
    """The mirror's own manifest, if it has one."""
    path = root / MANIFEST
    if not path.exists():
        return None
    value = files.read_json(path)
    if not isinstance(value, dict):
        raise UserError(f"{path} is no mapping of paths. Mend: make it anew or delete it")
    for name, facts in value.items():
        if not isinstance(facts, dict) or not isinstance(facts.get("sha256"), str):
            raise UserError(f"{path} has no sha256 of {name}. Mend: make it anew or delete it")
    return value


def _copy(
    root: Path, name: str, copy: Path, hashes: Mapping[str, Any] | None, pinned: str | None
) -> None:
    """Copy one file and compare its sha256 with the task's pin and with the mirror's manifest."""
    source = root / name
    if not source.is_file():
        raise UserError(f"the mirror lacks {name} ({source}). Mend: complete the mirror")
    copy.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with source.open("rb") as old, copy.open("wb") as new:
        while block := old.read(files.BLOCK):
            digest.update(block)
            new.write(block)
    found = digest.hexdigest()
    if pinned is not None and found != pinned:
        raise _differs(source, found, pinned, "the task's pin")
    if hashes is None:
        return
    listed = hashes.get(name)
    if listed is None:
        raise UserError(
            f"{source} is not listed in the mirror's {MANIFEST}. Mend: add it there, or make "
            f"{MANIFEST} anew"
        )
    if found != listed["sha256"]:
        raise _differs(source, found, listed["sha256"], f"the mirror's {MANIFEST}")


def _differs(path: Path, found: str, expected: str, whose: str) -> UserError:
    return UserError(
        f"{path}: sha256 {found[:12]}... differs from {whose} ({expected[:12]}...). "
        "Mend: copy the file again from its source"
    )
