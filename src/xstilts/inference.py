"""Predictions and embeddings without gradients; workers share the rows and all get the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import PreTrainedModel

from xstilts import batches
from xstilts.distributed import Workers
from xstilts.kinds import Feature, Row
from xstilts.model import embed


def predict(
    model: nn.Module, kind: Any, features: list[Feature], pad: int, batch: int, workers: Workers
) -> list[Any]:
    """`kind.outputs` of every feature, in order.

    The longest come first, so memory runs out at once or never.
    """
    order = sorted(range(len(features)), key=lambda i: (-batches.longest(features[i]), i))
    mine = order[workers.rank :: workers.size]
    found: list[Any] = []
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(mine), batch):
            part = [features[i] for i in mine[start : start + batch]]
            found += kind.outputs(model(**batches.collate(part, pad, workers.device)), part)
    results: list[Any] = [None] * len(features)
    for i, value in zip(order, workers.gather(found), strict=True):
        results[i] = value
    return results


@dataclass(frozen=True)
class Decoder:
    """A trained model as a function of rows: one prediction a row."""

    model: nn.Module
    kind: Any  # a module of xstilts.kinds
    labels: list[str]
    tokenizer: Any
    lengths: tuple[int, int]  # longest sequence and stride, in tokens
    batch: int
    workers: Workers

    def __call__(self, rows: list[Row]) -> list[Any]:
        """Predictions as the metric reads them."""
        features = self.kind.encode(rows, self.tokenizer, *self.lengths)
        pad = self.tokenizer.pad_token_id
        outputs = predict(self.model, self.kind, features, pad, self.batch, self.workers)
        found: list[Any] = self.kind.decode(outputs, features, rows, self.labels)
        return found


def embeddings(
    encoder: PreTrainedModel,
    texts: list[str],
    tokenizer: Any,
    layer: int,
    length: int,
    batch: int,
    workers: Workers,
) -> NDArray[np.float32]:
    """Mean-pooled states of one layer for each text: [texts, hidden]."""
    ids = tokenizer(texts, truncation=True, max_length=length)["input_ids"]
    order = sorted(range(len(ids)), key=lambda i: (-len(ids[i]), i))
    mine = order[workers.rank :: workers.size]
    found: list[NDArray[np.float32]] = []
    encoder.eval()
    with torch.inference_mode():
        for start in range(0, len(mine), batch):
            part: list[Feature] = [{"ids": [ids[i]]} for i in mine[start : start + batch]]
            tensors = batches.collate(part, tokenizer.pad_token_id, workers.device)
            found += list(embed(encoder, **tensors, layer=layer).float().cpu().numpy())
    matrix = np.empty((len(ids), len(found[0])), dtype=np.float32)
    matrix[order] = np.stack(workers.gather(found))
    return matrix
