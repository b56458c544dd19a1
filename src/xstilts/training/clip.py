"""The gradient's norm, the same bits for a whole vocabulary and for the rows that are used of it.

The rows of an embedding that no token read have no gradient. They change no sum, but the order in
which one is added up, and so its last bits; and all weights follow the norm where it is clipped. So
an embedding's norm is that of its rows' norms, without those that are 0. training/engine.py calls
`by_rows` once. Where ZeRO cuts gradients into slices that begin anywhere (stage 3, and stages 1 and
2 in several processes) the norm stays DeepSpeed's own, which adds up in float64: it differs with
the rows where the last bit of a float32 hangs on the last of a float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from xstilts.training import rows

CLIPPED = 1e-6  # DeepSpeed's and torch's own, so that a gradient of 0 can be divided


def by_rows(engine: Any) -> None:
    """Make a DeepSpeed engine take the norm of its embeddings' gradients row by row."""
    modules = [one for one in engine.module.modules() if isinstance(one, nn.Embedding)]
    tables = {id(module.weight) for module in modules}
    stage = engine.zero_optimization_stage()
    if stage == 0:
        weights = list(engine.module.parameters())  # to look for them takes as long as to clip them
        engine.clip_fp32_gradients = lambda: _clip(engine, weights, tables)
    elif stage < 3:
        usual = engine.optimizer.get_grad_norm_direct

        def norm(gradients: Sequence[Tensor], params: Sequence[Tensor], power: int = 2) -> Tensor:
            own = iter(params)  # what is behind them fills a buffer up
            told = [
                one
                if getattr(one, "_zero_padding", False)
                else _shrunk(one, next(own, None), tables)
                for one in gradients
            ]
            found: Tensor = usual(told, params, power)
            return found

        engine.optimizer.get_grad_norm_direct = norm


def row_norms(gradient: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """The norms of the rows [rows, hidden] that have a gradient: [rows with one], in order."""
    norms = torch.linalg.vector_norm(gradient, dim=1, dtype=dtype)
    return norms[norms != 0]  # not `> 0`, which would hide what is no number


def _shrunk(gradient: Tensor, parameter: Tensor | None, tables: set[int]) -> Tensor:
    """A tensor of the norm of a gradient: that of a whole embedding by its rows."""
    if parameter is None or id(parameter) not in tables or gradient.shape != parameter.shape:
        return gradient
    return row_norms(gradient, torch.float64)


def _clip(engine: Any, weights: Sequence[Tensor], tables: set[int]) -> None:
    """As torch's clip_grad_norm_: all gradients times what brings their norm down to the limit."""
    found = rows.gradients(weights, engine.rows)
    norms = [
        torch.linalg.vector_norm(row_norms(gradient) if id(weight) in tables else gradient)
        for weight, gradient in found
    ]
    norm = torch.linalg.vector_norm(torch.stack(norms))
    factor = (engine.gradient_clipping() / (norm + CLIPPED)).clamp(max=1.0)
    if factor.is_cuda or factor != 1:  # to ask keeps a GPU waiting
        for _, gradient in found:
            gradient.mul_(factor)
