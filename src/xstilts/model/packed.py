"""Batches without padding: all sequences end to end in one row, and attention inside of each.

Used by heads.py and evaluation/embed.py. All of an encoder but its attention looks at one token at
a time, so that nothing changes for a token but where it stands. Attention takes neighbours of about
one length at once, as a `Group`; only there are they padded, to the longest of the group. A GPU
that can attends to all at once without, by FlashAttention. It is an attention function in
transformers' sense, so the encoders' own code is run. An encoder with other
attention (DeBERTa) gets padded sequences, and gives its states back without the pads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import dropout as drop
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

ATTENTION = "packed"  # the name of `attention` among transformers' implementations
# Architectures that take it, and what comes before the place of their first token.
BEFORE = {
    "xlm-roberta": lambda config: config.pad_token_id + 1,
    "bert": lambda config: 0,
    "modernbert": lambda config: 0,
}
STEP = 32  # tokens of a row are a multiple: kernels are made for each length that is met
WIDEST = 256  # of a head that FlashAttention takes
SLACK, SPARE = 1.25, 8  # the longest of a group has at most so many times the shortest's tokens


@dataclass(frozen=True)
class Group:
    """Neighbours that attend at once, each to its own tokens alone.

    Attributes:
        tokens: those of the row, which follow those of the group before.
        shape: sequences, and tokens of the longest.
        fill: [sequences x longest], the token of the group at each place of the padded form; at
            pads the first one, which nothing reads.
        back: [tokens of the group], the place of each in the padded form.
        mask: [sequences, 1, 1, longest], true at tokens; None where all are equally long.
    """

    tokens: int
    shape: tuple[int, int]
    fill: Tensor
    back: Tensor
    mask: Tensor | None

    def padded(self, own: Tensor) -> Tensor:
        """[tokens of the group, width] -> [sequences x longest, width]."""
        found: Tensor = own if self.mask is None else _Pad.apply(own, self.fill, self.back)
        return found

    def unpadded(self, places: Tensor) -> Tensor:
        """[sequences x longest, width] -> [tokens of the group, width]."""
        found: Tensor = places if self.mask is None else _Unpad.apply(places, self.back)
        return found


@dataclass(frozen=True)
class Ends:
    """Where sequences begin and end, the last one of pads with them, as FlashAttention asks.

    Attributes:
        before: [sequences + 1], int32, the tokens before each, and all of the row.
        longest: tokens of the longest.
    """

    before: Tensor
    longest: int


@dataclass(frozen=True)
class Packed:
    """A batch. Its row ends with a sequence of pads, which fills it up and which nobody reads.

    Attributes:
        ids: [tokens].
        places: [tokens], each token's number in its sequence, from 0; of the pads 0.
        types: [tokens], 0 and 1, for encoders that know two types of text; or None.
        lengths: tokens of each sequence, without the last one of pads.
        groups: which sequences attend at once; together they are the row.
        ends: where they begin and end, on a GPU; else None.
        read: [m], the tokens that a head reads.
    """

    ids: Tensor
    places: Tensor
    types: Tensor | None
    lengths: tuple[int, ...]
    groups: tuple[Group, ...]
    ends: Ends | None
    read: Tensor


class _Pad(torch.autograd.Function):
    """A gather both ways: gradients of pads are zero, and no order of summation is left open."""

    @staticmethod
    def forward(context: Any, tokens: Tensor, fill: Tensor, back: Tensor) -> Tensor:
        context.save_for_backward(back)
        return tokens.index_select(0, fill)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient.index_select(0, context.saved_tensors[0]), None, None


def pick(row: Tensor, read: Tensor) -> Tensor:
    """[tokens, width] -> [m, width], of tokens that differ from each other."""
    found: Tensor = _Unpad.apply(row, read)
    return found


class _Unpad(torch.autograd.Function):
    """The other direction of `_Pad`: some of all places, each once."""

    @staticmethod
    def forward(context: Any, places: Tensor, back: Tensor) -> Tensor:
        context.save_for_backward(back)
        context.places = len(places)
        return places.index_select(0, back)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        padded = gradient.new_zeros(context.places, gradient.shape[1])
        return padded.index_copy_(0, context.saved_tensors[0], gradient), None


def pack(
    sequences: Sequence[Sequence[int]],
    types: Sequence[Sequence[int]] | None,
    read: NDArray[np.int64],
    pad: int,
    where: torch.device,
) -> Packed:
    """Put sequences into one row. Neighbours of like lengths make the fewest groups.

    Args:
        read: the tokens that a head reads, counted through all sequences.
    """
    lengths = tuple(map(len, sequences))
    spare = -sum(lengths) % STEP
    every = (*lengths, spare) if spare else lengths
    to = partial(_to, where)
    flat = np.concatenate([*sequences, np.full(spare, pad)]).astype(np.int64)
    kinds = None if types is None else np.concatenate([*types, np.zeros(spare)]).astype(np.int64)
    return Packed(
        ids=to(flat),
        places=to(np.concatenate([*map(np.arange, lengths), np.zeros(spare)]).astype(np.int64)),
        types=None if kinds is None else to(kinds),
        lengths=lengths,
        groups=tuple(_group(every, *bounds, where) for bounds in _bounds(every)),
        ends=_ends(every, where) if where.type == "cuda" else None,
        read=to(read),
    )


def _ends(lengths: Sequence[int], where: torch.device) -> Ends:
    """Of sequences of these lengths."""
    return Ends(_to(where, np.cumsum([0, *lengths], dtype=np.int32)), max(lengths))


def _to(where: torch.device, array: NDArray[Any]) -> Tensor:
    """An array on a device; on CUDA without waiting for it."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(where, non_blocking=True) if where.type == "cuda" else tensor


