"""How much memory may still be taken, on made-up machines."""

from pathlib import Path

import pytest

from xstilts.core import memory

GB = 1 << 30
FREE = 20 * GB


def machine(root: Path, group: str, **files: str) -> Path:
    """A machine with 20 GB free whose process is in a cgroup; `files` are those of /sys."""
    content = {
        "proc/meminfo": f"MemTotal: {FREE // 512} kB\nMemAvailable: {FREE // 1024} kB\n",
        "proc/self/cgroup": group,
    } | {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    for name, text in content.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def v2(folder: str, limit: str, used: int, cached: int) -> dict[str, str]:
    """The files of a cgroup of version 2."""
    files = {"max": limit, "current": str(used), "stat": f"anon 1\ninactive_file {cached}\n"}
    return {f"{folder}/memory.{name}": text for name, text in files.items()}


def test_without_a_limit_it_is_what_the_machine_has(tmp_path: Path) -> None:
    """`max` is no number."""
    root = machine(tmp_path, "0::/user", **v2("user", "max", GB, 0))
    assert memory.available(root) == FREE


def test_the_narrowest_limit_counts_and_cached_files_are_free(tmp_path: Path) -> None:
    """SLURM limits the job, of which the process sees a step; files read fill any limit up."""
    groups = v2("job/step", "max", GB, 0) | v2("job", str(8 * GB), 7 * GB, 2 * GB)
    assert memory.available(machine(tmp_path, "0::/job/step", **groups)) == 3 * GB


def test_a_container_is_limited_where_it_cannot_see_its_own_path(tmp_path: Path) -> None:
    """cgroup v1 in Docker: the path is that of the host, the files lie at the top."""
    files = {
        "memory/memory.limit_in_bytes": str(4 * GB),
        "memory/memory.usage_in_bytes": str(GB),
        "memory/memory.stat": "total_inactive_file 0",
    }
    group = "5:cpu:/docker/abc\n4:memory:/docker/abc"
    assert memory.available(machine(tmp_path, group, **files)) == 3 * GB


def test_what_is_over_its_limit_has_nothing_left(tmp_path: Path) -> None:
    """Never a negative number, which a share of would be no room either, but odd."""
    assert memory.available(machine(tmp_path, "0::/", **v2(".", str(GB), 2 * GB, 0))) == 0


def test_where_nothing_is_told_nothing_is_taken(tmp_path: Path) -> None:
    """No /proc: no Linux."""
    assert memory.available(tmp_path) == 0


def test_this_machine_has_memory() -> None:
    """The names are those of a real system."""
    if not Path("/proc/meminfo").exists():
        pytest.skip("no Linux")
    assert memory.available() > 0
