"""Memory that a process may still take: what the machine has, within the limits of its cgroups."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# Limit, use, and in memory.stat the files among it that the kernel gives back: cgroup v2, then v1.
NAMES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def available(root: Path = Path("/")) -> int:
    """Bytes that can be had without swapping; 0 where the system does not tell.

    Docker, SLURM and Kubernetes limit memory by cgroups, of which /proc/meminfo knows nothing.

    Args:
        root: where /proc and /sys lie.
    """
    try:
        kilobytes = _table(root / "proc/meminfo")["MemAvailable:"]
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except (OSError, KeyError, ValueError):
        return 0
    rooms = [room for group in groups for room in _rooms(root / "sys/fs/cgroup", group)]
    return max(0, min([kilobytes * 1024, *rooms]))


def _rooms(mount: Path, group: str) -> Iterator[int]:
    """What the limits of a cgroup and of those around it leave, in bytes.

    Args:
        group: a line of /proc/self/cgroup, as `0::/job` (v2) or `4:memory:/job` (v1).
    """
    _, controllers, path = group.split(":", 2)
    if controllers not in ("", "memory"):
        return
    top, names = mount / controllers, NAMES[bool(controllers)]
    own = top / path.strip("/")
    # In a container the path may be the one outside of it; then the top is the container's own.
    for folder in (own, *own.parents[: len(own.parts) - len(top.parts)]):
        with suppress(OSError, KeyError, ValueError):  # none there, or `max`: no limit
            limit, used = (int((folder / name).read_text()) for name in names[:2])
            yield limit - used + _table(folder / "memory.stat")[names[2]]


def _table(path: Path) -> dict[str, int]:
    """Name -> number of a file with one of each a line."""
    rows = (line.split() for line in path.read_text().splitlines())
    return {row[0]: int(row[1]) for row in rows}
