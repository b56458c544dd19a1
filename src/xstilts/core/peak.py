"""The most memory that this process has had at once: `peak()`, in bytes."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak() -> dict[str, int]:
    """`process`: resident memory, files that it has mapped too; `gpu`: what torch has allotted."""
    found = {"process": _resident()}
    torch = sys.modules.get("torch")  # not imported for this
    if torch is not None and torch.cuda.is_initialized():
        found["gpu"] = int(torch.cuda.max_memory_allocated())
    return found


def _resident() -> int:
    """As the kernel says it of this program; `getrusage` tells that of who started it, too."""
    try:
        high = re.search(r"^VmHWM:\s*(\d+) kB", STATUS.read_text(encoding="utf-8"), re.M)
    except OSError:
        high = None
    if high:
        return int(high[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
