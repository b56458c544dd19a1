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
    seen = provenance.hardware()
    command = [sys.executable, "-c", TORCH]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return [failed("torch", f"cannot be imported ({last[:200]})", "`make install`")]
    found = json.loads(done.stdout.splitlines()[-1])
    build = f"CUDA {found['cuda']}" if found["cuda"] else "CPU"
    lines = [ok("torch", f"{found['version']}, {build} build; CPU kernels {found['cpu']}")]
    gpus, driver = seen["gpus"], str(seen["driver"] or "")
    if not gpus:
        return [*lines, ok("GPU", "none: trainings run on the CPU")]
    what = f"{len(gpus)} x {gpus[0]}, driver {driver}"
    major = int(driver.partition(".")[0]) if driver.partition(".")[0].isdigit() else 0
    if not found["cuda"]:
        mend = "pip install --require-hashes --no-deps -r docker/torch-cuda.lock"
        return [*lines, warning("GPU", f"{what}; torch's CPU build does not use it", mend)]
    if found["cuda"].startswith("13") and major < DRIVER:
        return [*lines, failed("GPU", what, f"CUDA 13 needs driver {DRIVER} or later")]
    if not found["gpus"]:
        mend = "see CUDA_VISIBLE_DEVICES, and `nvidia-smi`"
        return [*lines, failed("GPU", f"{what}; torch sees none", mend)]
    return [*lines, ok("GPU", what)]


def _portable() -> bool:
    """Whether trainings round alike on every make; a bad machine.yaml is `settings`' to tell."""
    try:
        return load_machine().portable
    except UserError:
        return False


def cpu() -> list[Finding]:
    """Cores, instruction sets, and whether sums are rounded as on other makes."""
    seen = provenance.hardware()
    text = f"{seen['cpu']}, {seen['cores']} cores"
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return [ok("CPU", text)]
    levels = [name for name in ("avx2", "avx512f") if re.search(rf"\b{name}\b", flags)]
    vendor = re.search(r"^vendor_id\s*: (\S+)", flags, re.M)
    if levels and vendor and vendor[1] != "GenuineIntel" and not _portable():
        mend = "`portable: true` in machine.yaml, on all that are compared; trainings take 1.9x"
        return [warning("CPU", f"{text}: MKL rounds otherwise than on Intel's CPUs", mend)]
    if levels:
        return [ok("CPU", f"{text}, {' '.join(levels)}")]
    mend = "compare by `xstilts verify --tolerance`: equal bytes are not to be expected"
    return [warning("CPU", f"{text}, no AVX2, with which the kit computes elsewhere", mend)]


def settings() -> list[Finding]:
    """machine.yaml by itself, and against the batches of the study in use."""
    try:
        machine = load_machine()
        wrong = list(_unfit(design.load(), machine)) if paths.PARAMS.exists() else []
    except UserError as error:
        why, _, mend = str(error).partition(" Mend: ")
        return [failed("machine.yaml", why, mend)]
    if wrong:
        mend = "change `processes` in machine.yaml, or the study's `batch`"
        return [failed("machine.yaml", few(wrong), mend)]
    text = (
        f"{machine.processes} processes x {machine.threads} threads, "
        f"ZeRO {machine.zero}, micro-batch {machine.micro_batch}, device {machine.device}"
    )
    cores = provenance.hardware()["cores"]
    if machine.device != "cuda" and machine.processes * machine.threads > cores:
        mend = f"give no more threads than the {cores} cores; equal bits need equal threads"
        return [warning("machine.yaml", text, mend)]
    where = "" if paths.MACHINE.exists() else " (defaults: there is no machine.yaml)"
    return [ok("machine.yaml", text + where)]


def _unfit(loaded: Params, machine: Machine) -> Iterator[str]:
    """Trainings whose global batch the processes cannot share."""
    budgets = {f"intermediate {key}": spec.training for key, spec in loaded.intermediate.items()}
    budgets |= {f"target {key}": s.training for key, s in loaded.targets.items() if s.training}
    if loaded.pretrain.training:
        budgets["pretrain"] = loaded.pretrain.training
    for name, training in budgets.items():
        try:
            share_of(training, machine.processes)
        except UserError:
            yield f"{name}: batch {training.batch} for {machine.processes} processes"


def disk() -> list[Finding]:
    """Free space against what the study in use will take, less what it has taken."""
    free = shutil.disk_usage(".").free
    text = f"{free / GB:.1f} GB free"
    if not paths.PARAMS.exists():
        return [ok("disk", text)]
    need = sum(Estimate(design.load()).disk().values())
    left = max(0.0, need - sum(map(_used, ("data", "models", "results"))))
    text += f"; the study needs about {left / GB:.1f} GB more, with DVC's copies up to twice that"
    if free < left:
        return [
            failed("disk", text, "free some, or move the project; `xstilts plan` says for what")
        ]
    if free < 2 * left:
        mend = "free some, or let DVC link: dvc config cache.type reflink,hardlink,copy"
        return [warning("disk", text, mend)]
    return [ok("disk", text)]


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
    kind = _mounted(Path.cwd())
    mend = (
        "keep the project on a local disk, or set MLFLOW_TRACKING_URI to a server and "
        "DVC_SITE_CACHE_DIR to a local folder"
    )
    try:
        with tempfile.TemporaryDirectory(dir=".", prefix=".xstilts-doctor-") as folder:
            database = sqlite3.connect(Path(folder) / "lock.db", timeout=1)
            database.execute("CREATE TABLE t (x)")
            database.execute("BEGIN EXCLUSIVE")
            database.rollback()
            database.close()
    except (OSError, sqlite3.Error) as error:
        return [failed("file system", f"{kind}: SQLite fails here ({error})", mend)]
    if SHARED.search(kind):
        return [warning("file system", f"{kind}: SQLite is not safe on shared storage", mend)]
    return [ok("file system", f"{kind}: SQLite can lock files")]


def _mounted(place: Path, table: Path = Path("/proc/mounts")) -> str:
    """The type of the file system that holds a place; `unknown` where the kernel does not say."""
    try:
        lines = table.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "unknown"
    best, kind = "", "unknown"
    for fields in (line.split() for line in lines):
        if len(fields) < 3:
            continue
        point = re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), fields[1])
        if place.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind
