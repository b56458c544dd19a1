"""Sentence embeddings without any training: a layer's states, pooled over the tokens.

Both pooling rules of the published protocols: the mean over all non-pad positions, special tokens
included (jiant's taskmodels.py; `mean_pool_embedding` of evaluate_retrieval.py in
google-research/xtreme, commit 838c13b), and the first token's state (`cls_pool_embedding` there).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from xstilts.core.errors import UserError
from xstilts.kinds import retrieval
from xstilts.kinds.store import NOT_KEPT, Store
from xstilts.model import packed
from xstilts.model.packed import Packed
from xstilts.training.engine import Workers
from xstilts.training.predict import predict

Pooling = Literal["mean", "cls"]


def embed(encoder: PreTrainedModel, batch: Packed, layer: int, pooling: Pooling = "mean") -> Tensor:
    """Pooled states of one hidden layer (0 = embeddings) of a batch -> [sequences, hidden]."""
    states = packed.run(encoder, batch, every=True)[layer]
    if pooling == "cls":
        return packed.pick(states, batch.read)
    parts = states[: sum(batch.lengths)].split(batch.lengths)
    return torch.stack([part.mean(0) for part in parts])


class Pooled(nn.Module):
    """An encoder as a function from a batch to embeddings [sequences, hidden]."""

    def __init__(self, encoder: PreTrainedModel, layer: int, pooling: Pooling) -> None:
        """Raises UserError where the encoder has no such layer."""
        super().__init__()
        layers = encoder.config.num_hidden_layers
        if not -layers - 1 <= layer <= layers:
            raise UserError(
                f"the target's `layer` is {layer}, but the encoder has {layers} layers. "
                f"Mend: give 0 (embeddings) to {layers} in the study's target"
            )
        packed.prepare(encoder)
        self.encoder, self.layer, self.pooling = encoder, layer, pooling

    def forward(self, batch: Packed) -> Tensor:
        """See `embed`."""
        return embed(self.encoder, batch, self.layer, self.pooling)


def embeddings(
    pooled: Pooled,
    texts: list[str],
    tokenizer: Any,
    length: int,
    size: int,
    workers: Workers,
    store: Store = NOT_KEPT,
) -> NDArray[np.float32]:
    """One row a text, cut at `length` tokens: [texts, hidden]; all workers get all rows.

    Args:
        size: tokens per forward pass.
    """
    features = store(retrieval.encode_texts, texts, tokenizer, length)
    found = predict(pooled, retrieval, features, tokenizer.pad_token_id, size, workers)
    return np.stack(found)
