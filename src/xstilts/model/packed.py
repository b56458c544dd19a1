"""Sequences laid end to end: an encoder computes no padding but in its attention's groups.

Used by heads.py. Everything in an encoder but its attention looks at one token at a time, so that
tokens of all sequences of a batch can stand in one row. Attention takes them in `Group`s of
sequences of about one length, padded to the longest of the group. By transformers' interface for
attention functions, so the encoders' own code is run; those whose attention is no such function
(DeBERTa) are padded, see heads.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import dropout as drop
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

ATTENTION = "packed"  # the name of `attention` among transformers' implementations


@dataclass(frozen=True)
class Group:
    """Neighbours that attend at once, each to its own tokens alone.

    Attributes:
        start, stop: its tokens in the packed row.
        shape: sequences, and tokens of the longest.
        fill: [sequences x longest], the token of the group at each place of the padded form; at
            pads the group's first one, which nothing reads.
        back: [tokens of the group], the place of each in the padded form.
        mask: [sequences, 1, 1, longest], true at tokens; None where all are equally long.
    """

    start: int
    stop: int
    shape: tuple[int, int]
    fill: Tensor
    back: Tensor
    mask: Tensor | None


class _Pad(torch.autograd.Function):
    """[tokens, width] -> [places, width]. A gather both ways, which needs no order of summation."""

    @staticmethod
    def forward(context: Any, tokens: Tensor, fill: Tensor, back: Tensor) -> Tensor:
        context.save_for_backward(back)
        return tokens.index_select(0, fill)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient.index_select(0, context.saved_tensors[0]), None, None


class _Unpad(torch.autograd.Function):
    """[places, width] -> [tokens, width]."""

    @staticmethod
    def forward(context: Any, padded: Tensor, back: Tensor) -> Tensor:
        context.save_for_backward(back)
        context.places = len(padded)
        return padded.index_select(0, back)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        padded = gradient.new_zeros(context.places, gradient.shape[1])
        return padded.index_copy_(0, context.saved_tensors[0], gradient), None


def groups_of(lengths: Sequence[int], device: torch.device, slack: float = 1.25) -> list[Group]:
    """Cut a row of sequences, sorted by length, into groups."""
    found, first = [], 0
    starts = np.cumsum([0, *lengths])
    for i in range(1, len(lengths) + 1):
        if i == len(lengths) or max(lengths[first:i+1]) > slack * min(lengths[first:i+1]) + 4:
            found.append(_group(starts, first, i, device))
            first = i
    return found


def _group(starts: NDArray[np.int64], first: int, behind: int, device: torch.device) -> Group:
    sizes = np.diff(starts[first : behind + 1])
    longest = int(sizes.max())
    inside = np.arange(longest) < sizes[:, None]
    own = starts[first:behind, None] - starts[first] + np.arange(longest)
    fill = np.where(inside, own, 0).ravel()
    back = np.flatnonzero(inside)
    equal = bool(inside.all())
    to = lambda x: torch.from_numpy(x).to(device)
    return Group(int(starts[first]), int(starts[behind]), (len(sizes), longest), to(fill), to(back),
      None if equal else to(inside[:, None, None]))


def attention(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Any,
              dropout: float = 0.0, scaling: float | None = None, sliding_window: int | None = None, groups: list[Group] = (), **more: Any):
    """transformers' attention function: [1, heads, tokens, d] each -> [1, tokens, heads, d]."""
    heads, d = query.shape[1], query.shape[3]
    rows = [one[0].transpose(0, 1).reshape(-1, heads * d) for one in (query, key, value)]
    outs = []
    for g in groups:
        n, l = g.shape
        q, k, v = (
            (r[g.start:g.stop] if g.mask is None else _Pad.apply(r[g.start:g.stop], g.fill, g.back)).view(n, l, heads, d).transpose(1, 2)
            for r in rows)
        scores = torch.matmul(q, k.transpose(2, 3)) * scaling
        if g.mask is not None:
            scores = scores.masked_fill(~g.mask, float("-inf"))
        w = drop(scores.softmax(-1), dropout, dropout > 0)
        o = torch.matmul(w, v).transpose(1, 2).reshape(n * l, heads * d)
        outs.append(o if g.mask is None else _Unpad.apply(o, g.back))
    return torch.cat(outs).view(1, -1, heads, d), None


AttentionInterface.register(ATTENTION, attention)
