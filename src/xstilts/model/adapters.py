"""Low-rank adapters on an encoder (LoRA, Hu et al. 2021), by peft: put on, trained, merged.

The encoder's own weights stay as they are while adapters and heads are trained. An encoder that is
saved or passed on has its adapters merged, so that nothing else needs to know of them.
"""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedModel

from xstilts.core.errors import UserError
from xstilts.core.params import Adapter


def add(encoder: PreTrainedModel, adapter: Adapter) -> None:
    """Freeze the encoder and put adapters on the modules that `adapter` names; seed torch before.

    Raises:
        UserError: the encoder has no module of such a name.
    """
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(
        r=adapter.rank,
        lora_alpha=adapter.alpha,
        lora_dropout=adapter.dropout,
        target_modules=list(adapter.modules),
        bias="none",
    )
    present = _linear_names(encoder)
    absent = [name for name in adapter.modules if name not in present]
    if absent:
        raise UserError(
            f"adapter.modules: {encoder.config.model_type} has no module {absent[0]!r}. "
            f"Mend: use some of {', '.join(present)}"
        )
    encoder.requires_grad_(False)
    inject_adapter_in_model(config, encoder)


def _linear_names(encoder: PreTrainedModel) -> list[str]:
    """The last words of the names of all linear modules, in their order."""
    modules = encoder.named_modules()
    names = [name.rsplit(".", 1)[-1] for name, one in modules if isinstance(one, nn.Linear)]
    return list(dict.fromkeys(names))


def merge(encoder: PreTrainedModel) -> None:
    """Add what the adapters have learnt to the weights, and take the adapters off."""
    from peft.tuners.lora import LoraLayer

    for name, module in list(encoder.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge()
            place, _, last = name.rpartition(".")
            setattr(encoder.get_submodule(place), last, module.get_base_layer())
    del encoder.peft_config
    encoder.requires_grad_(True)
