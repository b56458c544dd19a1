"""Checkpoint folders: their weight files, and the encoders and language heads that are in them.

Loaded in float32, whatever was saved; nothing of a checkpoint is run or unpickled. Encoders of four
architectures are known, and encoder-decoders of three (`FAMILIES`). Only the encoder passes from
phase ii to phase iii (Phang et al. 2020, section 2); of an encoder-decoder all does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    MT5Config,
    MT5ForConditionalGeneration,
    PreTrainedModel,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
)
from transformers.utils import logging

from xstilts.core import files
from xstilts.core.errors import UserError
from xstilts.core.params import Architecture
from xstilts.model import vocabulary

USUAL = ("hidden_dropout_prob", "attention_probs_dropout_prob")

logging.set_verbosity_error()  # heads that are left behind on purpose are no news
logging.disable_progress_bar()


@dataclass(frozen=True)
class Family:
    """What differs from architecture to architecture.

    Attributes:
        attention: the implementation that is deterministic on the CPU and on CUDA; packed.py puts
            its own in place of "sdpa" where an encoder is trained or read.
        dropout: fields of the configuration.
        language: the modules of its language-modelling head, in their order.
        pooler: whether its encoder comes with a pooler unless asked not to.
        decodes: whether it is an encoder-decoder, which is loaded whole.
    """

    attention: str
    dropout: tuple[str, ...]
    language: tuple[str, ...] = ()
    pooler: bool = False
    decodes: bool = False


FAMILIES = {
    "xlm-roberta": Family("sdpa", USUAL, ("lm_head",), pooler=True),
    "bert": Family("sdpa", USUAL, ("cls",), pooler=True),
    "deberta-v2": Family("eager", USUAL, ("cls",)),  # mDeBERTa-v3 too
    "modernbert": Family(  # mmBERT
        "sdpa",
        ("attention_dropout", "mlp_dropout", "embedding_dropout"),
        ("head", "decoder"),
    ),
    "mt5": Family("eager", ("dropout_rate",), decodes=True),
    "mbart": Family("eager", ("dropout", "attention_dropout"), decodes=True),
    "m2m_100": Family("eager", ("dropout", "attention_dropout"), decodes=True),  # NLLB-200
}
LAYER_DROP = ("encoder_layerdrop", "decoder_layerdrop")  # whole layers, by another generator: never


def small_xlmr(architecture: Architecture, pieces: int, dropout: float) -> PreTrainedModel:
    """A fresh XLM-R with its language-modelling head; seed torch before.

    In the published layout: pad is 1, positions start at 2.
    """
    config = XLMRobertaConfig(
        vocab_size=pieces,
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
    return XLMRobertaForMaskedLM(config)


def small_mt5(architecture: Architecture, pieces: int, dropout: float) -> PreTrainedModel:
    """A fresh mT5, decoder and all; seed torch before.

    As small_xlmr in its layout of special pieces: pad, which also begins an answer, is 1. Its
    feed-forward part is T5's first one (ReLU), as the tanh of mT5's may round by the CPU.
    """
    config = MT5Config(
        vocab_size=pieces,
        d_model=architecture.hidden,
        d_kv=architecture.hidden // architecture.heads,
        d_ff=architecture.feed_forward,
        num_layers=architecture.layers,
        num_decoder_layers=architecture.layers,
        num_heads=architecture.heads,
        feed_forward_proj="relu",
        dropout_rate=dropout,
        initializer_factor=architecture.initializer_range,
        pad_token_id=1,
        decoder_start_token_id=1,
        eos_token_id=2,
        tie_word_embeddings=False,
        dtype="float32",
    )
    config._attn_implementation = FAMILIES["mt5"].attention
    return MT5ForConditionalGeneration(config)


def language_head(model: PreTrainedModel) -> nn.Module:
    """A model's own language-modelling head: states [m, hidden] -> [m, vocabulary]."""
    parts = [getattr(model, name) for name in FAMILIES[model.config.model_type].language]
    return parts[0] if len(parts) == 1 else nn.Sequential(*parts)


def dropout_of(encoder: PreTrainedModel) -> float:
    """The dropout that an encoder was loaded with."""
    config = encoder.config
    return float(getattr(config, FAMILIES[config.model_type].dropout[0]))


def load_encoder(folder: Path, dropout: float = 0.0) -> PreTrainedModel:
    """The encoder of a checkpoint folder, in float32 whatever it was saved in.

    Raises:
        UserError: the folder holds no whole checkpoint of a known architecture.
    """
    family = _family(folder, decodes=False)
    more = {"add_pooling_layer": False} if family.pooler else {}
    return _whole(AutoModel, folder, dropout, more)


def load_seq2seq(folder: Path, dropout: float = 0.0) -> PreTrainedModel:
    """The encoder-decoder of a checkpoint folder, with its language-modelling head, in float32.

    Raises:
        UserError: the folder holds no whole checkpoint of such an architecture.
    """
    _family(folder, decodes=True)
    return _whole(AutoModelForSeq2SeqLM, folder, dropout, {})


def load_any(folder: Path) -> PreTrainedModel:
    """What passes from phase to phase: an encoder, or an encoder-decoder.

    Raises:
        UserError: the folder holds no whole checkpoint of a known architecture.
    """
    decodes = FAMILIES[_config(folder).model_type].decodes
    return load_seq2seq(folder) if decodes else load_encoder(folder)


def _whole(auto: Any, folder: Path, dropout: float, more: dict[str, Any]) -> PreTrainedModel:
    """A model of which the checkpoint lacks nothing."""
    model, missing = _load(auto, folder, dropout, more)
    if missing:
        raise _lacks(folder, missing, "it belongs to another architecture")
    found: PreTrainedModel = model
    return found


