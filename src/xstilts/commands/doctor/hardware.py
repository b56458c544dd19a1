"""CPU, GPU, disk and file system, against what the study asks of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from xstilts.commands.doctor.finding import Finding, failed, few, ok, warning
from xstilts.commands.estimate import Estimate
from xstilts.commands.graph import linked
from xstilts.core import design, paths
from xstilts.core.errors import UserError
from xstilts.core.machine import Machine, load_machine
from xstilts.core.params import Params
from xstilts.records import provenance
from xstilts.training.launch import share_of

GB = 1e9
DRIVER = 580  # the oldest NVIDIA driver for CUDA 13
# A process of its own, set up as a stage's: a broken CUDA may end the process that asks.
TORCH = (
    "from xstilts.core import determinism, machine; determinism.prepare(machine.Machine());"
    "import json, torch; print(json.dumps({'version': torch.__version__, "
    "'cuda': torch.version.cuda, 'gpus': torch.cuda.device_count(), "
    "'cpu': torch.backends.cpu.get_cpu_capability()}))"
)
# On these, SQLite's locks may be missing or slow, and two writers may spoil a database.
SHARED = re.compile(
    r"nfs|lustre|gpfs|beegfs|cifs|smb|afs|ceph|gluster|9p|fuse\.(?!overlay)|virtiofs"
)


def torch() -> list[Finding]:
    """Torch's build, and the GPUs that it and the driver see; none is fine."""
    done = subprocess.run(
        [sys.executable, "-c", TORCH], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return failed(f"cannot be imported ({last[:200]})", "`make install`")
    found, seen = json.loads(done.stdout.splitlines()[-1]), provenance.hardware()
    build = f"CUDA {found['cuda']}" if found["cuda"] else "CPU"
    text = f"{found['version']}, {build} build, {found['cpu']} kernels; "
    if not seen["gpus"]:
        return ok(f"{text}no GPU: trainings run on the CPU")
    text += f"{len(seen['gpus'])} x {seen['gpus'][0]}, driver {seen['driver']}"
    if not found["cuda"]:
        mend = "pip install --require-hashes --no-deps -r docker/torch-cuda.lock"
        return warning(f"{text}, which the CPU build does not use", mend)
    major = str(seen["driver"]).partition(".")[0]
    if found["cuda"].startswith("13") and not (major.isdigit() and int(major) >= DRIVER):
        return failed(text, f"CUDA 13 needs driver {DRIVER} or later")
    if not found["gpus"]:
        return failed(f"{text}; torch sees none", "see CUDA_VISIBLE_DEVICES, and `nvidia-smi`")
    return ok(text)


def cpu() -> list[Finding]:
    """Cores and instruction sets; with AVX2 every make of CPU rounds alike."""
    seen = provenance.hardware()
    text = f"{seen['cpu']}, {seen['cores']} cores"
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ok(text)
    levels = [name for name in ("avx2", "avx512f") if re.search(rf"\b{name}\b", flags)]
    if levels:
        return ok(f"{text}, {' '.join(levels)}")
    mend = "ask `xstilts verify` for the same conclusions: equal bytes are not to be expected"
    return warning(f"{text}, no AVX2, with which the kit computes elsewhere", mend)


def settings() -> list[Finding]:
    """machine.yaml by itself, and against the batches of the study in use."""
    try:
        machine = load_machine()
        wrong = list(_unfit(design.load(), machine)) if paths.PARAMS.exists() else []
    except UserError as error:
        why, _, mend = str(error).partition(" Mend: ")
        return failed(why, mend)
    if wrong:
        mend = "change `processes` or `nodes` in machine.yaml, or the study's `batch`"
        return failed(few(wrong), mend)
    nodes = f"{machine.nodes} nodes x " if machine.nodes > 1 else ""
    text = (
        f"{nodes}{machine.processes} processes x {machine.threads} threads, "
        f"ZeRO {machine.stage}, micro-batch {machine.micro_batch or 'by length'}, "
        f"device {machine.device}"
    )
    cores = provenance.hardware()["cores"]
    if machine.device != "cuda" and machine.processes * machine.threads > cores:
        mend = f"give no more threads than the {cores} cores; they decide no bit on the CPU"
        return warning(text, mend)
    where = "" if paths.MACHINE.exists() else " (defaults: there is no machine.yaml)"
    return ok(text + where)


def _unfit(loaded: Params, machine: Machine) -> Iterator[str]:
    """Trainings whose global batch the processes cannot share."""
    budgets = {f"intermediate {key}": spec.training for key, spec in loaded.intermediate.items()}
    budgets |= {f"target {key}": s.training for key, s in loaded.targets.items() if s.training}
    for key, spec in loaded.targets.items():
        budgets |= {f"target {key}, {name}": way.training for name, way in spec.variants.items()}
    if loaded.pretrain.training:
        budgets["pretrain"] = loaded.pretrain.training
    for name, training in budgets.items():
        try:
            share_of(training, machine.workers)
        except UserError:
            yield f"{name}: batch {training.batch} for {machine.workers} processes"


def disk() -> list[Finding]:
    """Free space against what the study in use will take, less what it has taken."""
    free = shutil.disk_usage(".").free
    text = f"{free / GB:.1f} GB free"
    if not paths.PARAMS.exists():
        return ok(text)
    need = sum(Estimate(design.load()).disk().values())
    left = max(0.0, need - sum(map(_used, ("data", "models", "results"))))
    text += f"; the study needs about {left / GB:.1f} GB more"
    if free < left:
        return failed(text, "free some, or move the project; `xstilts plan` says for what")
    if left and not linked():
        mend = "let DVC link: dvc config cache.type reflink,hardlink,symlink,copy"
        return warning(f"{text}, as every output is copied into DVC's cache", mend)
    return ok(text)


def _used(folder: str) -> int:
    """Bytes below a folder; files that vanish meanwhile count nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:
                continue
    return total


def file_system() -> list[Finding]:
    """Whether SQLite, which MLflow and DVC use, can lock files where the project is."""
    kind = _kind()
    mend = (
        "keep the project on a local disk, or set MLFLOW_TRACKING_URI to a server and "
        "DVC_SITE_CACHE_DIR to a local folder"
    )
    try:
        with tempfile.TemporaryDirectory(dir=".", prefix=".xstilts-doctor-") as folder:
            database = sqlite3.connect(Path(folder) / "lock.db", timeout=1)
            database.execute("CREATE TABLE t (x)")  # takes and leaves an exclusive lock
            database.close()
    except (OSError, sqlite3.Error) as error:
        return failed(f"{kind}: SQLite fails here ({error})", mend)
    if SHARED.search(kind):
        return warning(f"{kind}: SQLite is not safe on shared storage", mend)
    return ok(f"{kind}: SQLite can lock files")


def _kind() -> str:
    """The type of the file system here, as the kernel calls it."""
    try:
        command = ["df", "--output=fstype", "."]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown type"
    return done.stdout.split()[-1]
