"""Masked language modelling: a part of the tokens, of these 80 % masked, 10 % random, 10 % kept.

Devlin et al. 2019, section 3.1; masks are drawn anew at every update (Liu et al. 2019).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from torch import Tensor, tensor
from torch.nn.functional import cross_entropy

from xstilts.kinds import Feature, Row


def texts(row: Row) -> list[tuple[str, str | None]]:
    """The text and, where it has one, its pair (a translation, for example)."""
    return [(row["text"], row["pair"])]


def encode(rows: list[Row], tokenizer: Any, length: int, stride: int) -> list[Feature]:
    """<s> text </s> or <s> text </s></s> pair </s>, cut at `length`."""
    special = np.array(sorted(tokenizer.all_special_ids))
    features: list[Feature] = []
    for paired in (False, True):
        chosen = [i for i, row in enumerate(rows) if (row["pair"] is not None) == paired]
        if not chosen:
            continue
        firsts = [rows[i]["text"] for i in chosen]
        seconds = [rows[i]["pair"] for i in chosen] if paired else None
        encoded = tokenizer(firsts, seconds, truncation=True, max_length=length)["input_ids"]
        for i, ids in zip(chosen, encoded, strict=True):
            free = np.flatnonzero(~np.isin(ids, special))
            if len(free):
                features.append({"ids": [ids], "row": i, "free": free})
    return sorted(features, key=lambda feature: feature["row"])


def draw(
    features: list[Feature], rng: Generator, tokenizer: Any, part: float = 0.15
) -> list[Feature]:
    """Mask a batch: new ids, the masked positions, and what stood there."""
    first, end = 4, tokenizer.mask_token_id  # XLM-R's layout: <s> <pad> </s> <unk>, pieces, <mask>
    drawn = []
    for feature in features:
        ids = np.array(feature["ids"][0])
        count = max(1, round(part * len(feature["free"])))
        places = np.sort(rng.choice(feature["free"], count, replace=False))
        gold = ids[places]
        fate = rng.random(count)
        noise = rng.integers(first, end, count)
        ids[places] = np.where(
            fate < 0.8, tokenizer.mask_token_id, np.where(fate < 0.9, noise, gold)
        )
        drawn.append({**feature, "ids": [ids.tolist()], "masked": places, "gold": gold})
    return drawn


def weight(feature: Feature) -> int:
    """One loss term a masked token."""
    return len(feature["masked"])


def loss(output: Tensor, features: list[Feature]) -> Tensor:
    """Summed cross-entropy; output [masked tokens of the micro-batch, vocabulary]."""
    gold = tensor(np.concatenate([feature["gold"] for feature in features]), device=output.device)
    return cross_entropy(output.float(), gold, reduction="sum")
