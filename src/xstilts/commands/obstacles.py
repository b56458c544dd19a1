"""What of a study cannot run here, why, and the mend: found before anything runs.

`xstilts plan` prints it. Looks at params.yaml, the environment and a mirror's files; asks no
network.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xstilts.core.errors import UserError
from xstilts.core.params import Fetch, Params
from xstilts.sources import card, mirror
from xstilts.sources.places import MIRROR, url_path


@dataclass(frozen=True)
class Obstacle:
    """One thing that stands in the way."""

    what: str  # tasks, or the model
    why: str
    mend: str


def obstacles(loaded: Params) -> list[Obstacle]:
    """All that is known to stand in the way; [] where every stage can start."""
    found = [
        Obstacle(what, *_parted(f"left out of the study: {why}"))
        for what, why in loaded.left_out.items()
    ]
    for key, spec in loaded.fetch.items():
        users = [one.task for one in loaded.prepare.values() if Path(one.fetched).name == key]
        what = " ".join(dict.fromkeys(users)) or spec.dataset
        found += [Obstacle(what, *_parted(why)) for why in _of_data(spec, what)]
    found += [Obstacle("the model", *_parted(why)) for why in _of_model(loaded)]
    return found


def _parted(text: str) -> tuple[str, str]:
    """A message as (what is wrong, mend)."""
    why, _, mend = text.partition(" Mend: ")
    return why.removesuffix("."), mend


def _of_data(spec: Fetch, users: str) -> Iterator[str]:
    """Why a data set cannot be had."""
    if spec.source == "hub":
        if spec.configs and spec.revision is None:
            yield f"{spec.dataset} is not pinned. Mend: `xstilts pin {users}`"
        loose = [url for url, sha256 in spec.urls.items() if sha256 is None]
        if loose:
            more = f" and {len(loose) - 1} more" if len(loose) > 1 else ""
            yield f"{loose[0]}{more}: no sha256 is known. Mend: `xstilts pin {users}`"
    elif spec.source == "folder" and spec.place:
        name = spec.place.removeprefix("$")
        if not Path(os.environ.get(name, "")).is_dir() or not os.environ.get(name):
            yield f"{spec.place} names no folder. Mend: export {name}=<folder of {spec.dataset}>"
    elif spec.source.startswith(MIRROR):
        try:
            yield from _of_mirror(spec, mirror.expand(spec.source.removeprefix(MIRROR)))
        except UserError as error:
            yield str(error)


def _of_mirror(spec: Fetch, root: Path) -> Iterator[str]:
    """Files of a data set that the mirror lacks."""
    mend = "Mend: copy it there, or leave its task out"
    folder = root / "datasets" / spec.dataset
    if spec.configs and not folder.is_dir():
        yield f"the mirror has no {spec.dataset}. {mend}"
    elif spec.configs:
        present = [one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file()]
        facts = card.read_file(folder)
        for config, splits in spec.configs.items():
            for split in splits:
                card.resolve(facts, present, config, split, f"{spec.dataset} in the mirror")
    absent = [url for url in spec.urls if not (root / url_path(url)).is_file()]
    if absent:
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        yield f"the mirror lacks {absent[0]}{more}. {mend}"


def _of_model(loaded: Params) -> Iterator[str]:
    """Why a published checkpoint cannot be had."""
    spec = loaded.pretrain
    if spec.model is None:
        return
    if spec.source == "hub" and spec.revision is None:
        yield f"{spec.model} is not pinned. Mend: `xstilts pin {spec.model}`"
    if spec.source.startswith(MIRROR):
        try:
            if not (
                mirror.expand(spec.source.removeprefix(MIRROR)) / "models" / spec.model
            ).is_dir():
                yield f"the mirror has no models/{spec.model}. Mend: copy it there, or use hub"
        except UserError as error:
            yield str(error)
