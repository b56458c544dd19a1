"""Torch's own kernels in place of the kit's, which give equal bits on every CPU: what those cost.

`install()` leaves torch as it comes, MKL's products and all instructions of the CPU, with so many
threads inside of each kernel; packing, batches, the loop and DeepSpeed stay.
"""

from __future__ import annotations

from typing import Any

import torch

from xstilts.core import determinism, kernels
from xstilts.training import lanes


def install(threads: int) -> None:
    """Let nothing set torch up from now on."""

    def apply(*given: Any, **more: Any) -> None:
        torch.set_num_threads(threads)

    determinism.apply = apply
    kernels.installed = lambda: True  # gradients of a word embedding by the rows that are read
    lanes._may = lambda engine: False  # threads of ours would take turns with torch's
