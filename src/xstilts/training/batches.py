"""Which rows are in a batch, how it is cut for the hardware, and how it becomes tensors.

Everything depends on the seed and the step alone, so neither a resume nor another number of
processes changes what is learnt (but for the order of summation).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xstilts.kinds.base import Feature


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
    """A global batch sorted by length and cut into equal micro-batches: little padding."""
    ordered = sorted(features, key=longest)
    size = len(ordered) // pieces
    return [ordered[i * size : (i + 1) * size] for i in range(pieces)]


def collate(features: list[Feature], pad: int, where: torch.device) -> dict[str, Tensor]:
    """Pad to the longest sequence (on CUDA to a multiple of 8, for tensor cores): [b, l] each.

    `token_type_ids` are among them where the features have "types", `masked` where they have
    masked positions.
    """
    sequences = [ids for feature in features for ids in feature["ids"]]
    length = max(map(len, sequences))
    if where.type == "cuda":
        length = -(-length // 8) * 8
    ids = np.full((len(sequences), length), pad, dtype=np.int64)
    mask = np.zeros((len(sequences), length), dtype=np.int64)
    for i, sequence in enumerate(sequences):
        ids[i, : len(sequence)] = sequence
        mask[i, : len(sequence)] = 1
    batch = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
    if "types" in features[0]:
        types = np.zeros((len(sequences), length), dtype=np.int64)
        for i, sequence in enumerate(some for feature in features for some in feature["types"]):
            types[i, : len(sequence)] = sequence
        batch["token_type_ids"] = torch.from_numpy(types)
    if "masked" in features[0]:
        masked = np.zeros((len(sequences), length), dtype=bool)
        for i, feature in enumerate(features):
            masked[i, feature["masked"]] = True
        batch["masked"] = torch.from_numpy(masked)
    return {name: tensor.to(where) for name, tensor in batch.items()}
