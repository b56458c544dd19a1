"""A kind that the project does not know: are two texts alike? With columns that no other kind has.

Its predictions are its own, too: a pair is read in both orders, so there is nothing to decode.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from torch import Tensor, nn, tensor
from torch.nn.functional import cross_entropy

from xstilts.kinds.base import Feature, Row, encoded
from xstilts.kinds.spec import NUMBER, TEXT, Spec
from xstilts.model.heads import SequenceHead
from xstilts.training.predict import Decoder
from xstilts.training.predict import predict as outputs_of


def _wrong(row: Row, labels: int, split: str) -> str | None:
    known = row["alike"] in range(labels)
    return None if known else f"alike is {row['alike']!r}"


SPEC = Spec(
    columns={"left": TEXT, "right": TEXT, "alike": NUMBER},
    reads=("left", "right"),
    needed=("left", "right"),
    tokens=40,
    wrong=_wrong,
    shape="pair",
)


def texts(row: Row) -> list[tuple[str, str | None]]:
    """Both texts, apart."""
    return [(row["left"], None), (row["right"], None)]


def encode(rows: list[Row], tokenizer: Any, length: int, stride: int) -> list[Feature]:
    """Left, then right."""
    pairs = [(row["left"], row["right"]) for row in rows]
    return [
        {**feature, "row": i, "alike": rows[i]["alike"]}
        for i, feature in enumerate(encoded(pairs, tokenizer, length))
    ]


def head(hidden: int, labels: list[str], dropout: float) -> nn.Module:
    """One output a degree of likeness."""
    return SequenceHead(hidden, len(labels), dropout)


def weight(feature: Feature) -> int:
    """One loss term a pair."""
    return 1


def loss(output: Tensor, features: list[Feature]) -> Tensor:
    """Summed cross-entropy."""
    gold = tensor([feature["alike"] for feature in features], device=output.device)
    return cross_entropy(output.float(), gold, reduction="sum")


def outputs(output: Tensor, features: list[Feature]) -> list[Any]:
    """Scores of each order of a pair."""
    return list(output.float().cpu().numpy())


def predict(decoder: Decoder, rows: list[Row]) -> list[int]:
    """The likeness that both orders together make most likely."""
    turned = [{**row, "left": row["right"], "right": row["left"]} for row in rows]
    features = encode([*rows, *turned], decoder.tokenizer, *decoder.lengths)
    scores = outputs_of(
        decoder.model,
        decoder.kind,
        features,
        decoder.tokenizer.pad_token_id,
        decoder.tokens,
        decoder.workers,
        decoder.part,
    )
    both = np.stack(scores[: len(rows)]) + np.stack(scores[len(rows) :])
    return [int(best) for best in both.argmax(-1)]


def references(rows: list[Row], labels: list[str]) -> list[int]:
    """How alike they are."""
    return [row["alike"] for row in rows]


def shuffle(rows: list[Row], rng: Generator) -> list[Row]:
    """Likenesses permuted over the pairs."""
    order = rng.permutation(len(rows))
    return [
        {**row, "alike": rows[int(other)]["alike"]} for row, other in zip(rows, order, strict=True)
    ]
