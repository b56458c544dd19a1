"""Processes, devices and the DeepSpeed engine: all of training that knows the hardware.

A stage begins with `Setup(tokenizer, machine, Workers.start(machine), observe, Store.of(machine))`.
"""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from xstilts.core import determinism, passes
from xstilts.core.errors import UserError
from xstilts.core.machine import Machine
from xstilts.core.params import Training
from xstilts.core.progress import Observe
from xstilts.kinds.store import NOT_KEPT, Store
from xstilts.training import clip, rows
from xstilts.training.launch import MEETING, on_this_node, rank, share_of
from xstilts.training.memory import Layout

Found = TypeVar("Found")
# Torch's own, which needs no compiler; not fused, on a CPU it would take its square roots from MKL,
# whose last bits differ from make to make of CPU.
ADAM = {"torch_adam": True, "fused": True}
_ON_CPU = {"device": "cpu", "pin_memory": True}
OFFLOADED: dict[str, dict[str, Any]] = {
    "none": {},
    "optimizer": {"offload_optimizer": _ON_CPU},
    "parameters": {"offload_optimizer": _ON_CPU, "offload_param": _ON_CPU},
}


def device(machine: Machine) -> torch.device:
    """Where tensors live: this worker's GPU, or the CPU.

    Raises:
        UserError: machine.yaml asks for CUDA where there is none.
    """
    cuda = torch.cuda.is_available()
    if machine.device == "cuda" and not cuda:
        raise UserError(
            "machine.yaml: device: cuda, but no CUDA device is visible. Mend: use auto or cpu"
        )
    if machine.device == "cpu" or not cuda:
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def device_name(machine: Machine) -> str:
    """What computes: the model of this worker's GPU, or `cpu`, all makes of which compute alike."""
    where = device(machine)
    return "cpu" if where.type == "cpu" else torch.cuda.get_device_name(where)


@dataclass(frozen=True)
class Workers:
    """The processes that train one model together."""

    rank: int
    size: int
    device: torch.device
    here: int = 1  # of them on this node

    @staticmethod
    def start(machine: Machine) -> Workers:
        """Join the process group (once a process); deterministic algorithms, fixed threads.

        Workers of several nodes have joined before (training/meeting.py).
        """
        where = device(machine)
        determinism.apply(machine, where.type)
        if where.type == "cuda":
            torch.cuda.set_device(where)
        if not torch.distributed.is_initialized():
            backend = "nccl" if where.type == "cuda" else "gloo"
            size = int(os.environ.get("WORLD_SIZE", "1"))
            meeting = os.environ.get(MEETING)
            torch.distributed.init_process_group(
                backend,
                init_method=None if meeting is None else f"file://{meeting}",
                store=torch.distributed.HashStore() if meeting is None else None,
                rank=rank(),
                world_size=size,
            )
            if size == 1:  # NCCL complains otherwise; of several, one that failed waits for none
                atexit.register(torch.distributed.destroy_process_group)
        group = torch.distributed
        size = group.get_world_size()
        return Workers(group.get_rank(), size, where, on_this_node(size))

    def sum(self, value: Tensor) -> Tensor:
        """The sum of a scalar over all workers, in its place on the device."""
        if self.size > 1:
            torch.distributed.all_reduce(value)
        return value

    def agree(self, wish: bool) -> bool:
        """Worker 0's wish, known to all: clocks differ, decisions must not."""
        if self.size == 1:
            return wish
        flag = torch.tensor([int(wish)], device=self.device)
        torch.distributed.broadcast(flag, 0)
        return bool(flag.item())

    def first(self, ask: Callable[[], Found]) -> Found:
        """What worker 0 finds, known to all.

        Files are to be looked for so: on a network disk, a node that looks too early goes on for a
        while to see that there is none.
        """
        found: list[Any] = [ask() if self.rank == 0 else None]
        if self.size > 1:
            torch.distributed.broadcast_object_list(found, 0)
        own: Found = found[0]
        return own

    def all(self, wish: bool) -> bool:
        """Whether all workers wish it."""
        return bool(self.sum(torch.tensor(float(wish), device=self.device)) == self.size)

    def barrier(self) -> None:
        """Wait for all workers."""
        if self.size > 1:
            torch.distributed.barrier()

    def gather(self, values: list[Any]) -> list[Any]:
        """Values of all workers, dealt out as [rank::size], in their first order again."""
        if self.size == 1:
            return values
        parts: list[Any] = [None] * self.size
        torch.distributed.all_gather_object(parts, values)
        merged: list[Any] = [None] * sum(map(len, parts))
        for number, part in enumerate(parts):
            merged[number :: self.size] = part
        return merged

    def union(self, values: dict[str, str]) -> dict[str, str]:
        """The entries of all workers."""
        if self.size == 1:
            return values
        parts: list[Any] = [None] * self.size
        torch.distributed.all_gather_object(parts, values)
        return {name: value for part in parts for name, value in part.items()}


@dataclass(frozen=True)
class Setup:
    """What all trainings and predictions of one process share."""

    tokenizer: Any
    machine: Machine
    workers: Workers
    observe: Observe
    store: Store = NOT_KEPT  # of features


