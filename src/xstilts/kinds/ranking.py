"""Ranking of candidates for a query (LAReQA, Mewsli-X) by a dual encoder with tied weights.

As `BertForRetrieval` of google-research/xtreme (third_party/bert.py, commit 838c13b): a text is its
<s> state through a dense layer and tanh, as a unit vector; a query and a candidate are as close as
their cosine times a learnt scale that starts at 100; cross-entropy over the candidates of the
queries in one micro-batch. There the micro-batch was that of the hardware; here a group of
`negatives` queries is one feature, so neither micro-batch nor processes change a loss. As there, a
positive that two queries of a group share is a negative of each.

Texts, as in processors/lareqa.py, processors/mewslix.py and evaluate_retrieval.py: a query of at
most 96 tokens (`max_length` where that is less); a candidate is one text, in training as in
scoring: the sentence directly followed by its context, without line breaks. For XLM-R the scripts
(train_lareqa.sh, train_mewslix.sh and their evaluation) say --do_lower_case, for mBERT they do not;
so the text of an encoder with XLM-R's layout of pairs is lower-cased. Unlike there, the dense layer
always starts fresh.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from xstilts.core.errors import UserError
from xstilts.core.params import Training
from xstilts.kinds.base import Feature, Row, encoded
from xstilts.kinds.spec import filled
from xstilts.model.tokenizer import separators

MAX_QUERY = 96  # tokens, special ones included: scripts/train_lareqa.sh
SCALE = 100.0


def texts(row: Row) -> list[tuple[str, str | None]]:
    """The query, and the positive's context (which holds its sentence); or a candidate's."""
    names = (("pair", "text"), ("positive_pair", "positive"))
    found = (next((row[name] for name in either if row.get(name)), None) for either in names)
    return [(text, None) for text in found if text]


def encode(rows: list[Row], tokenizer: Any, length: int, stride: int) -> list[Feature]:
    """<s> query </s> and <s> sentence and context </s> of each training row."""
    queries = encode_queries(rows, tokenizer, length)
    right = [{"text": row["positive"], "pair": row["positive_pair"]} for row in rows]
    both = zip(queries, encode_candidates(right, tokenizer, length), strict=True)
    return [
        {**{name: query[name] + positive[name] for name in query}, "row": i}
        for i, (query, positive) in enumerate(both)
    ]


def read(rows: list[Row], tokenizer: Any, length: int) -> list[Feature]:
    """All that rows of any split are read as: training rows, queries, candidates of a pool."""
    trained = [row for row in rows if filled(row["positive"])]
    asked = [row for row in rows if row["relevant"]]
    pool = [row for row in rows if not (filled(row["positive"]) or row["relevant"])]
    return [
        *encode(trained, tokenizer, length, length),
        *encode_queries(asked, tokenizer, length),
        *encode_candidates(pool, tokenizer, length),
    ]


def encode_queries(rows: list[Row], tokenizer: Any, length: int) -> list[Feature]:
    """<s> query </s> of each row."""
    return _encoded([row["text"] for row in rows], tokenizer, min(length, MAX_QUERY))


def encode_candidates(rows: list[Row], tokenizer: Any, length: int) -> list[Feature]:
    """<s> sentence and context </s> of each row of the pool."""
    joined = [(row["text"] + (row["pair"] or "")).replace("\n", "") for row in rows]
    return _encoded(joined, tokenizer, length)


def _encoded(texts: list[str], tokenizer: Any, length: int) -> list[Feature]:
    """Each text alone, cased as the scripts have it."""
    lower = len(separators(tokenizer)) > 1
    # Character by character, as there: a sigma that ends a word is lower-cased like any other.
    cased = ["".join(map(str.lower, text)) if lower else text for text in texts]
    return encoded([(text.strip(), None) for text in cased], tokenizer, length)


class EncodingHead(nn.Module):
    """<s> through dense and tanh, as a vector of length sqrt(scale), float32.

    So the product of two outputs is scale times the cosine, and the scale is learnt.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden, hidden)
        self.scale = nn.Parameter(torch.full((1,), SCALE))

    def forward(self, hidden: Tensor) -> Tensor:
        """[sequences, hidden] -> the same."""
        pooled = torch.tanh(self.dense(hidden))
        return normalize(pooled.float(), dim=-1) * self.scale.float().sqrt()


def head(hidden: int, labels: list[str], dropout: float) -> nn.Module:
    """An encoding; without dropout, as BERT's pooler."""
    return EncodingHead(hidden)


def unit(training: Training) -> int:
    """Queries in a drawn feature.

    Raises:
        UserError: the batch is no whole number of groups.
    """
    if training.batch % training.negatives:
        raise UserError(
            f"a batch of {training.batch} queries is no whole number of groups of "
            f"{training.negatives}. Mend: change the study's `batch` or `negatives`"
        )
    return training.negatives


def draw(
    features: list[Feature], rng: Generator, tokenizer: Any, training: Training
) -> list[Feature]:
    """Groups of `negatives` queries, in the batch's order: ids [q1 .. qn, c1 .. cn] each."""
    size = unit(training)
    starts = range(0, len(features), size)
    return [_group(features[start : start + size]) for start in starts]


def _group(members: list[Feature]) -> Feature:
    """One feature of several: first all queries, then all positives; `row` is the first one's."""
    names = [name for name in ("ids", "types") if name in members[0]]
    group = {name: [one[name][side] for side in (0, 1) for one in members] for name in names}
    return group | {"row": members[0]["row"]}


def weight(feature: Feature) -> int:
    """One loss term a query."""
    return len(feature["ids"]) // 2


def loss(output: Tensor, features: list[Feature]) -> Tensor:
    """Summed cross-entropy of each query over its group's positives; output [sequences, hidden]."""
    total = output.new_zeros((), dtype=torch.float32)
    sizes = [len(feature["ids"]) for feature in features]
    for group in output.float().split(sizes):
        queries, positives = group.chunk(2)
        gold = torch.arange(len(queries), device=output.device)
        total = total + cross_entropy(queries @ positives.T, gold, reduction="sum")
    return total


def outputs(output: Tensor, features: list[Feature]) -> list[Any]:
    """The unit vector [hidden] of each text, float32."""
    return list(normalize(output.float(), dim=-1).cpu().numpy())


def references(rows: list[Row], labels: list[str]) -> list[list[str]]:
    """Of each query the ids of its relevant candidates."""
    return [list(row["relevant"]) for row in rows]


def shuffle(rows: list[Row], rng: Generator) -> list[Row]:
    """Positives permuted over queries."""
    names = ("positive", "positive_pair")
    order = rng.permutation(np.arange(len(rows))).tolist()
    return [
        {**row, **{name: rows[other][name] for name in names}}
        for row, other in zip(rows, order, strict=True)
    ]
