"""GPU, CPU, machine.yaml, disk and file system, each in broken surroundings."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from xstilts.commands.doctor import hardware
from xstilts.commands.doctor.finding import Finding
from xstilts.records import provenance


def gpu(monkeypatch: pytest.MonkeyPatch, driver: str | None, **found: Any) -> list[Finding]:
    """Findings for a driver, and what torch says."""
    seen = {"cpu": "x", "cores": 2, "gpus": ["H100"] if driver else [], "driver": driver}
    monkeypatch.setattr(provenance, "hardware", lambda: seen)
    told = {"version": "2.13.0", "cuda": "13.0", "gpus": 1, "cpu": "AVX2", **found}
    monkeypatch.setattr(hardware, "TORCH", f"print({json.dumps(json.dumps(told))})")
    return hardware.torch()


@pytest.mark.parametrize(
    ("driver", "found", "state", "words"),
    [
        ("580.65.06", {}, "ok", "1 x H100, driver 580.65.06"),
        (None, {"cuda": None, "gpus": 0}, "ok", "no GPU"),
        ("580.65.06", {"cuda": None, "gpus": 0}, "warning", "CPU build"),
        ("535.1", {"gpus": 0}, "failed", "needs driver 580"),
        ("580.65.06", {"gpus": 0}, "failed", "torch sees none"),
        ("[N/A]", {}, "failed", "needs driver 580"),
    ],
)
def test_gpu_driver_and_torch_must_fit(
    monkeypatch: pytest.MonkeyPatch,
    driver: str | None,
    found: Any,
    state: str,
    words: str,
    only: Any,
) -> None:
    """A GPU that lies idle, or a driver too old, costs a day before anyone looks."""
    only(gpu(monkeypatch, driver, **found), state, "2.13.0", words)


def test_torch_that_cannot_be_imported_is_told(monkeypatch: pytest.MonkeyPatch, only: Any) -> None:
    """Its last line says which library is missing."""
    monkeypatch.setattr(hardware, "TORCH", "raise ImportError('libcudart.so.13: not found')")
    only(hardware.torch(), "failed", "libcudart.so.13: not found")


def test_an_old_cpu_is_told(monkeypatch: pytest.MonkeyPatch, only: Any) -> None:
    """Without AVX2 sums have another order, so bytes differ from everyone else's."""
    monkeypatch.setattr(Path, "read_text", lambda *a, **k: "flags : sse2 avx")
    only(hardware.cpu(), "warning", "no AVX2", "same conclusions")


def test_every_make_of_cpu_with_avx2_is_fine(monkeypatch: pytest.MonkeyPatch, only: Any) -> None:
    """AMD's too: products are not MKL's, so all round alike."""
    flags = "vendor_id\t: AuthenticAMD\nflags\t\t: avx avx2\n"
    monkeypatch.setattr(Path, "read_text", lambda *a, **k: flags)
    only(hardware.cpu(), "ok", "avx2")


def test_machine_yaml_must_be_valid_and_share_the_batch(
    monkeypatch: pytest.MonkeyPatch, only: Any, study: Any
) -> None:
    """Else `dvc repro` stops at the first training, after all data is prepared."""
    Path("machine.yaml").write_text("proceses: 2\n")
    only(hardware.settings(), "failed", "machine.yaml: proceses: unknown key")
    Path("machine.yaml").write_text("processes: 3\ndevice: cuda\n")
    one = SimpleNamespace(training=SimpleNamespace(batch=32), variants={})
    study(intermediate={"mnli-s1": one}, targets={"xnli": one})
    only(hardware.settings(), "failed", "intermediate mnli-s1: batch 32 for 3 processes, target")
    Path("machine.yaml").write_text("processes: 4\ndevice: cuda\n")
    only(hardware.settings(), "ok", "4 processes")
    Path("machine.yaml").write_text("nodes: 3\ndevice: cuda\n")
    only(hardware.settings(), "failed", "intermediate mnli-s1: batch 32 for 3 processes, target")
    Path("machine.yaml").write_text("nodes: 2\nprocesses: 4\ndevice: cuda\n")
    only(hardware.settings(), "ok", "2 nodes x 4 processes")


def test_more_threads_than_cores_is_told(only: Any) -> None:
    """They wait for each other: a training takes a multiple of its time."""
    Path("machine.yaml").write_text("threads: 9999\n")
    only(hardware.settings(), "warning", "9999 threads")


@pytest.mark.parametrize(
    ("need", "links", "state"),
    [(1.0, True, "ok"), (1.5e12, True, "ok"), (1.5e12, False, "warning"), (3e12, True, "failed")],
)
def test_disk_against_the_plan(
    monkeypatch: pytest.MonkeyPatch, need: float, links: bool, state: str, only: Any, study: Any
) -> None:
    """A full disk stops a study days after its start."""
    study()
    monkeypatch.setattr(hardware.shutil, "disk_usage", lambda _: SimpleNamespace(free=2e12))
    estimate = SimpleNamespace(disk=lambda: {"encoders": need})
    monkeypatch.setattr(hardware, "Estimate", lambda _: estimate)
    monkeypatch.setattr(hardware, "linked", lambda: links)
    only(hardware.disk(), state, "2000.0 GB free")


def test_what_is_there_needs_no_more_room(monkeypatch: pytest.MonkeyPatch, study: Any) -> None:
    """A finished study must not be told to free its own size."""
    study()
    Path("models/x").mkdir(parents=True)
    os.truncate(os.open("models/x/weights", os.O_CREAT | os.O_RDWR), 2_000_000_000)
    estimate = SimpleNamespace(disk=lambda: {"encoders": 3e9})
    monkeypatch.setattr(hardware, "Estimate", lambda _: estimate)
    assert "about 1.0 GB more" in hardware.disk()[0].text


@pytest.mark.parametrize("kind", ["nfs4", "lustre", "fuse.sshfs", "cifs", "9p"])
def test_shared_storage_is_told(monkeypatch: pytest.MonkeyPatch, kind: str, only: Any) -> None:
    """SQLite on it may be spoilt by two writers."""
    monkeypatch.setattr(hardware, "_kind", lambda: kind)
    only(hardware.file_system(), "warning", kind, "MLFLOW_TRACKING_URI")


def test_local_file_systems_are_fine(monkeypatch: pytest.MonkeyPatch, only: Any) -> None:
    """Containers run on overlays."""
    for kind in ("ext4", "overlay", "fuse.overlayfs", "xfs", "unknown"):
        monkeypatch.setattr(hardware, "_kind", lambda kind=kind: kind)
        only(hardware.file_system(), "ok", kind)


def test_the_file_system_is_named_as_the_kernel_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no such program is, nothing is claimed."""
    mounts = {line.split()[2] for line in Path("/proc/mounts").read_text().splitlines()}
    assert hardware._kind() in mounts
    monkeypatch.setenv("PATH", "")
    assert hardware._kind() == "unknown type"


def test_sqlite_that_cannot_lock_fails(monkeypatch: pytest.MonkeyPatch, only: Any) -> None:
    """Some network file systems have no locks at all."""

    def broken(*_: object, **__: object) -> None:
        raise hardware.sqlite3.OperationalError("locking protocol")

    monkeypatch.setattr(hardware.sqlite3, "connect", broken)
    only(hardware.file_system(), "failed", "SQLite fails here (locking protocol)")
