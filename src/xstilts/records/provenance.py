"""When, where and on what a stage ran: what may differ between two runs of equal result.

Written by `pipeline` after each stage to `provenance/<study>/<stage>/<key>.json`, which is no DVC
output, so equal work keeps an equal dvc.lock. The file is meant to be committed and published:
it names hardware and versions, never a host, a user, a path outside the project or a secret.
"""

from __future__ import annotations

import math
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from xstilts.core import determinism, files, paths
from xstilts.core.machine import load_machine

PACKAGES = ("xstilts", "torch", "transformers", "deepspeed", "mlflow", "dvc")
# What decides a result. dvc.lock is not here: DVC rewrites it during the very run.
CODE = ("src", "studies", "params.yaml", "dvc.yaml", "pyproject.toml", "requirements.lock")
PRIVATE = re.compile(r"user|host|account|token|secret|password|credential|api_?key|address", re.I)
TIMEOUT = 10  # seconds for git and nvidia-smi, so that a hung driver or disk stops nothing


def write(
    study: str,
    stage: str,
    key: str,
    started: datetime | float,
    seconds: float,
    mlflow_run_id: str | None,
    mlflow_experiment_id: str | None,
    machine: dict[str, Any],
    code: str,
    joules: Mapping[str, float] | None = None,
    peak_bytes: Mapping[str, int] | None = None,
) -> Path:
    """Write the provenance of one finished stage.

    Args:
        started: start as an aware datetime, or seconds since the epoch.
        seconds: wall-clock duration.
        mlflow_run: ids of the live run and its experiment in this machine's store; None: untracked.
        machine: how the work was laid on the hardware (micro-batch, ZeRO stage, ...).
        code: sha256 of what the stage runs (code.identity).
        joules: energy of the whole machine meanwhile, of its `cpu` and `gpu`, as far as it tells.
        peak_bytes: memory at its most, of the `process` and of its `gpu` (core/peak.py).

    Returns:
        The file, relative to the project root.
    """
    if not isinstance(started, datetime):
        started = datetime.fromtimestamp(started, UTC)
    content = {
        "study": study,
        "stage": stage,
        "key": key,
        "started": started.astimezone(UTC).isoformat(timespec="milliseconds"),
        "seconds": round(seconds, 3),
        "joules": dict(joules or {}),
        "peak_bytes": dict(peak_bytes or {}),
        "mlflow_run_id": mlflow_run_id,
        "mlflow_experiment_id": mlflow_experiment_id,
        "git": git_state(),
        "code": code,
        "image": os.environ.get("XSTILTS_IMAGE_DIGEST") or None,
        "hardware": hardware(),
        "software": software(),
        "machine": _publishable(machine),
        "bits": _publishable(determinism.report(load_machine())),
    }
    path = paths.provenance(study, stage, key)
    files.write_json(path, content)
    return path


def git_state() -> dict[str, Any]:
    """`commit` (40 hex, or None outside git) and `dirty`: code or study differs from the commit.

    An image holds no .git: there XSTILTS_COMMIT tells, and whether code differs is not known.
    """
    commit = _output("git", "rev-parse", "HEAD")
    if commit is None:
        told = os.environ.get("XSTILTS_COMMIT", "")
        return {"commit": told if re.fullmatch("[0-9a-f]{40}", told) else None, "dirty": None}
    changes = _output("git", "status", "--porcelain", "--", *CODE)
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def hardware() -> dict[str, Any]:
    """CPU model, usable cores, and per visible GPU its name and driver. No host name."""
    query = ("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
    rows = [line.rsplit(", ", 1) for line in (_output(*query) or "").splitlines()]
    gpus = [row for row in rows if len(row) == 2]
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "gpus": [name for name, _ in gpus],
        "driver": gpus[0][1] if gpus else None,
    }


def software() -> dict[str, Any]:
    """Python, packages (read from metadata: nothing heavy is imported), workers and their nodes."""
    versions: dict[str, str | None] = {}
    processes = _number("WORLD_SIZE") or 1
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": versions,
        "threads": _number("OMP_NUM_THREADS"),
        "processes": processes,
        "nodes": processes // (_number("LOCAL_WORLD_SIZE") or processes) or 1,
    }


def _cpu_model() -> str:
    """The name that the kernel gives, e.g. `AMD EPYC 9554`; else the architecture."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.M)
    return found[1].strip() if found else platform.processor() or platform.machine()


def _publishable(value: Any) -> Any:
    """Numbers and plain words; private keys go, and strings that hold an absolute path go too."""
    if isinstance(value, dict):
        kept = {str(k): _publishable(v) for k, v in value.items() if not PRIVATE.search(str(k))}
        return {k: v for k, v in kept.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [item for item in map(_publishable, value) if item is not None]
    if isinstance(value, (bool, int, float)):
        return value
    text = str(value)
    return None if value is None or re.search(r"(^|[\s=:])[/~]|\\|@", text) else text


def workers(machine: Mapping[str, Any]) -> float:
    """Processes of a recorded run on all nodes, of which older records know one."""
    told = (machine.get(name) for name in ("processes", "nodes"))
    return math.prod(float(one) if isinstance(one, int | float) else 1.0 for one in told)


def _number(variable: str) -> int | None:
    """An environment variable as a number; None when unset or no number."""
    text = os.environ.get(variable, "")
    return int(text) if text.isdigit() else None


def _output(*command: str) -> str | None:
    """Standard output of a command; None when it is not installed, fails, or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
