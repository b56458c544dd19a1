"""Multiple choice: every choice is scored by the head on <s>; the best one is the answer.

A pair is the context with its question, and a choice: as run_xcopa.py of google-research/xtreme
(commit 838c13b) and jiant (commit daa5a258: cosmosqa.py, socialiqa.py) have it. Where the text goes
on after the context (HellaSwag), the choices of a row begin with it, as in jiant's hellaswag.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from torch import Tensor, nn, tensor
from torch.nn.functional import cross_entropy

from xstilts.kinds.base import Feature, Row, encoded
from xstilts.kinds.classification import decode, references, weight
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
    """The context with its question, and the right choice."""
    return [(text, None) for text in (_asked(row), row["choices"][row["label"]]) if text]


def _asked(row: Row) -> str:
    """The first text of a pair: context and question."""
    return f"{row['context']} {row['question']}".strip()


def encode(rows: list[Row], tokenizer: Any, length: int, stride: int) -> list[Feature]:
    """A sequence a choice: <s> context question </s></s> choice </s>, the longer part cut first."""
    pairs = [(_asked(row), choice) for row in rows for choice in row["choices"]]
    sequences = iter(encoded(pairs, tokenizer, length))
    features: list[Feature] = []
    for index, row in enumerate(rows):
        own = [next(sequences) for _ in row["choices"]]
        joined = {name: [one[name][0] for one in own] for name in own[0]}
        features.append({**joined, "row": index, "label": row.get("label", -100)})
    return features


def head(hidden: int, labels: list[str], dropout: float) -> nn.Module:
    """One score a choice."""
    return SequenceHead(hidden, 1, dropout)


def _choices(output: Tensor, features: list[Feature]) -> list[Tensor]:
    """Scores [sequences, 1] cut into one vector a row; rows may differ in their choices."""
    return list(output.squeeze(-1).split([len(feature["ids"]) for feature in features]))


def loss(output: Tensor, features: list[Feature]) -> Tensor:
    """Summed cross-entropy over the choices of each row."""
    total = output.new_zeros((), dtype=output.float().dtype)
    for scores, feature in zip(_choices(output, features), features, strict=True):
        gold = tensor(feature["label"], device=output.device)
        total = total + cross_entropy(scores.float(), gold, reduction="sum")
    return total


def outputs(output: Tensor, features: list[Feature]) -> list[Any]:
    """The best choice of each row."""
    return [int(scores.argmax()) for scores in _choices(output, features)]


def shuffle(rows: list[Row], rng: Generator) -> list[Row]:
    """A random choice is called right."""
    drawn = [int(rng.integers(len(row["choices"]))) for row in rows]
    return [
        {**row, "label": label} for row, label in zip(rows, np.array(drawn).tolist(), strict=True)
    ]
