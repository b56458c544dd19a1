"""Predictions without gradients; workers share the rows and all get the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from xstilts.core import kernels
from xstilts.kinds.base import Feature, Row
from xstilts.kinds.store import NOT_KEPT, Store
from xstilts.model import vocabulary
from xstilts.training import batches
from xstilts.training.engine import Workers


def predict(
    model: nn.Module,
    kind: Any,
    features: Sequence[Feature],
    pad: int,
    tokens: int,
    workers: Workers,
    part: int | None = None,
    precision: str = "fp32",
) -> list[Any]:
    """`kind.outputs` of every feature, in order.

    The longest come first, so memory runs out at once or never. `tokens` go through the model at a
    time, or one feature. `part` chooses the head of a `heads.WithHeads`; other models are not told.
    `precision` is that of the training.

    Raises:
        UserError: a feature has a piece whose vector the model lacks.
    """
    vocabulary.check(model, features)
    chosen = {} if part is None else {"part": part}
    model.eval()

    def outputs(some: list[Feature]) -> list[Any]:
        packed = batches.collate(some, kind, pad, workers.device)
        own: list[Any] = kind.outputs(model(packed, **chosen), some)
        return own

    return in_runs(model, features, outputs, tokens, workers, precision)


def in_runs(
    model: nn.Module,
    features: Sequence[Feature],
    outputs: Callable[[list[Feature]], list[Any]],
    tokens: int,
    workers: Workers,
    precision: str,
) -> list[Any]:
    """What `outputs` gives of some features after the others, one a feature, in order.

    Args:
        model: what `outputs` asks, in several threads where that can be.
    """
    order = sorted(range(len(features)), key=lambda i: (-batches.longest(features[i]), i))
    mine = order[workers.rank :: workers.size]

    def own(some: list[Feature]) -> list[Any]:
        with torch.inference_mode():  # of this thread
            return outputs(some)

    runs = batches.cut((features[i] for i in mine), tokens)
    each = map if _gathered(model) else kernels.each
    with _products(precision, workers.device):
        found = [one for some in each(own, runs) for one in some]
    results: list[Any] = [None] * len(features)
    for i, value in zip(order, workers.gather(found), strict=True):
        results[i] = value
    return results


def _gathered(model: nn.Module) -> bool:
    """Whether ZeRO 3 gathers weights layer by layer, which it cannot do for two threads at once."""
    cut = getattr(model, "zero_optimization_partition_weights", None)
    return cut is not None and bool(cut())


@contextmanager
def _products(precision: str, where: torch.device) -> Iterator[None]:
    """On a GPU, float32 products by TF32 where the model was trained in bf16.

    TF32 keeps more digits of their factors than bf16 did; sums and all else stay float32.
    """
    usual = torch.get_float32_matmul_precision()
    if precision == "bf16" and where.type == "cuda":
        torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(usual)


@dataclass(frozen=True)
class Decoder:
    """A trained model as a function of rows: one prediction a row."""

    model: nn.Module
    kind: Any  # a module of xstilts.kinds
    labels: list[str]
    tokenizer: Any
    lengths: tuple[int, ...]  # what the kind's `encode` is told, in tokens: the longest first
    tokens: int  # per forward pass
    workers: Workers
    part: int = 0  # of the model's heads
    precision: str = "fp32"  # of its training
    store: Store = NOT_KEPT
    beams: int = 1  # of a kind that searches

    def in_runs(
        self, features: Sequence[Feature], outputs: Callable[[list[Feature]], list[Any]]
    ) -> list[Any]:
        """For a kind's own `predict`: see `in_runs`; the model is made ready for it."""
        vocabulary.check(self.model, features)
        self.model.eval()
        how = (self.tokens, self.workers, self.precision)
        return in_runs(self.model, features, outputs, *how)

    def __call__(self, rows: list[Row]) -> list[Any]:
        """Predictions as the metric reads them, by the kind's own `predict` where it has one."""
        if hasattr(self.kind, "predict"):
            own: list[Any] = self.kind.predict(self, rows)
            return own
        features = self.store(self.kind.encode, rows, self.tokenizer, *self.lengths)
        pad = self.tokenizer.pad_token_id
        size, how = (self.tokens, self.workers), (self.part, self.precision)
        outputs = predict(self.model, self.kind, features, pad, *size, *how)
        found: list[Any] = self.kind.decode(outputs, features, rows, self.labels)
        return found