def _bounds(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """First sequence of each group, and the one behind its last."""
    found, first, low, high = [], 0, lengths[0], lengths[0]
    for place, length in enumerate(lengths):
        low, high = min(low, length), max(high, length)
        if high > SLACK * low + SPARE:
            found.append((first, place))
            first, low, high = place, length, length
    return [*found, (first, len(lengths))]


def _group(lengths: Sequence[int], first: int, behind: int, where: torch.device) -> Group:
    """The group of some sequences of a row."""
    sizes = np.array(lengths[first:behind])
    longest = int(sizes.max())
    inside = np.arange(longest) < sizes[:, None]
    fill = np.zeros(inside.shape, dtype=np.int64)
    fill[inside] = np.arange(sizes.sum())
    return Group(
        tokens=int(sizes.sum()),
        shape=(len(sizes), longest),
        fill=_to(where, fill.ravel()),
        back=_to(where, np.flatnonzero(inside)),
        mask=None if inside.all() else _to(where, inside[:, None, None]),
    )


def prepare(encoder: PreTrainedModel) -> None:
    """Let an encoder attend in packed rows, where its architecture can."""
    if encoder.config.model_type in BEFORE:
        encoder.set_attn_implementation(ATTENTION)


def run(encoder: PreTrainedModel, batch: Packed, every: bool = False) -> list[Tensor]:
    """The last layer's states [tokens, hidden]; with `every` those of embeddings and all layers.

    An encoder that norms its last states once more has them without that norm in the middle of the
    list, so its last one is the normed one.
    """
    typed = getattr(encoder.config, "type_vocab_size", 0) > 1 and batch.types is not None
    types = {"token_type_ids": batch.types} if typed else {}
    if encoder.config.model_type in BEFORE:
        first = BEFORE[encoder.config.model_type](encoder.config)
        given = {"input_ids": batch.ids, "position_ids": batch.places + first, **types}
        own = {"groups": batch.groups, "ends": batch.ends}
        more = {**own, "attention_mask": _no_mask(encoder)}
        found = encoder(
            **{n: t[None] for n, t in given.items()}, **more, output_hidden_states=every
        )
        states = [*found.hidden_states[:-1], found.last_hidden_state] if every else [found[0]]
        return [one.squeeze(0) for one in states]
    whole = _group(batch.lengths, 0, len(batch.lengths), batch.ids.device)
    mask = torch.ones(whole.shape, dtype=torch.long, device=batch.ids.device)
    if whole.mask is not None:
        mask = whole.mask[:, 0, 0].long()
    given = {"input_ids": batch.ids, **types}
    padded = {name: one[whole.fill].view(whole.shape) for name, one in given.items()}
    found = encoder(**padded, attention_mask=mask, output_hidden_states=every)
    states = [*found.hidden_states[:-1], found.last_hidden_state] if every else [found[0]]
    return [whole.unpadded(one.flatten(0, 1)) for one in states]


def _no_mask(encoder: PreTrainedModel) -> Any:
    """Said so that no mask of the whole row by itself is made."""
    kinds = getattr(encoder.config, "layer_types", None)
    return dict.fromkeys(kinds) if kinds else None


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    groups: Sequence[Group] | None = None,
    ends: Ends | None = None,
    **more: Any,
) -> tuple[Tensor, None]:
    """[1, heads, tokens, d] each -> [1, tokens, heads, d]; without groups, transformers' own.

    Args:
        sliding_window: a token sees those that are nearer than so many places.
    """
    if groups is None:
        settings = {"dropout": dropout, "scaling": scaling, "is_causal": False}
        found: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, **settings
        )
        return found
    heads, width = query.shape[1], query.shape[3]
    if ends is not None and _at_once(query, ends, sliding_window):
        return _flash(query, key, value, ends, dropout, scaling or width**-0.5), None
    # `split` and `squeeze`, and no slices: each of these would fill a row of gradients with zeros.
    rows = [
        one.squeeze(0).transpose(0, 1).reshape(-1, heads * width).split([g.tokens for g in groups])
        for one in (query, key, value)
    ]
    parts = []
    for group, *own in zip(groups, *rows, strict=True):
        shape = (*group.shape, heads, width)
        q, k, v = (group.padded(one).view(shape).transpose(1, 2) for one in own)
        mixed = _attend(q, k, v, _mask(group, sliding_window), dropout, scaling or width**-0.5)
        parts.append(group.unpadded(mixed.transpose(1, 2).reshape(-1, heads * width)))
    return torch.cat(parts).view(1, -1, heads, width), None


