"""XLM-R encoders and what sits on them; loaded with an explicit dtype, saved as safetensors.

Only the encoder passes from phase ii to phase iii (Phang et al. 2020, section 2).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    PreTrainedModel,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
)
from transformers.utils import logging

from xstilts.errors import UserError
from xstilts.params import Architecture

logging.set_verbosity_error()  # heads that are left behind on purpose are no news
logging.disable_progress_bar()


class WithHead(nn.Module):
    """An encoder and a task head: ids [b, l] and mask [b, l] -> the head's output."""

    def __init__(self, encoder: PreTrainedModel, head: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The head's output on the encoder's last states."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
        output: Tensor = self.head(hidden.last_hidden_state)
        return output


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


class MaskedLM(nn.Module):
    """Masked language modelling; logits only at masked positions [m, vocabulary]."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor, masked: Tensor) -> Tensor:
        """Ids, mask and masked positions (bool), all [b, l]."""
        hidden = self.model.base_model(input_ids=input_ids, attention_mask=attention_mask)
        output: Tensor = self.model.lm_head(hidden.last_hidden_state[masked])
        return output


def small_xlmr(architecture: Architecture, vocabulary: int, dropout: float) -> MaskedLM:
    """A fresh XLM-R in the published layout (pad 1, positions start at 2); seed torch before."""
    config = XLMRobertaConfig(
        vocab_size=vocabulary,
        hidden_size=architecture.hidden,
        num_hidden_layers=architecture.layers,
        num_attention_heads=architecture.heads,
        intermediate_size=architecture.feed_forward,
        max_position_embeddings=architecture.max_positions + 2,
        initializer_range=architecture.initializer_range,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        dtype="float32",
    )
    return MaskedLM(XLMRobertaForMaskedLM(config))


def load_encoder(folder: Path, dropout: float = 0.0) -> PreTrainedModel:
    """The encoder of a checkpoint folder, in float32 whatever it was saved in.

    Raises:
        UserError: the folder holds no whole checkpoint of a known architecture.
    """
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        config.hidden_dropout_prob = dropout
        config.attention_probs_dropout_prob = dropout
        encoder, report = AutoModel.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            add_pooling_layer=False,
            output_loading_info=True,
        )
    except Exception as error:  # the libraries raise many types for a bad folder
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{folder} holds no usable checkpoint ({reason}). Mend: rerun the stage that makes it, "
            "or `dvc checkout` it"
        ) from error
    if report["missing_keys"]:
        raise UserError(
            f"{folder}/model.safetensors lacks {sorted(report['missing_keys'])[0]} and "
            f"{len(report['missing_keys']) - 1} more weights: it belongs to another architecture. "
            "Mend: rerun the stage that makes it"
        )
    return encoder


def load_masked_lm(folder: Path) -> PreTrainedModel:
    """A checkpoint with its language-modelling head, in float32."""
    model: PreTrainedModel = AutoModelForMaskedLM.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
    )
    return model


def embed(
    encoder: PreTrainedModel, input_ids: Tensor, attention_mask: Tensor, layer: int
) -> Tensor:
    """Mean over all non-pad positions of one hidden layer (0 = embeddings) -> [b, hidden].

    The protocol of jiant's BUCC and Tatoeba tasks (taskmodels.py: special tokens included).
    """
    states: Any = encoder(
        input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True
    ).hidden_states
    mask = attention_mask.unsqueeze(-1).to(states[layer].dtype)
    output: Tensor = (states[layer] * mask).sum(1) / mask.sum(1)
    return output
