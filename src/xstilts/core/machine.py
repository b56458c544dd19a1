"""Typed view of machine.yaml: hardware, optional and untracked; it never decides a result."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import Field, model_validator

from xstilts.core import paths
from xstilts.core.cluster import Cluster
from xstilts.core.strict import Strict, load_yaml, parse

OFFLOADING = {"none": 0, "optimizer": 1, "parameters": 3}  # the least ZeRO stage that can
VARIABLES = {
    "nodes": "XSTILTS_NODES",
    "processes": "XSTILTS_PROCESSES",
    "threads": "XSTILTS_THREADS",
}


class Machine(Strict):
    """Hardware: what may differ from place to place without changing what is computed."""

    nodes: int = Field(1, gt=0)  # that train one run together (docs/multi-node.md)
    processes: int = Field(1, gt=0)  # data-parallel workers on each node, one per GPU
    # DeepSpeed ZeRO stage; not given: 1, or 0 where one process has nothing to share; or what
    # `offload` needs
    zero: Literal[0, 1, 2, 3] | None = None
    # examples per forward pass and process; not given: as many as core/passes.py says
    micro_batch: int | None = Field(None, gt=0)
    threads: int = Field(2, gt=0)  # per process, on the CPU; decides no bit
    # Resumable states: seconds from one to the next, or longer, so that they cost no more than this
    # share of the time. A kill loses no more than that, and what the writing of the last one took.
    save_seconds: float = Field(60, gt=0)
    save_share: float = Field(0.02, gt=0, le=1)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    features_gb: float = Field(20, ge=0)  # of tokenised text that is kept; 0 keeps none
    # Forget what is inside the layers and compute it again in the backward pass; auto: where memory
    # would not do without. It changes no bit.
    activation_checkpointing: bool | Literal["auto"] = "auto"
    # What lies in the CPU's memory and not on the GPU: the optimizer's moments and float32 weights,
    # or these and the layers' weights, too.
    offload: Literal["none", "optimizer", "parameters"] = "none"
    # What `xstilts submit` asks for.
    cluster: Cluster = Field(default_factory=lambda: Cluster.model_validate({}))

    @model_validator(mode="after")
    def offload_is_possible(self) -> Machine:
        """ZeRO moves only what it cuts."""
        least = OFFLOADING[self.offload]
        if self.zero is not None and self.zero < least:
            raise ValueError(
                f"`offload: {self.offload}` needs `zero: {least}`{' or more' * (least < 3)}, "
                f"and it is {self.zero}"
            )
        return self

    @property
    def workers(self) -> int:
        """Processes that train one run together, on all nodes."""
        return self.nodes * self.processes

    @property
    def stage(self) -> int:
        """The ZeRO stage that holds."""
        least = max(int(self.workers > 1), OFFLOADING[self.offload])
        return least if self.zero is None else self.zero

    def stage_of(self, precision: str) -> int:
        """The ZeRO stage of a training.

        In bf16, stage 0 keeps its float32 weights where nobody can read them; 1 is the same.
        """
        return max(self.stage, 1) if precision == "bf16" else self.stage


def load_machine() -> Machine:
    """machine.yaml of the working folder, or what fits this machine."""
    if not paths.MACHINE.exists():
        given = {name: os.environ[key] for name, key in VARIABLES.items() if key in os.environ}
        where = " and ".join(VARIABLES[name] for name in given)
        return parse(Machine, given, where, "set them to whole numbers above 0")
    mend = "see machine.example.yaml for the keys"
    return parse(Machine, load_yaml(paths.MACHINE, mend) or {}, paths.MACHINE, mend)