def accumulation(
    training: Training, machine: Machine, workers: int, unit: int = 1, where: str = "cpu"
) -> int:
    """Micro-batches per update and worker, so that micro x accumulation x workers == batch.

    Args:
        where: the type of the device.
        unit: examples that must stay together (a group of queries, for example).

    Raises:
        UserError: the batch cannot be shared equally.
    """
    share = share_of(training, workers)
    if share % unit:
        raise UserError(
            f"a batch of {training.batch} gives each of {workers} processes {share} examples, and "
            f"they belong together by {unit}. Mend: change `processes` or `nodes` in machine.yaml, "
            "or the study's `batch` or `negatives`"
        )
    groups = share // unit
    count = -(-groups // max(1, passes.examples(machine, training.max_length, where) // unit))
    while groups % count:
        count += 1
    return count


def initialize(
    model: nn.Module, training: Training, machine: Machine, workers: Workers, unit: int = 1
) -> Any:
    """A DeepSpeed engine with the machine's ZeRO stage and torch's fused AdamW.

    LayerNorm and bias are not decayed (as in jiant and google-research/xtreme). `unit` is the
    number of examples that must stay together.
    """
    os.environ.setdefault("DS_ACCELERATOR", workers.device.type)
    os.environ.setdefault("LOCAL_RANK", "0")  # DeepSpeed insists on it
    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    import deepspeed

    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    # The shared-memory reduce is compiled on the spot; gloo gives the same sums without a compiler.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(verbose=False)
    started = deepspeed.initialize(
        model=model,
        model_parameters=_groups(model, training.weight_decay),
        config=_config(model, training, machine, workers, unit),
    )
    engine, layout = started[0], Layout.of(machine, training, workers.device.type)
    engine.layout = replace(layout, processes=workers.size)
    if engine.layout.alone:
        engine.enable_backward_allreduce = False  # nobody to copy gradients together for
    if engine.layout.plain:
        engine.zero_grad = engine.optimizer.zero_grad  # DeepSpeed's looks for all weights anew
    engine.rows = rows.of(engine)
    clip.by_rows(engine)
    return engine


def _config(
    model: nn.Module, training: Training, machine: Machine, workers: Workers, unit: int
) -> dict[str, Any]:
    """What DeepSpeed is told: science from the training, layout from the machine."""
    count = accumulation(training, machine, workers.size, unit, workers.device.type)
    elements = sum(parameter.numel() for parameter in model.parameters())
    bucket = min(500_000_000, -(-elements // 1024) * 1024)  # even, as DeepSpeed aligns buckets
    half = training.precision == "bf16"
    return {
        "train_batch_size": training.batch,
        "train_micro_batch_size_per_gpu": training.batch // (count * workers.size),
        "gradient_accumulation_steps": count,
        "gradient_clipping": training.clip,
        "zero_optimization": {
            "stage": machine.stage_of(training.precision),
            # DeepSpeed's default, always 5e8 elements, costs a small model 2 GB at each update.
            "reduce_bucket_size": bucket,
            "allgather_bucket_size": bucket,
            # One worker sends its gradients to nobody: to gather them in one buffer first, weight
            # by weight, keeps a GPU waiting.
            "contiguous_gradients": workers.size > 1,
            **OFFLOADED[machine.offload],
        },
        "zero_force_ds_cpu_optimizer": False,  # DeepSpeed's own for the CPU needs a compiler
        # To look for infinity at every gradient keeps a GPU waiting; the loop looks at the loss,
        # and at the last weights.
        "bf16": {"enabled": half, "check_grad_overflow": False},
        "optimizer": {
            "type": "AdamW",
            "params": {"lr": training.learning_rate, "eps": 1e-8} | ADAM,
        },
        "steps_per_print": 1 << 30,
    }


def _groups(model: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Parameters with and without weight decay, less those that are not trained.

    Norms are known by name, as architectures bring their own (MT5LayerNorm is no nn.LayerNorm).
    """
    norms = [
        one for one in model.modules() if type(one).__name__.endswith(("LayerNorm", "RMSNorm"))
    ]
    bare = {id(p) for module in norms for p in module.parameters()}
    trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    plain = [p for n, p in trained if n.endswith("bias") or id(p) in bare]
    known = {id(p) for p in plain}
    return [
        {"params": [p for _, p in trained if id(p) not in known], "weight_decay": decay},
        {"params": plain, "weight_decay": 0.0},
    ]


def full_weights(running: Any) -> dict[str, Tensor]:
    """float32 trained weights by name on the CPU, from any ZeRO stage and precision.

    All workers call. Weights that are not trained are left out: in bf16 only rounded ones are here.
    """
    from deepspeed.runtime.zero import GatheredParameters
    from deepspeed.utils import safe_get_full_fp32_param

    stage, half = running.zero_optimization_stage(), running.bfloat16_enabled()
    weights = {}
    for name, parameter in running.module.named_parameters():
        if not parameter.requires_grad:
            continue
        if half:
            value = safe_get_full_fp32_param(parameter)
        elif stage == 3:
            with GatheredParameters([parameter]):
                value = parameter.detach().clone()
        else:
            value = parameter.detach()
        weights[name] = value.to("cpu", torch.float32, copy=True).contiguous()
    return weights


def release(running: Any) -> None:
    """End an engine and free what it holds, at once.

    DeepSpeed's engines refer to themselves. Weights and moments would lie there beside the next
    model until Python looks for such circles, and those of stage 3, which lead through C++, for
    ever: each training left five times its weights (tried with 0.19.8).
    """
    optimizer, model = running.optimizer, running.module
    running.destroy()
    for held in (optimizer, getattr(optimizer, "optimizer", None)):
        if held is not None:
            vars(held).clear()
    for parameter in model.parameters():
        vars(parameter).clear()
        parameter.grad, parameter.data = None, torch.empty(0)
