"""Micro-batches of an update side by side on a CPU, a thread and a copy of the model each.

A copy has the model's own weights and gradients of its own, which are added to the model's in the
order of the micro-batches: the same sums as one after the other, to the bit. So a thread goes its
own way through a whole forward and backward pass, where it would otherwise wait for the others at
each product. Several processes, ZeRO, bf16, a GPU and activation checkpointing go without.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from xstilts.core import determinism, kernels

# model, place of a micro-batch -> its loss
Learn = Callable[[Any, int], Tensor]


class Lanes:
    """What the loop asks for the micro-batches of an update."""

    def __init__(self, engine: Any, threads: int) -> None:
        pieces = engine.gradient_accumulation_steps()
        abreast = min(threads, pieces) if _may(engine) else 1
        self.engine = engine
        self.models = [_beside(engine.module) for _ in range(abreast - 1)]

    def learn(self, loss: Learn, seeds: Sequence[int], scale: float) -> list[Tensor]:
        """The gradients of all micro-batches' losses, times `scale`, and the update.

        DeepSpeed takes the mean over an update's micro-batches.

        Args:
            seeds: what each micro-batch draws its dropout from.

        Returns:
            The losses, of which nothing is kept for a backward pass.
        """
        found: list[Tensor] = []
        while len(found) < len(seeds):
            start, models = len(found), [self.engine, *self.models]
            numbers = range(start, min(start + len(models), len(seeds)))
            if len(numbers) == 1:
                determinism.seed(seeds[start])
                one = loss(self.engine, start)
                self.engine.backward(one * scale)
                found.append(one.detach())
                self._add(self.engine.module)
            else:
                jobs = [
                    partial(self._backward, model, loss, number, seeds[number], scale)
                    for model, number in zip(models, numbers, strict=False)
                ]
                found += kernels.abreast(jobs)
                for model in (self.engine.module, *self.models[: len(numbers) - 1]):
                    self._add(model)
            for _ in numbers:
                self.engine.step()
        return found

    def _backward(self, model: Any, loss: Learn, place: int, seed: int, scale: float) -> Tensor:
        """One pass forward and backward, by one thread."""
        kernels.draw_from(torch.Generator().manual_seed(seed))
        own = model.module if model is self.engine else model
        found = loss(own, place)
        (found * scale / self.engine.gradient_accumulation_steps()).backward()
        return found.detach()

    def _add(self, model: Any) -> None:
        """Add the gradients of the model, or of a copy which forgets them, to the update's."""
        if self.engine.rows is not None:
            self.engine.rows.add(model)
        if model is self.engine.module:
            return
        for own, other in zip(self.engine.module.parameters(), model.parameters(), strict=True):
            if other.grad is not None:
                own.grad = other.grad if own.grad is None else own.grad.add_(other.grad)
                other.grad = None


def _may(engine: Any) -> bool:
    """Whether gradients lie in the weights' `grad`, and all random numbers are the kernels'."""
    twice = getattr(engine.module.encoder, "is_gradient_checkpointing", False)
    return engine.layout.plain and kernels.installed() and not twice


def _beside(model: nn.Module) -> nn.Module:
    """A copy with the same weights in memory, and gradients of its own."""
    shared: dict[int, Tensor] = {
        id(weight): nn.Parameter(weight.detach(), weight.requires_grad)
        for weight in model.parameters()
    }
    shared |= {id(buffer): buffer for buffer in model.buffers()}
    return copy.deepcopy(model, shared).train()
