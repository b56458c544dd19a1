"""What of a study cannot run here, why, and the mend: found before anything runs.

`xstilts plan` prints it. Looks at params.yaml, the environment, a mirror's files and the counts of
prepared rows; asks no network.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from xstilts.commands.estimate import Estimate
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
    found = []
    for what, why in loaded.left_out.items():
        found += _found(what, [f"left out of the study: {why}"])
    for key, spec in loaded.fetch.items():
        users = [one.task for one in loaded.prepare.values() if Path(one.fetched).name == key]
        what = " ".join(dict.fromkeys(users)) or spec.dataset
        found += _found(what, _of_data(spec, what))
    return found + _of_sizes(loaded) + _found("the model", _of_model(loaded))


def _of_sizes(loaded: Params) -> list[Obstacle]:
    """Sizes above the rows that are at hand; in a mix a task gives as many as it has."""
    estimate, found = Estimate(loaded), dict[Obstacle, None]()
    for spec in loaded.subsample.values():
        mixed = len({tuple(one.rows) for one in spec.subsets}) > 1
        for one in () if mixed else spec.subsets:
            have = estimate.subset_rows(one)
            if isinstance(one.size, int) and have is not None and have < one.size:
                files = ", ".join(Path(name).name for name in one.rows)
                why = f"size {one.size} is larger than the {have} training rows of {files}"
                mend = f"take a size up to {have} or `all`, or prepare more rows"
                found[Obstacle(one.task, why, mend)] = None
    return list(found)


def _found(what: str, reasons: Iterable[str]) -> list[Obstacle]:
    """Obstacles of messages, the one of an error among them."""
    texts: list[str] = []
    try:
        texts += reasons
    except UserError as error:
        texts.append(str(error))
    parts = (text.partition(" Mend: ") for text in texts)
    return [Obstacle(what, why.removesuffix("."), mend) for why, _, mend in parts]


def _first(names: list[str]) -> str:
    """The first name, and how many more there are."""
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _of_data(spec: Fetch, users: str) -> Iterator[str]:
    """Why a data set cannot be had."""
    if spec.source == "hub":
        if spec.configs and spec.revision is None:
            yield f"{spec.dataset} is not pinned. Mend: `xstilts pin {users}`"
        loose = [url for url, sha256 in spec.urls.items() if sha256 is None]
        if loose:
            yield f"{_first(loose)}: no sha256 is known. Mend: `xstilts pin {users}`"
    elif spec.source == "folder" and spec.place:
        name = spec.place.removeprefix("$")
        if not Path(os.environ.get(name, "")).is_dir() or not os.environ.get(name):
            yield f"{spec.place} names no folder. Mend: export {name}=<folder of {spec.dataset}>"
    elif spec.source.startswith(MIRROR):
        yield from _of_mirror(spec, mirror.expand(spec.source.removeprefix(MIRROR)))


def _of_mirror(spec: Fetch, root: Path) -> Iterator[str]:
    """Files of a data set that the mirror lacks."""
    mend = "Mend: copy it there, or leave its task out"
    folder = root / "datasets" / spec.dataset
    if mirror.linked(root, spec):
        absent = [url for url in spec.urls if not (root / url_path(url)).is_file()]
        if absent:
            yield f"the mirror lacks {_first(absent)}. {mend}"
    elif spec.configs and not folder.is_dir():
        yield f"the mirror has no {spec.dataset}. {mend}"
    elif spec.configs:
        present = [one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file()]
        facts = card.read_file(folder)
        for config, splits in spec.configs.items():
            for split in splits:
                card.resolve(facts, present, config, split, f"{spec.dataset} in the mirror")


def _of_model(loaded: Params) -> Iterator[str]:
    """Why a published checkpoint cannot be had."""
    spec = loaded.pretrain
    if spec.model is None:
        return
    if spec.source == "hub" and spec.revision is None:
        yield f"{spec.model} is not pinned. Mend: `xstilts pin {spec.model}`"
    if spec.source.startswith(MIRROR):
        root = mirror.expand(spec.source.removeprefix(MIRROR))
        if not (root / "models" / spec.model).is_dir():
            yield f"the mirror has no models/{spec.model}. Mend: copy it there, or use hub"
