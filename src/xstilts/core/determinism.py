"""All that decides the bits of a training beside code, data and params, set and told in one place.

`prepare` sets environment variables and must run before numpy and torch are imported (the CLI calls
it as a stage starts); `apply` sets torch; `report` tells what holds, for provenance. A variable
that the user has set stays as it is: it is told, and it is in the name of every resumable state.
"""

from __future__ import annotations

import os
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from xstilts.core.machine import Machine

# One instruction level on every x86 CPU that has it: ATen, MKL, OpenBLAS and NumPy choose kernels
# each on their own, and AVX-512 sums in another order than AVX2. Products go to oneDNN, which sums
# alike by both (`kernels`), and is kept from what comes after them; of what is left to MKL,
# COMPATIBLE alone is heeded on a CPU that is not Intel's.
X86 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "COMPATIBLE",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX512_CORE",
    "OPENBLAS_CORETYPE": "Haswell",
    "OPENBLAS_NUM_THREADS": "1",  # it sums in another order with more; `kernels` shares the work
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}
CUDA = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}  # without it cuBLAS may sum in any order

OTHER_BITS = (
    "this CPU is no x86 with AVX2, so the last bits of results differ from those of other "
    "machines. Mend: ask `xstilts verify` for the same conclusions"
)


def prepare(machine: Machine) -> None:
    """Set the environment that libraries read when they are loaded."""
    for name, value in (CUDA | (X86 if has_avx2() else {})).items():
        os.environ.setdefault(name, value)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(machine.threads)


def has_avx2() -> bool:
    """Whether this CPU is known to have AVX2: asking one for it that has not would crash."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return re.search(r"^flags\s*:.*\bavx2\b", text, re.M) is not None


def apply(machine: Machine, device: str = "cpu") -> None:
    """Set torch: deterministic algorithms, fixed threads, whole float32 products.

    Without AVX2 torch's own products stay, which a line on stderr and the provenance tell.
    """
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
    if device != "cpu":
        return
    if not has_avx2():
        _warn()
        return
    from xstilts.core import kernels

    kernels.install(machine.threads)
    # Products alone are shared: others of torch's kernels round by where the work was cut.
    torch.set_num_threads(1)


def seed(number: int) -> None:
    """Begin torch's streams of random numbers, as `torch.manual_seed` does.

    That one writes down where it was called, for each kind of device that is not here: two
    milliseconds, at each update of a small model.
    """
    import torch

    torch.default_generator.manual_seed(number)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(number)


@lru_cache
def _warn() -> None:
    """Said once a process."""
    print(f"xstilts: {OTHER_BITS}", file=sys.stderr)


def asked(machine: Machine) -> dict[str, Any]:
    """What libraries are told that decides bits: threads, kernels, variables of the environment."""
    told = {name: os.environ.get(name) for name in (*X86, *CUDA)}
    products = "oneDNN" if has_avx2() else "torch"
    return {"threads": machine.threads, "float32_products": products, **told}


def report(machine: Machine) -> dict[str, Any]:
    """`asked`, and where torch is loaded what it says of itself; plain words and numbers."""
    told = asked(machine)
    if "torch" not in sys.modules:
        return told
    import torch

    from xstilts.core import kernels

    return told | {
        "float32_products": "oneDNN" if kernels.installed() else "torch",
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "onednn": bool(torch.backends.mkldnn.enabled),
    }
