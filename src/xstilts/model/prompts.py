"""Soft prompts on an encoder-decoder (prompt tuning, Lester et al. 2021), by peft.

Vectors before the source are trained, and the model stays as it is. They are no weights of it, so
nothing that is saved holds them: a target is tuned by them, and no phase goes on from that.
"""

from __future__ import annotations

from typing import Any

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
