"""Tagging: the first sub-token of a word carries its tag; over-long sentences are split, not cut.

As google-research/xtreme, commit 838c13b, does it: utils_preprocess.py (`udpos_tokenize`,
`panx_tokenize`) and third_party/utils_tag.py, which ends a sequence with </s></s> for XLM-R. Its
loss is the mean of the means of micro-batches; here it is the mean over the words of a batch, so
that the hardware decides nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, long, nn, tensor
from torch.nn.functional import cross_entropy

from xstilts.kinds.base import Feature, Row
from xstilts.model.heads import TokenHead
from xstilts.model.tokenizer import separators

IGNORED = -100  # the label of a token that is not scored


def texts(row: Row) -> list[tuple[str, str | None]]:
    """The sentence."""
    return [(" ".join(row["tokens"]), None)]


def encode(rows: list[Row], tokenizer: Any, length: int, stride: int) -> list[Feature]:
    """<s> words </s></s>, each word at its first token; a new sequence where `length` is reached.

    A word without tokens (only control characters), or with more than a sequence holds, is the
    unknown token: it is still to be tagged. Of a word with a space in it, the first part is read.
    """
    room = length - 1 - len(separators(tokenizer))
    features: list[Feature] = []
    for index, row in enumerate(rows):
        tags = row.get("tags") or [IGNORED] * len(row["tokens"])
        words = [next(iter(word.split()), "") for word in row["tokens"]]
        start = 0
        ids: list[int] = []
        places: list[int] = []
        for number, pieces in enumerate(tokenizer(words, add_special_tokens=False)["input_ids"]):
            own = pieces if 0 < len(pieces) <= room else [tokenizer.unk_token_id]
            if len(ids) + len(own) > room:
                features.append(_feature(index, start, ids, places, tags, tokenizer))
                start, ids, places = number, [], []
            places.append(1 + len(ids))
            ids = ids + own
        features.append(_feature(index, start, ids, places, tags, tokenizer))
    return features


def _feature(
    row: int, start: int, ids: list[int], places: list[int], tags: list[int], tokenizer: Any
) -> Feature:
    """One sequence: `places[i]` is the position of word `start + i`."""
    return {
        "ids": [[tokenizer.cls_token_id, *ids, *separators(tokenizer)]],
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


def positions(features: list[Feature], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first token of each word."""
    pairs = zip(starts, features, strict=True)
    return np.array([start + place for start, one in pairs for place in one["places"]], np.int64)


def loss(output: Tensor, features: list[Feature]) -> Tensor:
    """Summed cross-entropy; output [words, tags]."""
    tags = [tag for feature in features for tag in feature["tags"]]
    gold = tensor(tags, dtype=long, device=output.device)
    return cross_entropy(output.float(), gold, reduction="sum")


def outputs(output: Tensor, features: list[Feature]) -> list[Any]:
    """The best tag of each word of each sequence."""
    ends = np.cumsum([len(feature["places"]) for feature in features])[:-1]
    return [best.tolist() for best in np.split(output.argmax(-1).cpu().numpy(), ends)]


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
