"""What sits on an encoder: heads for sequences and tokens, and attention over its layers.

Used by `kinds` (one head a kind) and `model.WithHeads`; plain torch, any encoder.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class SequenceHead(nn.Module):
    """XLM-R's own head on <s>: dropout, dense, tanh, dropout, projection -> [b, outputs]."""

    def __init__(self, hidden: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(hidden, outputs)

    def forward(self, hidden: Tensor) -> Tensor:
        """[b, l, hidden] -> [b, outputs]."""
        pooled = torch.tanh(self.dense(self.dropout(hidden[:, 0])))
        output: Tensor = self.project(self.dropout(pooled))
        return output


class TokenHead(nn.Module):
    """Dropout and a projection of every position -> [b, l, outputs]."""

    def __init__(self, hidden: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(hidden, outputs)

    def forward(self, hidden: Tensor) -> Tensor:
        """[b, l, hidden] -> [b, l, outputs]."""
        output: Tensor = self.project(self.dropout(hidden))
        return output


class LayerAttention(nn.Module):
    """Fuse an encoder's layers by attention before a head reads them (after arXiv 2205.08497).

    The idea is that paper's: lower layers hold cross-lingual information that the last one has
    lost, and an attention module aggregates them with it. Its code is not published, so this is a
    plain form of it. At each position, with h_1 ... h_L the states after each layer (embeddings
    left out) and d their width:

        a_i = softmax over i of (W h_L) . h_i / sqrt(d),    i = 1 ... L
        output = LayerNorm(h_L + V sum_i a_i h_i)

    W and V (d x d, no bias) stand for the products of the usual query and key, and value and
    output projections. The last layer asks, and is among those that answer.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.value = nn.Linear(hidden, hidden, bias=False)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        """States of all layers, lowest first, [b, l, hidden] each -> [b, l, hidden]."""
        last = states[-1]
        query = self.query(last) / math.sqrt(last.shape[-1])
        scores = torch.stack([(query * state).sum(-1) for state in states], -1)
        parts = scores.float().softmax(-1).to(last.dtype)
        mixed = sum(parts[..., i, None] * state for i, state in enumerate(states))
        output: Tensor = self.norm(last + self.value(mixed))
        return output
