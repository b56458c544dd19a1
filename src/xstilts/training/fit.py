"""Whether a training fits into the memory that is free; where not, activations are computed twice.

The loop calls `prepare` before anything is trained. With activation checkpointing, layers forget
what is inside of them and compute it again in the backward pass, from the same random numbers: it
changes no bit (tests/training/test_fit.py), and costs about a third of the time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from xstilts.core import memory as machine_memory
from xstilts.core.errors import UserError
from xstilts.model.seq2seq import Model
from xstilts.training import batches
from xstilts.training.engine import Setup, Workers
from xstilts.training.memory import Layout, Micro, Shape, fits, needed

GB = 1e9


def free(workers: Workers) -> float:
    """Bytes of its device that each process may still take; 0 where the system does not tell."""
    if workers.device.type == "cpu":
        return machine_memory.available() / workers.here
    cached = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
    return float(torch.cuda.mem_get_info()[0] + cached)


def prepare(model: Model, spec: Any, data: Sequence[Any], setup: Setup, free: float) -> bool:
    """Turn activation checkpointing on, where it is asked for or needed. All workers call.

    Args:
        spec: what is to be learnt (`loop.TrainingSpec`).
        data: heads with their features (`loop.HeadData`).
        free: as `free` said before the model was built.

    Returns:
        Whether there is room for micro-batches side by side (training/lanes.py).

    Raises:
        UserError: the training would not fit then, either.
    """
    asked = setup.machine.activation_checkpointing
    abreast = True
    if asked == "auto":
        asked, abreast = _needed(model, spec, data, setup, free) if free else (False, True)
    if asked:
        model.encoder.activation_checkpointing_enable({"use_reentrant": False})
    return abreast


def _needed(
    model: Model,
    spec: Any,
    data: Sequence[Any],
    setup: Setup,
    free: float,
) -> tuple[bool, bool]:
    """Whether activations are to be computed twice, and micro-batches may go side by side.

    As worker 0 finds it.
    """
    training, workers = spec.training, setup.workers
    weights = sum(weight.numel() for weight in model.parameters())
    shape = Shape.of_config(model.encoder.config.to_dict(), weights)
    layout = Layout.of(setup.machine, training, workers.device.type)
    for abreast in (True, False):
        for most in _micros(spec, data, setup):
            micro = most if abreast else replace(most, abreast=1)
            if workers.agree(fits(shape, training, micro, layout, free)):
                return False, abreast
    plain, twice = (
        f"{needed(shape, training, micro, layout, way) / GB:.1f} GB" for way in (False, True)
    )
    if not workers.agree(fits(shape, training, micro, layout, free, recompute=True)):
        each = " in each process" if workers.size > 1 else ""
        raise UserError(
            f"{spec.title} would take about {twice} of memory{each}, and {free / GB:.1f} GB are "
            f"free. Mend: {_mend(layout)}; or set activation_checkpointing: true, to try "
            "nonetheless"
        )
    if workers.rank == 0:
        print(
            f"xstilts: {spec.title}: activations are computed twice, which changes no bit: else "
            f"about {plain} would be needed, and {free / GB:.1f} GB are free",
            file=sys.stderr,
            flush=True,
        )
    return True, False


def _mend(layout: Layout) -> str:
    """What would take less."""
    if layout.gpu:
        ways = "a smaller micro_batch, offload: optimizer, or more processes with zero: 2 or 3"
        return f"give in machine.yaml {ways}"
    less = " and zero: 0" if layout.stage and layout.processes == 1 else ""
    return f"end what else runs here, or give in machine.yaml a smaller micro_batch{less}"


def _micros(spec: Any, data: Sequence[Any], setup: Setup) -> Iterator[Micro]:
    """The largest micro-batch: by the lengths that the study allows, then by the rows it has."""
    where = spec.training, setup.machine, setup.workers.device.type
    longest = max((part.max_length for part in spec.parts), default=spec.training.max_length)
    spoken = [hasattr(head.kind, "draw") for head in data]
    allowed = [(longest, len(head.features[0]["ids"])) for head in data]
    yield Micro.largest(*where, _heads(allowed, spoken))
    present = [
        (max(map(batches.longest, head.features)), max(len(one["ids"]) for one in head.features))
        for head in data
    ]
    yield Micro.largest(*where, _heads(present, spoken))


def _heads(bounds: list[tuple[int, int]], spoken: list[bool]) -> list[tuple[int, int, bool]]:
    return [(*bound, own) for bound, own in zip(bounds, spoken, strict=True)]
