"""All that decides the bits of a training beside code, data and params, set and told in one place.

`prepare` sets environment variables and must run before numpy and torch are imported (the CLI calls
it as a stage starts); `apply` sets torch; `report` tells what holds, for provenance. A variable
that the user has set stays as it is: it is told, and it is in the name of every resumable state.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

from xstilts.core.machine import Machine

# One instruction level on every x86 CPU that has it, so that a CPU with AVX-512 sums in the order
# of one with AVX2; measured on a small encoder, a step takes 1.35 times as long on AVX-512. ATen,
# MKL, OpenBLAS and NumPy choose kernels each on their own, and MKL's vector functions do not heed
# its CBWR. With these the bits are those of all CPUs for which MKL takes the same code: Intel's.
X86 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}
# On a CPU of another maker MKL heeds no other value than this one, whose products are SSE2's.
PORTABLE = {"MKL_CBWR": "COMPATIBLE"}
CUDA = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}  # without it cuBLAS may sum in any order


def prepare(machine: Machine) -> None:
    """Set the environment that libraries read when they are loaded."""
    cpu = X86 | (PORTABLE if machine.portable else {}) if _has_avx2() else {}
    for name, value in (CUDA | cpu).items():
        os.environ.setdefault(name, value)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(machine.threads)


def _has_avx2() -> bool:
    """Whether this CPU is known to have AVX2: asking one for it that has not would crash."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return re.search(r"^flags\s*:.*\bavx2\b", text, re.M) is not None


def apply(machine: Machine) -> None:
    """Set torch: deterministic algorithms, fixed threads, whole float32 products."""
    prepare(machine)
    import torch

    torch.use_deterministic_algorithms(True)
    # A debugging aid of the line above: it writes all new memory twice, and decides nothing.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.set_num_threads(machine.threads)
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    # One library less that chooses its kernels by the CPU; as fast without it in float32.
    torch.backends.mkldnn.set_flags(False)
    if machine.portable:
        _round_square_roots()


@lru_cache
def _round_square_roots() -> Any:
    """Give torch on the CPU correctly rounded square roots, for x ** 0.5 too.

    MKL's compatible ones begin with the CPU's own guess; DeepSpeed takes one at each clipping.
    """
    import numpy as np
    import torch

    def sqrt(x: torch.Tensor) -> torch.Tensor:
        kind = torch.result_type(x, 0.5)
        wide = x.to(kind if kind.itemsize > 2 else torch.float32)
        return torch.as_tensor(np.sqrt(wide.detach().numpy())).to(kind)

    def power(x: torch.Tensor, exponent: float) -> torch.Tensor:
        if exponent == 0.5:
            return sqrt(x)
        out = torch.empty_like(x, dtype=torch.result_type(x, exponent))
        return torch.ops.aten.pow.Tensor_Scalar_out(x, exponent, out=out)

    library = torch.library.Library("aten", "IMPL")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that these kernels are overridden is the purpose
        library.impl("sqrt", sqrt, "CPU")
        library.impl("pow.Tensor_Scalar", power, "CPU")
    return library  # the cache keeps it: its kernels go when it goes


def asked(machine: Machine) -> dict[str, Any]:
    """What libraries are told that decides bits: threads, kernels, variables of the environment."""
    told = {name: os.environ.get(name) for name in (*X86, *CUDA)}
    return {"threads": machine.threads, "portable": machine.portable, **told}


def report(machine: Machine) -> dict[str, Any]:
    """`asked`, and where torch is loaded what it says of itself; plain words and numbers."""
    told = asked(machine)
    if "torch" not in sys.modules:
        return told
    import torch

    return told | {
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "onednn": bool(torch.backends.mkldnn.enabled),
    }
