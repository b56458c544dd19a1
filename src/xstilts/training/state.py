"""What a stage keeps to go on after an interruption: where it lies, and the states of a training.

`folder` names the place by all that decides the result, so nothing stale is ever found there; the
stages ask for it and delete it when they are done. `save`, `load` and `drop` are for
training/loop.py: a state is written whole or not at all, and read only if it is what was written.

DeepSpeed keeps its state as pickles, and reading a pickle can run code. So the sha256 of each of
its files is written beside them (hashes.json, in one go, after all files are there: the state
counts from then on), and before anything is read the files are compared with it.
"""

from __future__ import annotations

import os
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from xstilts.core import determinism, files, paths
from xstilts.core.errors import UserError
from xstilts.core.machine import Machine
from xstilts.records import code
from xstilts.training.engine import Workers, device_name

HASHES = "hashes.json"
FOLDER = "zero"
PACKAGES = ("torch", "transformers", "tokenizers", "deepspeed", "peft")  # whose code decides bits


def save(engine: Any, state: Path, step: int, client: dict[str, Any], workers: Workers) -> None:
    """Write a state of `engine` and of `client` after `step` updates; older ones are deleted."""
    tag = f"step{step}"
    folder = state / FOLDER
    engine.save_checkpoint(str(folder), tag=tag, client_state=client, save_latest=False)
    workers.barrier()
    hashes = _hashes(folder / tag, workers)
    if workers.rank == 0:
        files.write_json(state / HASHES, {"tag": tag, "files": hashes})
        for old in folder.glob("step*"):
            if old.name != tag:
                shutil.rmtree(old)
    workers.barrier()


def load(engine: Any, state: Path, workers: Workers) -> dict[str, Any] | None:
    """Bring `engine` to the latest state; its `client`, or None where there is none to trust."""
    known, folder = state / HASHES, state / FOLDER
    if not known.exists():
        return None
    tag, told = _told(known)
    if _hashes(folder / tag, workers) != told:
        if workers.rank == 0:
            print(
                f"xstilts: {folder} is not what was written there (sha256 differs from {known}), "
                "so it is not read: the training begins anew",
                file=sys.stderr,
                flush=True,
            )
            drop(state)
        workers.barrier()
        return None
    _, client = engine.load_checkpoint(str(folder), tag=tag, load_lr_scheduler_states=False)
    found: dict[str, Any] = client
    return found


def _told(known: Path) -> tuple[str, dict[str, str] | None]:
    """The tag of the latest state and its hashes; None where the file is no such thing."""
    try:
        told = files.read_json(known)
        return str(told["tag"]), dict(told["files"])
    except (UserError, KeyError, TypeError, ValueError):
        return "", None


def drop(state: Path) -> None:
    """Delete a state; its hashes go first, so that no half of it is ever read."""
    (state / HASHES).unlink(missing_ok=True)
    shutil.rmtree(state / FOLDER, ignore_errors=True)


def _hashes(folder: Path, workers: Workers) -> dict[str, str]:
    """Name -> sha256 of every file in a folder; the workers share the reading."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    mine = [files.sha256_file(path) for path in found[workers.rank :: workers.size]]
    names = [path.relative_to(folder).as_posix() for path in found]
    return dict(zip(names, workers.gather(mine), strict=True))


def folder(stage: str, spec: Any, inputs: list[Path], machine: Machine) -> Path:
    """`.state/<stage>-<hash>`: code, params, input bytes, versions, workers, all that decides bits.

    DeepSpeed's state belongs to one number of workers and one ZeRO stage, so those are in too;
    so is the device, as half a training on another one rounds otherwise. The folder is deleted when
    its stage succeeds, and can be deleted at any time.
    """
    name = files.sha256_json(
        {
            "code": code.identity(stage),
            "spec": spec,
            "inputs": {str(path): files.sha256_file(path) for path in inputs},
            "versions": {package: metadata.version(package) for package in PACKAGES},
            "workers": int(os.environ.get("WORLD_SIZE", "1")),
            "zero": machine.stage,
            "offload": machine.offload,
            "micro_batch": machine.micro_batch,
            "bits": determinism.asked(machine),
            "device": device_name(machine),
        }
    )
    return paths.STATE / f"{stage}-{name[:24]}"
