"""Soft prompts on an encoder-decoder (prompt tuning, Lester et al. 2021), by peft.

Vectors before the source are trained, and the model stays as it is. They are no weights of it: a
target is tuned by them, and no phase goes on from that. A kept model has them beside it.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import PreTrainedModel


def add(model: PreTrainedModel, count: int) -> Any:
    """The model with `count` vectors before each source, as peft's model; seed torch before."""
    from peft import PromptTuningConfig, TaskType, get_peft_model

    config = PromptTuningConfig(
        task_type=TaskType.SEQ_2_SEQ_LM,
        num_virtual_tokens=count,
        num_transformer_submodules=1,  # the encoder's alone
    )
    return get_peft_model(model, config)


def vectors(model: Any) -> dict[str, Tensor]:
    """The weights of peft's model that are no weights of the model in it: [count, hidden]."""
    found: dict[str, Tensor] = model.prompt_encoder.state_dict()
    return found


def put(model: PreTrainedModel, saved: dict[str, Tensor]) -> Any:
    """The model with vectors that `vectors` gave.

    Raises:
        RuntimeError: they are those of another model.
    """
    tuned = add(model, max(map(len, saved.values())))
    tuned.prompt_encoder.load_state_dict(saved)
    return tuned
