"""Typed view of machine.yaml: hardware, optional and untracked; it never decides a result."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import Field

from xstilts.core import paths
from xstilts.core.strict import Strict, load_yaml, parse


class Machine(Strict):
    """Hardware: what may differ from place to place without changing what is computed."""

    processes: int = Field(1, gt=0)  # data-parallel workers, one per GPU
    zero: Literal[0, 1, 2, 3] = 1  # DeepSpeed ZeRO stage
    micro_batch: int = Field(32, gt=0)  # examples per forward pass and process
    threads: int = Field(2, gt=0)  # per process, on the CPU, for products; decides no bit
    save_seconds: float = Field(60, gt=0)  # between two resumable states
    device: Literal["auto", "cpu", "cuda"] = "auto"


def load_machine() -> Machine:
    """machine.yaml of the working folder, or what fits this machine."""
    if not paths.MACHINE.exists():
        given = {"processes": os.environ.get("XSTILTS_PROCESSES", "1")}
        return parse(Machine, given, "XSTILTS_PROCESSES", "set it to a whole number above 0")
    mend = "see machine.example.yaml for the keys"
    return parse(Machine, load_yaml(paths.MACHINE, mend) or {}, paths.MACHINE, mend)
