"""Masked language modelling: a part of the tokens, of these 80 % masked, 10 % random, 10 % kept.

Devlin et al. 2019, section 3.1; masks are drawn anew at every update (Liu et al. 2019).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, tensor
from torch.nn.functional import cross_entropy

from xstilts.core.params import Training
from xstilts.kinds.base import Feature, Row, encoded
from xstilts.model.tokenizer import special_ids


def texts(row: Row) -> list[tuple[str, str | None]]:
    """The text and, where it has one, its pair (a translation, for example)."""
    return [(row["text"], row["pair"])]


def encode(rows: list[Row], tokenizer: Any, length: int, stride: int) -> list[Feature]:
    """<s> text </s> or <s> text </s></s> pair </s>, cut at `length`."""
    special = np.zeros(len(tokenizer), dtype=bool)
    special[special_ids(tokenizer)] = True
    features: list[Feature] = []
    pairs = [(row["text"], row["pair"]) for row in rows]
    for i, feature in enumerate(encoded(pairs, tokenizer, length)):
        free = np.flatnonzero(~special[feature["ids"][0]])
        if len(free):
            features.append({**feature, "row": i, "free": free})
    return features


def rows_of(rows: list[Row], kind: Any) -> list[Row]:
    """Rows of another kind as text; each text once, in the order of its first use.

    Args:
        kind: the module of xstilts.kinds that the rows belong to.
    """
    seen = dict.fromkeys(pair for row in rows for pair in kind.texts(row))
    return [{"text": text, "pair": pair} for text, pair in seen]


@lru_cache(maxsize=4)
def _plain_ids(tokenizer: Any) -> NDArray[np.int64]:
    """All other ids, sorted: what noise is drawn from."""
    return np.setdiff1d(np.arange(len(tokenizer)), special_ids(tokenizer))


def draw(
    features: list[Feature], rng: Generator, tokenizer: Any, training: Training
) -> list[Feature]:
    """Mask a batch: new ids, the masked positions, and what stood there."""
    plain, mask = _plain_ids(tokenizer), tokenizer.mask_token_id
    ids = np.concatenate([feature["ids"][0] for feature in features], dtype=np.int64)
    starts = np.cumsum([0, *(len(feature["ids"][0]) for feature in features)])
    counts = [max(1, round(training.mask * len(feature["free"]))) for feature in features]
    free = [feature["free"] for feature in features]
    places, chosen = _chosen(free, counts, rng)
    at = starts[:-1][chosen] + places
    gold, fate = ids[at], rng.random(len(at))
    noise = plain[rng.integers(0, len(plain), len(at))]
    ids[at] = np.where(fate < 0.8, mask, np.where(fate < 0.9, noise, gold))
    ends, new, drawn = np.cumsum(counts), ids.tolist(), []
    for i, feature in enumerate(features):
        own = slice(ends[i] - counts[i], ends[i])
        told = {"masked": places[own], "gold": gold[own]}
        drawn.append({**feature, "ids": [new[starts[i] : starts[i + 1]]], **told})
    return drawn


def _chosen(
    free: list[NDArray[np.int64]], counts: list[int], rng: Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`counts[i]` of the places `free[i]`, in order, row after row; and each one's row."""
    sizes = [len(places) for places in free]
    rows = np.repeat(np.arange(len(free)), sizes)
    shuffled = np.lexsort((rng.random(len(rows)), rows))  # each row's places in random order
    rank = np.arange(len(rows)) - np.repeat(np.cumsum([0, *sizes[:-1]]), sizes)
    taken = np.sort(shuffled[rank < np.repeat(counts, sizes)])
    return np.concatenate(free)[taken], rows[taken]


def positions(features: list[Feature], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The masked tokens."""
    pairs = zip(starts, features, strict=True)
    return np.concatenate([start + feature["masked"] for start, feature in pairs])


def weight(feature: Feature) -> int:
    """One loss term a masked token."""
    return len(feature["masked"])


def loss(output: Tensor, features: list[Feature]) -> Tensor:
    """Summed cross-entropy; output [masked tokens of the micro-batch, vocabulary]."""
    gold = tensor(np.concatenate([feature["gold"] for feature in features]), device=output.device)
    return cross_entropy(output.float(), gold, reduction="sum")