def _at_once(query: Tensor, ends: Ends, window: int | None) -> bool:
    """Whether FlashAttention can: half precision, and all tokens of a sequence seen by each."""
    return (
        query.dtype in (torch.float16, torch.bfloat16)
        and query.shape[3] % 8 == 0
        and query.shape[3] <= WIDEST
        and (window is None or window >= ends.longest)
        and torch.backends.cuda.is_flash_attention_available()
        and torch.cuda.get_device_capability(query.device) >= (8, 0)
    )


def _flash(
    query: Tensor, key: Tensor, value: Tensor, ends: Ends, dropout: float, scaling: float
) -> Tensor:
    """[1, heads, tokens, d] each -> [1, tokens, heads, d]: one kernel for all sequences.

    It is torch's own operation below `scaled_dot_product_attention`, called by itself as the public
    one for sequences of unlike lengths, `varlen_attn`, has no dropout. Its gradient follows
    `torch.use_deterministic_algorithms`.
    """
    rows = (one.squeeze(0).transpose(0, 1) for one in (query, key, value))
    before, longest = ends.before, ends.longest
    found: Tensor = torch.ops.aten._flash_attention_forward(
        *rows, before, before, longest, longest, dropout, False, False, scale=scaling
    )[0]
    return found[None]


def _mask(group: Group, window: int | None) -> Tensor | None:
    """Which tokens [sequences or 1, 1, longest or 1, longest] are seen."""
    longest = group.shape[1]
    if window is None or window >= longest:
        return group.mask
    place = torch.arange(longest, device=group.fill.device)
    near = (place[:, None] - place).abs() < window
    return near if group.mask is None else near & group.mask


def _attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float, scaling: float
) -> Tensor:
    """softmax(scaling q k') v, [sequences, heads, longest, d] each."""
    if query.is_cuda:
        return scaled_dot_product_attention(
            query, key, value, mask, dropout_p=dropout, scale=scaling
        )
    scores = (query * scaling) @ key.transpose(-2, -1)
    if mask is not None:
        scores = scores.masked_fill_(~mask, torch.finfo(scores.dtype).min)
    return drop(scores.softmax(-1), dropout, dropout > 0) @ value


AttentionInterface.register(ATTENTION, attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
