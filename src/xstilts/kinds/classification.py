"""Classification of a text or a pair of texts by XLM-R's head on <s>."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from torch import Tensor, nn, tensor
from torch.nn.functional import cross_entropy

from xstilts.kinds.base import Feature, Row, encoded
from xstilts.model.heads import SequenceHead

__all__ = [
    "decode",
    "encode",
    "head",
    "loss",
    "outputs",
    "references",
    "shuffle",
    "texts",
    "weight",
]


def texts(row: Row) -> list[tuple[str, str | None]]:
    """Both texts, apart."""
    return [(text, None) for text in (row["text_a"], row["text_b"]) if text]


def encode(rows: list[Row], tokenizer: Any, length: int, stride: int) -> list[Feature]:
    """<s> a </s></s> b </s>, or <s> a </s> where there is no second text."""
    pairs = [(row["text_a"], row["text_b"]) for row in rows]
    return [
        {**feature, "row": i, "label": rows[i].get("label", -100)}
        for i, feature in enumerate(encoded(pairs, tokenizer, length))
    ]


def head(hidden: int, labels: list[str], dropout: float) -> nn.Module:
    """One output a label."""
    return SequenceHead(hidden, len(labels), dropout)


def loss(output: Tensor, features: list[Feature]) -> Tensor:
    """Summed cross-entropy; output [b, labels]."""
    gold = tensor([feature["label"] for feature in features], device=output.device)
    return cross_entropy(output.float(), gold, reduction="sum")


def outputs(output: Tensor, features: list[Feature]) -> list[Any]:
    """The most likely label of each row."""
    return [int(best) for best in output.argmax(-1).cpu()]


def shuffle(rows: list[Row], rng: Generator) -> list[Row]:
    """Labels permuted over rows: the distribution stays, the meaning goes."""
    permuted = rng.permutation(np.array([row["label"] for row in rows]))
    return [{**row, "label": int(label)} for row, label in zip(rows, permuted, strict=True)]


def weight(feature: Feature) -> int:
    """One loss term a row."""
    return 1


def decode(
    outputs: list[Any], features: list[Feature], rows: list[Row], labels: list[str]
) -> list[int]:
    """One label, or number of a choice, a row."""
    return list(outputs)


def references(rows: list[Row], labels: list[str]) -> list[int]:
    """Gold labels, or numbers of the right choices."""
    return [row["label"] for row in rows]
