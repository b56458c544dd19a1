"""What a stage keeps to go on after an interruption: where it lies, and the states of a training.

`folder` names the place by all that decides the result, so nothing stale is ever found there; the
stages ask for it and delete it when they are done. `States` and `drop` are for training/loop.py: a
state is written whole or not at all, and read only if it is what was written.

A state of a large model takes long to write. Where memory allows, it is copied there and written
while training goes on (training/writer.py), and the next one comes when what the last one cost is
a small share of the time since (`pause`).

DeepSpeed keeps its state as pickles, and reading a pickle can run code. So the sha256 of each of
its files is written beside them (hashes.json, in one go, after all files are there: the state
counts from then on), and before anything is read the files are compared with it.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextlib import suppress
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
RATE = 300e6  # bytes a second that a state's copy, hash and writing take, until that is measured


def pause(seconds: float, share: float, cost: float) -> float:
    """Seconds from the beginning of a state that cost so many to that of the next one.

    A kill loses no more than that, and what was done until a state's files were on the disk.

    Args:
        seconds: at least so many, however little a state costs.
        share: of the time, that states may cost.
    """
    return max(seconds, cost / share)


class States:
    """The resumable states of one training. All workers enter, ask, save and leave together.

    In the `with` block, `client` is what the latest state was saved with, to which `engine` was
    brought, or None. A state that is being written when it ends is given up; when it ends by an
    exception, as on SIGTERM, it is finished first, if that takes no other worker.
    """

    def __init__(self, engine: Any, state: Path, machine: Machine, workers: Workers) -> None:
        from xstilts.training.writer import Writer

        self.engine, self.state, self.machine, self.workers = engine, state, machine, workers
        self.writer = engine.checkpoint_engine = Writer(workers.here)
        self.tag = ""  # of the state that is being written
        self.began, self.lost = time.monotonic(), _bytes(engine, workers) / RATE

    def __enter__(self) -> States:
        self.client = load(self.engine, self.state, self.workers)
        self.began = time.monotonic() - self.lost  # as if one had just been written
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        try:
            if kind:
                with suppress(UserError):  # it ends for another reason
                    if self.tag and self.workers.size == 1:
                        self._mark()
                    if not self.tag:
                        self.writer.wait()
        finally:
            self.writer.close()
        if kind is None:
            self.workers.barrier()  # nobody writes any more: the files may be deleted

    def due(self) -> bool:
        """Whether it is time for the next one; by the way, the last one counts once it is written.

        Raises:
            UserError: the last one cannot be written.
        """
        writing = self.writer.writing()
        cost = self.lost + self.writer.seconds()
        wait = pause(self.machine.save_seconds, self.machine.save_share, cost)
        due = self.workers.agree(time.monotonic() - self.began >= wait)
        if self.tag and (due or self.workers.all(not writing)):
            self._mark()
        return due

    def save(self, step: int, client: dict[str, Any]) -> None:
        """Begin to write the state after `step` updates, and what belongs to it."""
        self.began = time.monotonic()
        tag, place = f"step{step}", str(self.state / FOLDER)
        self.engine.save_checkpoint(place, tag=tag, client_state=client, save_latest=False)
        self.tag = tag
        self.lost = time.monotonic() - self.began

    def _mark(self) -> None:
        """Wait for the files of all workers; then the state counts, and older ones are deleted."""
        written = self.workers.union(self.writer.wait())
        if self.workers.rank == 0:
            latest = self.state / FOLDER / self.tag
            older = [old for old in latest.parent.glob("step*") if old != latest]
            self.writer.submit(lambda: _count(latest, written, older))
        self.tag = ""


def _count(latest: Path, written: dict[str, str], older: list[Path]) -> dict[str, str]:
    """Write the hashes of a state's files, from then on the latest; delete the older ones."""
    hashes = {Path(path).relative_to(latest).as_posix(): sha for path, sha in written.items()}
    for path in _files(latest):
        if path.relative_to(latest).as_posix() not in hashes:  # a script that DeepSpeed adds
            files.settle(path)
            hashes[path.relative_to(latest).as_posix()] = files.sha256_file(path)
    files.settle(latest)
    files.write_json(latest.parents[1] / HASHES, {"tag": latest.name, "files": hashes})
    for old in older:
        shutil.rmtree(old, ignore_errors=True)
    return {}


def _bytes(engine: Any, workers: Workers) -> float:
    """About what a worker writes: weights; of the trained ones a copy and two moments, too."""
    sizes = (
        getattr(weight, "ds_numel", weight.numel()) * (16 if weight.requires_grad else 4)
        for weight in engine.module.parameters()
    )
    return sum(sizes) / workers.size


def load(engine: Any, state: Path, workers: Workers) -> dict[str, Any] | None:
    """Bring `engine` to the latest state; its `client`, or None where there is none to trust."""
    known, folder = state / HASHES, state / FOLDER
    if not workers.first(known.exists):
        _forget(folder, "", workers)
        return None
    tag, told = workers.first(lambda: _told(known))
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
    _forget(folder, tag, workers)
    _, client = engine.load_checkpoint(str(folder), tag=tag, load_lr_scheduler_states=False)
    found: dict[str, Any] = client
    return found


def _forget(folder: Path, tag: str, workers: Workers) -> None:
    """Delete what a killed training has left of other states, before one is written there anew.

    Later they would be taken for older ones, and go while their place is being filled again.
    """
    if workers.rank == 0:
        for left in [one for one in folder.glob("step*") if one.name != tag]:
            shutil.rmtree(left, ignore_errors=True)
    workers.barrier()


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
    found = workers.first(lambda: _files(folder))
    mine = [files.sha256_file(path) for path in found[workers.rank :: workers.size]]
    names = [path.relative_to(folder).as_posix() for path in found]
    return dict(zip(names, workers.gather(mine), strict=True))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


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
