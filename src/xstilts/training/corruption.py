"""Span corruption: what a small encoder-decoder is pretrained on, as kinds/mlm.py is for encoders.

Raffel et al. 2020, section 3.1.4: spans of a text are masked, anew at each update, and the answer
says what stood in each. Our tokenizers have one mask and not a hundred, so that all spans have the
same: "a <mask> d" is answered by "<mask> b c". The module has the functions of a kind, of which
stages/pretrain.py alone knows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from xstilts.core.params import Training
from xstilts.kinds import mlm
from xstilts.kinds.base import Feature
from xstilts.kinds.generation import collate, loss, weight
from xstilts.kinds.mlm import rows_of

__all__ = ["collate", "draw", "encode", "loss", "rows_of", "weight"]

MEAN = 3  # tokens of a span


def encode(rows: list[Any], tokenizer: Any, length: int, stride: int) -> list[Feature]:
    """text </s>, cut at `length`; a row's pair follows its text."""
    return mlm.encode(rows, tokenizer, length, stride)


def draw(
    features: list[Feature], rng: Generator, tokenizer: Any, training: Training
) -> list[Feature]:
    """Mask spans of a batch: `training.mask` of the tokens of each text, at least one."""
    return [_corrupted(feature, rng, tokenizer, training.mask) for feature in features]


def _corrupted(feature: Feature, rng: Generator, tokenizer: Any, part: float) -> Feature:
    """A text with spans masked, and the answer."""
    ids = np.asarray(feature["ids"][0])[feature["free"]]
    inside = _spans(len(ids), part, rng)
    before = np.concatenate([[False], inside[:-1]])
    mask, end = tokenizer.mask_token_id, tokenizer.eos_token_id
    source: list[int] = []
    answer: list[int] = []
    for one, hidden, follows in zip(ids.tolist(), inside, before, strict=True):
        if hidden and not follows:
            source.append(mask)
            answer.append(mask)
        (answer if hidden else source).append(one)
    target = [*answer, end]
    given = [tokenizer.pad_token_id, *answer]
    return {**feature, "ids": [[*source, end]], "target": target, "given": given}


def _spans(size: int, part: float, rng: Generator) -> NDArray[np.bool_]:
    """Which of so many tokens are masked: runs of `MEAN` or less, at random places."""
    wanted = min(size, max(1, round(part * size)))
    inside = np.zeros(size, dtype=bool)
    while (lacks := wanted - int(inside.sum())) > 0:
        start = int(rng.integers(size))
        inside[start : start + min(MEAN, lacks)] = True
    return inside
