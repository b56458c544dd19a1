"""Which rows are in a batch, how it is cut for the hardware, and how it becomes tensors.

Everything depends on the seed and the step alone, so neither a resume nor another number of
processes changes what is learnt (but for the order of summation).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from xstilts.kinds.base import Feature
from xstilts.model.packed import Packed, pack


@lru_cache(maxsize=32)  # a mix goes through its parts in turn
def _epoch_order(rows: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order of one pass over the data."""
    return np.random.default_rng([seed, epoch]).permutation(rows)


def batch_indices(rows: int, batch: int, seed: int, step: int) -> list[int]:
    """Rows of one global batch: the next `batch` of an endless run of seeded passes."""
    places = range(step * batch, (step + 1) * batch)
    return [int(_epoch_order(rows, seed, place // rows)[place % rows]) for place in places]


def longest(feature: Feature) -> int:
    """Tokens of a feature's longest sequence."""
    return max(len(ids) for ids in feature["ids"])


def pieces_of(features: list[Feature], pieces: int) -> list[list[Feature]]:
    """A global batch dealt out by length: equal parts of about as many tokens.

    Each is in order of length, as neighbours attend together.
    """
    ordered = sorted(features, key=longest)
    return [ordered[piece::pieces] for piece in range(pieces)]


def cut(features: Iterable[Feature], tokens: int) -> Iterator[list[Feature]]:
    """Runs of features with at most so many tokens in all, or of one feature."""
    some: list[Feature] = []
    room = tokens
    for feature in features:
        size = sum(map(len, feature["ids"]))
        if some and size > room:
            yield some
            some, room = [], tokens
        some.append(feature)
        room -= size
    if some:
        yield some


def collate(features: list[Feature], kind: Any, pad: int, where: torch.device) -> Any:
    """Some features in their order as the kind's model reads them: all sequences packed in one."""
    if hasattr(kind, "collate"):
        return kind.collate(features, pad, where)
    return _packed(features, kind, pad, where)


def _packed(features: list[Feature], kind: Any, pad: int, where: torch.device) -> Packed:
    """All sequences of some features as one packed batch."""
    sequences = [ids for feature in features for ids in feature["ids"]]
    types = None
    if "types" in features[0]:
        types = [some for feature in features for some in feature["types"]]
    starts = np.cumsum([0, *map(len, sequences[:-1])])
    read = kind.positions(features, starts) if hasattr(kind, "positions") else starts
    return pack(sequences, types, read, pad, where)