def _family(folder: Path, decodes: bool) -> Family:
    """The family of a checkpoint, which is an encoder-decoder as it is asked for, or is none."""
    name = _config(folder).model_type
    if FAMILIES[name].decodes != decodes:
        wanted, present = ("an encoder", "an encoder-decoder")[:: -1 if decodes else 1]
        known = [one for one, family in FAMILIES.items() if family.decodes == decodes]
        raise UserError(
            f"{folder} holds {present} ({name}), and {wanted} is needed for what the study asks. "
            f"Mend: take one of {', '.join(known)}"
        )
    return FAMILIES[name]


def save_encoder(encoder: PreTrainedModel, folder: Path) -> None:
    """Write an encoder as `load_encoder` reads it, in the layout of transformers."""
    encoder.save_pretrained(folder)
    vocabulary.save(encoder, folder)


def load_masked_lm(folder: Path, dropout: float = 0.0) -> PreTrainedModel:
    """A checkpoint with its language-modelling head, in float32.

    Raises:
        UserError: as `load_encoder`, and where the checkpoint has no such head: it is that of a
            discriminator (mDeBERTa-v3), or an encoder that was saved alone.
    """
    model, missing = _load(AutoModelForMaskedLM, folder, dropout, {})
    body = [name for name in missing if name.startswith(model.base_model_prefix + ".")]
    if body:
        raise _lacks(folder, body, "it belongs to another architecture")
    if missing:
        raise UserError(
            f"{folder} has no language-modelling head ({missing[0]} is missing), so masked "
            "language modelling cannot go on from it. Mend: leave mlm out, or start from a "
            "checkpoint that was trained by it (XLM-R, mBERT, mmBERT)"
        )
    return model


def weight_files(folder: Path) -> list[Path]:
    """The weights of a checkpoint folder: model.safetensors, or its shards in their order.

    Where there are none it is model.safetensors, which who reads it will miss.
    """
    whole = folder / "model.safetensors"
    return [whole] if whole.exists() else sorted(folder.glob("model-*-of-*.safetensors")) or [whole]


def model_files(folder: Path) -> list[Path]:
    """All of a checkpoint folder that decides what its encoder is, but for its config.json."""
    pieces = folder / vocabulary.NAME
    return [*weight_files(folder), *([pieces] if pieces.exists() else [])]


def weights_sha(folder: Path) -> str:
    """What tells a checkpoint from others: sha256 of its weights, of shards over names and sha256.

    Raises:
        UserError: there are no weights.
    """
    hashes = {path.name: files.sha256_file(path) for path in weight_files(folder)}
    return files.sha256_json(hashes) if len(hashes) > 1 else hashes.popitem()[1]


def _lacks(folder: Path, missing: Sequence[str], why: str) -> UserError:
    more = f" and {len(missing) - 1} more weights" if len(missing) > 1 else ""
    return UserError(
        f"{folder}/model.safetensors lacks {missing[0]}{more}: {why}. "
        "Mend: rerun the stage that makes it"
    )


def _config(folder: Path) -> Any:
    """The configuration of a checkpoint whose architecture is known and that has safetensors."""
    try:
        # No code of a checkpoint is ever run, and nobody is asked whether it should be.
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # the libraries raise many types for a bad folder
        raise _unusable(folder, error) from error
    if config.model_type not in FAMILIES:
        raise UserError(
            f"{folder} holds a checkpoint of the architecture {config.model_type!r}. "
            f"Mend: take one of {', '.join(FAMILIES)}"
        )
    pickled = sorted(folder.glob("*.bin"))
    if pickled and not weight_files(folder)[0].exists():
        raise UserError(
            f"{folder} has its weights as a pickle alone ({pickled[0].name}), which is never read, "
            "as reading one can run code. Mend: pin a revision with model.safetensors; the hub "
            "often has one among the model's pull requests (refs/pr/<n>)"
        )
    return config


def _load(auto: Any, folder: Path, dropout: float, more: dict[str, Any]) -> tuple[Any, list[str]]:
    """A model and the names of its weights that the checkpoint lacks."""
    config = _config(folder)
    family = FAMILIES[config.model_type]
    for field in family.dropout:
        setattr(config, field, dropout)
    for field in LAYER_DROP:
        if hasattr(config, field):
            setattr(config, field, 0.0)
    try:
        model, report = auto.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            attn_implementation=family.attention,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # told below, by name
            output_loading_info=True,
            **more,
        )
    except SafetensorError as error:
        broken = next((one for one in weight_files(folder) if not _readable(one)), folder)
        raise _unusable(broken, error) from error
    except Exception as error:  # the libraries raise many types for a bad folder
        raise _unusable(folder, error) from error
    if other := sorted(report["mismatched_keys"]):
        name, here, wanted = other[0]
        raise UserError(
            f"{folder}: {name} has the shape {tuple(here)} and its config.json says "
            f"{tuple(wanted)}: they belong to two architectures. "
            "Mend: rerun the stage that makes it, or `dvc checkout` it"
        )
    vocabulary.load(model, folder)
    return model, sorted(report["missing_keys"])


def _readable(path: Path) -> bool:
    """Whether the head of a safetensors file says what is in it."""
    try:
        with safe_open(path, "pt"):
            return True
    except (SafetensorError, OSError):
        return False


def _unusable(place: Path, error: Exception) -> UserError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return UserError(
        f"{place} holds no usable checkpoint ({reason}). Mend: rerun the stage that makes it, "
        "or `dvc checkout` it"
    )
