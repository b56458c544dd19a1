"""A word embedding's gradient and update by the rows that were read, on a CPU of one process.

A batch reads some hundred of an embedding's 250,000 rows. A whole gradient would be zeros to write,
to measure, to clip and to read in the update, for each micro-batch anew. Here it is caught as it
comes back to the rows (`_Caught`), and AdamW goes over the rows that have ever had one; of all
others it knows that their moments are 0, so that nothing but weight decay is left of it. Each bit
is as if the whole had been computed (tests/training/test_lanes.py). training/lanes.py brings the
gradients of an update together, training/clip.py measures them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from xstilts.core import kernels
from xstilts.model.vocabulary import UsedEmbedding

BLOCK = 1 << 20  # weights of a thread at a time


class _Caught(torch.autograd.Function):
    """The vectors that were read, as they are; their gradient goes to `caught` and no further."""

    @staticmethod
    def forward(context: Any, read: Tensor, ids: Tensor, caught: list[Any]) -> Tensor:
        context.ids, context.caught = ids, caught
        return read.view_as(read)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[None, None, None]:
        context.caught.append((context.ids.flatten(), gradient.flatten(0, -2)))
        return None, None, None


def _catch(module: Any, given: tuple[Tensor], read: Tensor) -> Tensor | None:
    """A hook of an embedding after its forward pass."""
    if not read.requires_grad:
        return None
    ids = module.place[given[0]] if isinstance(module, UsedEmbedding) else given[0]
    found: Tensor = _Caught.apply(read, ids, module.caught)
    return found


class Rows:
    """The word embedding of a model that an AdamW of torch's trains.

    Attributes:
        weight: the embedding [pieces, hidden]; its `grad` stays None.
        ids, gradient: the rows that the update's micro-batches read so far, ascending, and the sums
            of their gradients [rows, hidden].
    """

    def __init__(self, embedding: nn.Embedding, optimizer: torch.optim.Optimizer) -> None:
        self.weight, self.padding = embedding.weight, embedding.padding_idx
        self.optimizer = optimizer
        self.moved: Tensor | None = None  # [pieces], which rows have ever had a gradient
        self.ids: Tensor
        self.gradient: Tensor
        self._forget()
        embedding.caught = []  # type: ignore[assignment]
        embedding.register_forward_hook(_catch)
        optimizer.register_step_post_hook(lambda *_: self._update())

    def add(self, model: Any) -> None:
        """Add the gradients that a model, or its copy, has caught in a backward pass."""
        caught = embedding_of(model).caught
        for ids, gradient in caught:
            self._add(ids, gradient)
        caught.clear()

    def _add(self, ids: Tensor, gradient: Tensor) -> None:
        """As the backward pass of `nn.Embedding` does, and what adds gradients of micro-batches."""
        own, place = ids.unique(return_inverse=True)
        sums = torch.ops.aten.embedding_dense_backward(gradient, place, len(own), -1, False)
        if self.padding is not None:
            sums[own == self.padding] = 0
        both = torch.cat([self.ids, own]).unique()
        total = sums.new_zeros(len(both), sums.shape[1])
        total[torch.searchsorted(both, self.ids)] = self.gradient
        total[torch.searchsorted(both, own)] += sums
        self.ids, self.gradient = both, total

    def _forget(self) -> None:
        self.ids = torch.empty(0, dtype=torch.long)
        self.gradient = self.weight.new_empty(0, self.weight.shape[1])

    @torch.no_grad()
    def _update(self) -> None:
        """AdamW's update of the embedding, after that of all other weights."""
        state, group = self._state(), self._group()
        moved = self._moved(state)
        moved[self.ids] = True
        rows = moved.nonzero().squeeze(1)
        gradient = self.weight.new_zeros(len(rows), self.weight.shape[1])
        gradient[torch.searchsorted(rows, self.ids)] = self.gradient
        own = [one[rows] for one in (self.weight, state["exp_avg"], state["exp_avg_sq"])]
        if group["weight_decay"]:
            _scale(self.weight, 1 - group["lr"] * group["weight_decay"])
        state["step"] += 1
        weight, first, second = own
        torch._fused_adamw_(
            [weight],
            [gradient],
            [first],
            [second],
            [],
            [state["step"]],
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
        )
        for whole, part in zip(
            (self.weight, state["exp_avg"], state["exp_avg_sq"]), own, strict=True
        ):
            whole[rows] = part
        self._forget()

    def _group(self) -> dict[str, Any]:
        """The settings of the weight; a state that is loaded brings new ones."""
        groups = self.optimizer.param_groups
        return next(one for one in groups if any(w is self.weight for w in one["params"]))

    def _state(self) -> dict[str, Tensor]:
        """The optimizer's own state of the weight, which a resumable state has read or will."""
        state: dict[str, Tensor] = self.optimizer.state[self.weight]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"] = torch.zeros_like(self.weight)
            state["exp_avg_sq"] = torch.zeros_like(self.weight)
        return state

    def _moved(self, state: dict[str, Tensor]) -> Tensor:
        """Rows whose moments are not all 0."""
        if self.moved is None:
            self.moved = state["exp_avg"].any(1) | state["exp_avg_sq"].any(1)
        return self.moved


def _scale(weight: Tensor, factor: float) -> None:
    """weight times factor, in its place, by all threads."""
    for _ in kernels.each(lambda piece: piece.mul_(factor), weight.detach().view(-1).split(BLOCK)):
        pass


def embedding_of(model: Any) -> Any:
    """The word embedding of a model with heads."""
    return model.encoder.get_input_embeddings()


def of(engine: Any) -> Rows | None:
    """The rows of an engine's model; None where its word embedding is not all that they are.

    So where it is not trained, where a language head has the same weights, with several processes,
    ZeRO, bf16 or a GPU.
    """
    embedding = embedding_of(engine.module)
    weight = embedding.weight
    owners = sum(
        one is weight for module in engine.module.modules() for one in module._parameters.values()
    )
    may = engine.layout.plain and kernels.installed()
    if not may or owners > 1 or not weight.requires_grad:
        return None
    return Rows(embedding, engine.optimizer)


def gradients(weights: Iterable[Tensor], rows: Rows | None) -> list[tuple[Tensor, Tensor]]:
    """Each weight that has a gradient, and that gradient; of the word embedding's, its rows."""
    read = {} if rows is None else {id(rows.weight): rows.gradient}
    found = [(one, read.get(id(one), one.grad)) for one in weights]
    return [(one, gradient) for one, gradient in found if gradient is not None]
