"""Energy that the machine says it has used: `Meter()` before the work, `.joules()` after it.

CPU packages by the kernel's powercap (RAPL; often for root alone), GPUs by NVIDIA's library. Both
count the whole machine, other people's work on it too. What does not tell is left out.
"""

from __future__ import annotations

import ctypes
import re
from contextlib import suppress
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
NVML = "libnvidia-ml.so.1"


class Meter:
    """Counters as they stood when it was made."""

    def __init__(self) -> None:
        """Read all counters; takes milliseconds."""
        self._cpus, self._gpus = _cpus(), _gpus()

    def joules(self) -> dict[str, float]:
        """Energy since then: `cpu` and `gpu`, where the machine tells, rounded to a joule."""
        found = {}
        cpus, gpus = _cpus(), _gpus()
        if self._cpus and cpus.keys() == self._cpus.keys():
            used = [(now - self._cpus[name][0]) % most for name, (now, most) in cpus.items()]
            found["cpu"] = round(sum(used) / 1e6)
        if self._gpus and len(gpus) == len(self._gpus):
            used = [now - before for now, before in zip(gpus, self._gpus, strict=True)]
            found["gpu"] = round(sum(used) / 1e3)
        return {name: float(value) for name, value in found.items()}


def _cpus() -> dict[str, tuple[int, int]]:
    """Package -> (microjoules, where the counter begins anew)."""
    found = {}
    with suppress(OSError, ValueError):
        for folder in sorted(POWERCAP.iterdir()) if POWERCAP.is_dir() else []:
            if re.fullmatch(
                r"intel-rapl:\d+", folder.name
            ):  # AMD's, too; its parts have two colons
                values = [
                    int((folder / name).read_text())
                    for name in ("energy_uj", "max_energy_range_uj")
                ]
                found[folder.name] = (values[0], values[1] + 1)
    return found


def _gpus() -> list[int]:
    """Millijoules of each GPU since its driver was loaded; [] where one does not tell."""
    try:
        library = ctypes.CDLL(NVML)
    except OSError:
        return []
    found: list[int] = []
    count = ctypes.c_uint()
    if library.nvmlInit_v2() != 0:
        return []
    try:
        if library.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0:
            return []
        for index in range(count.value):
            handle, used = ctypes.c_void_p(), ctypes.c_ulonglong()
            if (
                library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)) != 0
                or library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(used)) != 0
            ):
                return []
            found.append(used.value)
    finally:
        library.nvmlShutdown()
    return found
