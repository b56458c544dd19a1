"""Tagging: the first sub-token of a word carries its tag; over-long sentences are split, not cut.

As google-research/xtreme third_party/utils_tag.py and its preprocessing do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from torch import Tensor, full, nn
from torch.nn.functional import cross_entropy

from xstilts.kinds.base import Feature, Row
from xstilts.model.heads import TokenHead


def texts(row: Row) -> list[tuple[str, str | None]]:
    """The sentence."""
    return [(" ".join(row["tokens"]), None)]


def encode(rows: list[Row], tokenizer: Any, length: int, stride: int) -> list[Feature]:
    """Words in order, each at its first sub-token; a new sequence where `length` is reached."""
    features: list[Feature] = []
    for index, row in enumerate(rows):
        tags = row.get("tags") or [-100] * len(row["tokens"])
        places: list[int]
        words = tokenizer(row["tokens"], add_special_tokens=False)["input_ids"]
        start, ids, places = 0, [tokenizer.cls_token_id], []
        for number, pieces in enumerate(words):
            # A word without pieces (only control characters) is still a token to be tagged.
            pieces = pieces[: length - 2] or [tokenizer.unk_token_id]
            if len(ids) + len(pieces) + 1 > length:
                features.append(_feature(index, start, ids, places, tags, tokenizer))
                start, ids, places = number, [tokenizer.cls_token_id], []
            places.append(len(ids))
            ids = ids + pieces
        features.append(_feature(index, start, ids, places, tags, tokenizer))
    return features


def _feature(
    row: int, start: int, ids: list[int], places: list[int], tags: list[int], tokenizer: Any
) -> Feature:
    """One sequence: `places[i]` is the position of word `start + i`."""
    return {
        "ids": [[*ids, tokenizer.sep_token_id]],
        "row": row,
        "places": places,
        "tags": tags[start : start + len(places)],
    }


def head(hidden: int, labels: list[str], dropout: float) -> nn.Module:
    """One output a tag at each position."""
    return TokenHead(hidden, len(labels), dropout)


def weight(feature: Feature) -> int:
    """One loss term a word."""
    return len(feature["places"])


def loss(output: Tensor, features: list[Feature]) -> Tensor:
    """Summed cross-entropy at first sub-tokens; output [b, l, tags]."""
    gold = full(output.shape[:2], -100, device=output.device)
    for i, feature in enumerate(features):
        for place, tag in zip(feature["places"], feature["tags"], strict=True):
            gold[i, place] = tag
    return cross_entropy(output.float().flatten(0, 1), gold.flatten(), reduction="sum")


def outputs(output: Tensor, features: list[Feature]) -> list[Any]:
    """The best tag of each word of each sequence."""
    best = output.argmax(-1).cpu().numpy()
    return [best[i, feature["places"]].tolist() for i, feature in enumerate(features)]


def decode(
    outputs: list[Any], features: list[Feature], rows: list[Row], labels: list[str]
) -> list[list[str]]:
    """Tag names of each sentence, its split parts put together again."""
    sentences: list[list[str]] = [[] for _ in rows]
    for tags, feature in zip(outputs, features, strict=True):
        sentences[feature["row"]] += [labels[tag] for tag in tags]
    return sentences


def references(rows: list[Row], labels: list[str]) -> list[list[str]]:
    """Gold tags by name."""
    return [[labels[tag] for tag in row["tags"]] for row in rows]


def shuffle(rows: list[Row], rng: Generator) -> list[Row]:
    """All tags of the set permuted over all its words."""
    pool = rng.permutation(np.concatenate([row["tags"] for row in rows])).tolist()
    out, start = [], 0
    for row in rows:
        end = start + len(row["tags"])
        out.append({**row, "tags": pool[start:end]})
        start = end
    return out
