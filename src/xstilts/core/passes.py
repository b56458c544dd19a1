"""How much goes through a model at once, on a CPU and on a GPU.

It is no part of a study, but it decides bits: dropout draws its masks and gradients are added up
micro-batch by micro-batch. So it stands apart from machine.py, and a stage that trains or scores
runs again where it changes.
"""

from __future__ import annotations

from xstilts.core.machine import Machine

# Tokens of a forward pass. A GPU waits for its orders where they are few: 32 windows of 384 tokens,
# which XLM-R Large trains on in 19 GB, take a third of the time of four times eight
# (bench/README.md). On a CPU each thread takes a micro-batch, so that there are to be some.
MICRO_TOKENS = {"cpu": 2048, "cuda": 12_288}
# Tokens of a forward pass of predictions: on a CPU what a layer works on is to stay in its cache.
SCORED_TOKENS = {"cpu": 1024, "cuda": 12_288}


def examples(machine: Machine, max_length: int, device: str) -> int:
    """Examples per forward pass on `cpu` or `cuda`, of texts of at most so many tokens."""
    return machine.micro_batch or max(1, MICRO_TOKENS[device] // max_length)


def scored(machine: Machine, max_length: int, device: str) -> int:
    """Tokens per forward pass of predictions, of texts of at most so many tokens."""
    return machine.micro_batch * max_length if machine.micro_batch else SCORED_TOKENS[device]
