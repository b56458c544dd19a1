"""What sits on an encoder: heads for sequences and tokens, attention over its layers, the whole.

Plain torch, any encoder. Each of `kinds` names its head; training/finetune.py puts encoder and
heads together (`WithHeads`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from xstilts.model import packed
from xstilts.model.packed import Packed


class SequenceHead(nn.Module):
    """XLM-R's own head on <s>: dropout, dense, tanh, dropout, projection."""

    def __init__(self, hidden: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(hidden, outputs)

    def forward(self, hidden: Tensor) -> Tensor:
        """[sequences, hidden] -> [sequences, outputs]."""
        pooled = torch.tanh(self.dense(self.dropout(hidden)))
        output: Tensor = self.project(self.dropout(pooled))
        return output


class TokenHead(nn.Module):
    """Dropout and a projection of every token that is read."""

    def __init__(self, hidden: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(hidden, outputs)

    def forward(self, hidden: Tensor) -> Tensor:
        """[m, hidden] -> [m, outputs]."""
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
        """States of all layers, lowest first, [m, hidden] each -> [m, hidden]."""
        last, parts = states[-1], self.weights(states)
        mixed = sum(parts[..., i, None] * state for i, state in enumerate(states))
        output: Tensor = self.norm(last + self.value(mixed))
        return output

    def weights(self, states: Sequence[Tensor]) -> Tensor:
        """What each layer counts for at each token, 1 in all: [m, layers]."""
        last = states[-1]
        query = self.query(last) / math.sqrt(last.shape[-1])
        scores = torch.stack([(query * state).sum(-1) for state in states], -1)
        return scores.float().softmax(-1).to(last.dtype)


class WithHeads(nn.Module):
    """An encoder and a head for each part of what is learnt.

    Attributes:
        encoder: what passes on to the next phase.
        heads: one a part, in order; each maps the states [m, hidden] that its kind reads.
        fusions: part number -> the `heads.LayerAttention` before its head; others read the last
            layer.
    """

    def __init__(
        self,
        encoder: PreTrainedModel,
        heads: Sequence[nn.Module],
        fusions: Mapping[int, nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.heads = nn.ModuleList(heads)
        named = {str(part): fusion for part, fusion in (fusions or {}).items()}
        self.fusions = nn.ModuleDict(named)
        packed.prepare(encoder)

    def forward(self, batch: Packed, part: int = 0) -> Tensor:
        """The output of one part's head, [m, ...] for the m tokens that it reads."""
        states = self._states(batch)
        read = [packed.pick(state, batch.read) for state in states]
        output: Tensor = self.heads[part](self._fused(part, read))
        if self.training and len(self.heads) > 1:
            output = output + self._idle(part, states).to(output.dtype)
        return output

    def layer_weights(self, batch: Packed, part: int = 0) -> Tensor:
        """What each layer counts for where a part's head reads: [m, layers], 1 in all."""
        fusion = self.fusions[str(part)]
        assert isinstance(fusion, LayerAttention)
        read = [packed.pick(state, batch.read) for state in self._states(batch)]
        return fusion.weights(read).float()

    def _states(self, batch: Packed) -> list[Tensor]:
        """The last layer's states [tokens, hidden]; of all layers where a head reads them."""
        states = packed.run(self.encoder, batch, every=bool(self.fusions))
        return states[1:] if self.fusions else states  # the embeddings are no layer

    def _fused(self, part: int, states: list[Tensor]) -> Tensor:
        """What a part's head sees: the last layer, or all of them fused."""
        if str(part) not in self.fusions:
            return states[-1]
        fused: Tensor = self.fusions[str(part)](states)
        return fused

    def _idle(self, part: int, states: list[Tensor]) -> Tensor:
        """Zero, by way of every other head, so that each weight has a gradient at each update.

        Without it stage 3 of ZeRO trains them on what is left of older gradients (tried with
        DeepSpeed 0.19.8). AdamW still moves such a head by its momentum and its decay.
        """
        token = [state[:1] for state in states]
        others = [i for i in range(len(self.heads)) if i != part]
        sums = [self.heads[i](self._fused(i, token)).float().sum() for i in others]
        return 0.0 * torch.stack(sums).sum()
