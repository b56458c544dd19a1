"""Sentence embeddings without any training: a layer's states, pooled over the tokens.

Both pooling rules of the published protocols: the mean over all non-pad positions, special tokens
included (jiant's taskmodels.py; `mean_pool_embedding` of evaluate_retrieval.py in
google-research/xtreme, commit 838c13b), and the first token's state (`cls_pool_embedding` there).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from xstilts.core.errors import UserError
from xstilts.kinds import retrieval
from xstilts.kinds.store import NOT_KEPT, Store
from xstilts.training.engine import Workers
from xstilts.training.predict import predict

Pooling = Literal["mean", "cls"]


def embed(
    encoder: PreTrainedModel,
    input_ids: Tensor,
    attention_mask: Tensor,
    layer: int,
    pooling: Pooling = "mean",
) -> Tensor:
    """Pooled states of one hidden layer (0 = embeddings) of ids and mask [b, l] -> [b, hidden]."""
    outputs: Any = encoder(
        input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True
    )
    every = outputs.hidden_states
    # The last layer's states are normed once more in some encoders, after these were noted.
    last = layer in (-1, len(every) - 1)
    states: Tensor = outputs.last_hidden_state if last else every[layer]
    if pooling == "cls":
        return states[:, 0]
    mask = attention_mask.unsqueeze(-1).to(states.dtype)
    return (states * mask).sum(1) / mask.sum(1)


class Pooled(nn.Module):
    """An encoder as a function from ids [b, l] and mask [b, l] to embeddings [b, hidden]."""

    def __init__(self, encoder: PreTrainedModel, layer: int, pooling: Pooling) -> None:
        """Raises UserError where the encoder has no such layer."""
        super().__init__()
        layers = encoder.config.num_hidden_layers
        if not -layers - 1 <= layer <= layers:
            raise UserError(
                f"the target's `layer` is {layer}, but the encoder has {layers} layers. "
                f"Mend: give 0 (embeddings) to {layers} in the study's target"
            )
        self.encoder, self.layer, self.pooling = encoder, layer, pooling

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """See `embed`."""
        return embed(self.encoder, input_ids, attention_mask, self.layer, self.pooling)


def embeddings(
    pooled: Pooled,
    texts: list[str],
    tokenizer: Any,
    length: int,
    batch: int,
    workers: Workers,
    store: Store = NOT_KEPT,
) -> NDArray[np.float32]:
    """One row a text, cut at `length` tokens: [texts, hidden]; all workers get all rows."""
    features = store(retrieval.encode_texts, texts, tokenizer, length)
    found = predict(pooled, retrieval, features, tokenizer.pad_token_id, batch, workers)
    return np.stack(found)
