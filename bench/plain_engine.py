"""Torch alone in place of DeepSpeed: what the kit's loop asks of an engine, and no more.

`install()` makes `deepspeed.initialize` give one, built from the same configuration: torch's AdamW,
gradients added up in place. So the loop, its batches, its threads, its clipping and its forward
pass are the same, and the difference is DeepSpeed's own.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class PlainEngine:
    """One process, float32, no ZeRO."""

    def __init__(self, model: nn.Module, groups: list[dict[str, Any]], config: dict[str, Any]):
        settings = dict(config["optimizer"]["params"])
        del settings["torch_adam"]
        self.module = model
        self.optimizer = torch.optim.AdamW(groups, **settings)
        self.count = config["gradient_accumulation_steps"]
        self.limit = config["gradient_clipping"]
        self.micro_steps = 0
        self.boundary: bool | None = None  # where the loop says itself when an update ends

    def __call__(self, *given: Any, **more: Any) -> Any:
        """The forward pass."""
        return self.module(*given, **more)

    def gradient_accumulation_steps(self) -> int:
        """Micro-batches of an update."""
        return int(self.count)

    def gradient_clipping(self) -> float:
        """The largest norm of an update's gradient."""
        return float(self.limit)

    def clip_fp32_gradients(self) -> None:
        """As torch does it; `xstilts.training.clip` puts its own here."""
        nn.utils.clip_grad_norm_(self.module.parameters(), self.limit)

    def set_gradient_accumulation_boundary(self, boundary: bool) -> None:
        """Whether the next step ends an update."""
        self.boundary = boundary

    def backward(self, loss: Tensor, **more: Any) -> Tensor:
        """Gradients, of a mean over micro-batches as DeepSpeed takes it."""
        scaled = more.get("scale_wrt_gas", True)
        (loss / self.count if scaled else loss).backward()
        return loss

    def step(self) -> None:
        """Update the weights where an update ends."""
        self.micro_steps += 1
        ends = self.micro_steps % self.count == 0 if self.boundary is None else self.boundary
        if ends:
            self.clip_fp32_gradients()
            self.optimizer.step()
            self.optimizer.zero_grad()

    def train(self) -> None:
        """With dropout."""
        self.module.train()

    def eval(self) -> None:
        """Without."""
        self.module.eval()

    def zero_optimization_stage(self) -> int:
        """No ZeRO."""
        return 0

    def bfloat16_enabled(self) -> bool:
        """Always float32."""
        return False

    def destroy(self) -> None:
        """Nothing is held."""


def install() -> None:
    """Let `deepspeed.initialize` give such an engine from now on."""
    import deepspeed

    def initialize(model: nn.Module, model_parameters: Any, config: dict[str, Any]) -> tuple[Any]:
        return (PlainEngine(model, model_parameters, config),)

    deepspeed.initialize = initialize
