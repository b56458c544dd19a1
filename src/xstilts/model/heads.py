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
        last, parts = states[-1], self.weights(states)
        mixed = sum(parts[..., i, None] * state for i, state in enumerate(states))
        output: Tensor = self.norm(last + self.value(mixed))
        return output

    def weights(self, states: Sequence[Tensor]) -> Tensor:
        """What each layer counts for at each position, 1 in all: [b, l, layers]."""
        last = states[-1]
        query = self.query(last) / math.sqrt(last.shape[-1])
        scores = torch.stack([(query * state).sum(-1) for state in states], -1)
        return scores.float().softmax(-1).to(last.dtype)


class WithHeads(nn.Module):
    """An encoder and a head for each part of what is learnt.

    Attributes:
        encoder: what passes on to the next phase.
        heads: one a part, in order; each maps the encoder's states [b, l, hidden] to its output.
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
        self.typed = getattr(encoder.config, "type_vocab_size", 0) > 1

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        masked: Tensor | None = None,
        part: int = 0,
    ) -> Tensor:
        """The output of one part's head.

        Args:
            input_ids: [b, l]; so are all other tensors.
            attention_mask: 1 at tokens, 0 at pads.
            token_type_ids: for encoders that know two types of text; the others ignore them.
            masked: positions that the head is to see alone (bool): states become [m, hidden].
            part: whose head.
        """
        states = self._states(input_ids, attention_mask, token_type_ids)
        hidden = self._read(part, states)
        output: Tensor = self.heads[part](hidden if masked is None else hidden[masked])
        if self.training and len(self.heads) > 1:
            output = output + self._idle(part, states).to(output.dtype)
        return output

    def layer_weights(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        part: int = 0,
    ) -> Tensor:
        """What each layer counts for where a part's head reads: [sequences, layers], 1 in all.

        A `TokenHead` reads every token, and the mean over them is given; others read the first.
        """
        fusion = self.fusions[str(part)]
        assert isinstance(fusion, LayerAttention)
        found = fusion.weights(self._states(input_ids, attention_mask, token_type_ids)).float()
        if not isinstance(self.heads[part], TokenHead):
            return found[:, 0]
        tokens = attention_mask[..., None].float()
        return (found * tokens).sum(1) / tokens.sum(1)

    def _states(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None
    ) -> list[Tensor]:
        """The last layer's states [b, l, hidden]; those of all layers where a head reads them."""
        types = {"token_type_ids": token_type_ids} if self.typed else {}
        found = self.encoder(
            input_ids=input_ids,
            attention_mask=attention_mask,
            output_hidden_states=bool(self.fusions),
            **types,
        )
        last = found.last_hidden_state
        # The embeddings, which come first, are no layer; a final norm may be missing in the rest.
        return [*found.hidden_states[1:-1], last] if self.fusions else [last]

    def _read(self, part: int, states: list[Tensor]) -> Tensor:
        """What a part's head reads: the last layer, or all of them fused."""
        if str(part) not in self.fusions:
            return states[-1]
        fused: Tensor = self.fusions[str(part)](states)
        return fused

    def _idle(self, part: int, states: list[Tensor]) -> Tensor:
        """Zero, by way of every other head, so that each weight has a gradient at each update.

        Without it stage 3 of ZeRO trains them on what is left of older gradients (tried with
        DeepSpeed 0.19.8). AdamW still moves such a head by its momentum and its decay.
        """
        token = [state[:1, :1] for state in states]
        others = [i for i in range(len(self.heads)) if i != part]
        sums = [self.heads[i](self._read(i, token)).float().sum() for i in others]
        return 0.0 * torch.stack(sums).sum()
