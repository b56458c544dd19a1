"""Encoder-decoders: a padded batch of sources and answers, the model over it, and its answers.

Any model of transformers that `checkpoint.load_seq2seq` gives: mT5, mBART, NLLB-200. Its attention
is the plain one ("eager"), all of whose products are those of core/kernels.py, so that a run gives
the same bytes on another CPU. Used by kinds/generation.py.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import GenerationConfig, PreTrainedModel

from xstilts.model.heads import WithHeads
from xstilts.model.packed import pick

Ids = Sequence[int]
SEARCH = threading.Lock()  # peft's `generate` exchanges a method of the model while it runs


@dataclass(frozen=True)
class Sources:
    """Texts to answer, padded to the longest, and of a training what the decoder reads of answers.

    Attributes:
        ids: [sequences, longest source].
        mask: [sequences, longest source], 1 at tokens and 0 at pads.
        given: [sequences, longest answer], each answer one place later, behind what begins one.
        read: [m], the tokens of answers, counted through `given`.
    """

    ids: Tensor
    mask: Tensor
    given: Tensor
    read: Tensor


def sources(texts: Sequence[Ids], given: Sequence[Ids], pad: int, where: torch.device) -> Sources:
    """Pad sources and what the decoder is given."""
    ids, inside = _padded(texts, pad)
    answers, told = _padded(given, pad)
    found = (ids, inside.astype(np.int64), answers, np.flatnonzero(told))
    return Sources(*(torch.from_numpy(one).to(where) for one in found))


def _padded(texts: Sequence[Ids], pad: int) -> tuple[Any, Any]:
    """[texts, longest] ids, and where they are no pads."""
    sizes = np.array([len(one) for one in texts])
    inside = np.arange(sizes.max()) < sizes[:, None]
    out = np.full(inside.shape, pad, dtype=np.int64)
    out[inside] = np.concatenate([np.asarray(one, np.int64) for one in texts])
    return out, inside


class EncoderDecoder(nn.Module):
    """A whole encoder-decoder, where other kinds have an encoder under heads.

    Attributes:
        encoder: all of it: what passes on to the next phase. With soft prompts it is peft's model.
    """

    encoder: Any

    def __init__(self, whole: PreTrainedModel) -> None:
        super().__init__()
        self.encoder = whole

    def forward(self, batch: Sources, part: int = 0) -> Tensor:
        """Scores of each piece at each token of the answers: [m, vocabulary].

        All parts of a mix share the one decoder, so `part` says nothing here.
        """
        scores = self.encoder(
            input_ids=batch.ids,
            attention_mask=batch.mask,
            decoder_input_ids=batch.given,
            use_cache=False,
        ).logits
        found: Tensor = pick(scores.flatten(0, 1), batch.read)
        return found

    def answers(self, batch: Sources, limit: int, beams: int, end: int) -> list[Ids]:
        """The likeliest answers by greedy search, or by beams, without what was given of them.

        Args:
            limit: tokens of an answer at most, what ends it and a given language included.
        """
        given = batch.given.shape[1]
        asked = GenerationConfig(
            max_new_tokens=limit - given + 1,
            num_beams=beams,
            do_sample=False,
            pad_token_id=self.encoder.config.pad_token_id,
            eos_token_id=end,
        )
        with SEARCH:
            found = self.encoder.generate(
                input_ids=batch.ids,
                attention_mask=batch.mask,
                decoder_input_ids=batch.given,
                generation_config=asked,
            )
        return [_cut(one, end) for one in found[:, given:].tolist()]


Model = WithHeads | EncoderDecoder  # what is trained


def _cut(ids: list[int], end: int) -> list[int]:
    """All before the end."""
    return ids[: ids.index(end)] if end in ids else ids
