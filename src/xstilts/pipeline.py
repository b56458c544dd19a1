"""Run one stage, as the CLI and so `dvc repro` do: alone, tracked, timed, in so many processes.

One process at a time for each run of a stage, as two would spoil each other's files. A file beside
the output is locked by `flock`, which the kernel undoes when its holder dies however it dies. Where
a file system knows no locks, the stage runs without one.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from xstilts.core import design, flow, paths
from xstilts.core import machine as machines
from xstilts.core.energy import Meter
from xstilts.core.errors import UserError, disk
from xstilts.core.machine import Machine
from xstilts.core.params import Params
from xstilts.core.peak import peak
from xstilts.core.progress import Observe
from xstilts.records import code, provenance, tracking
from xstilts.report import runs_page
from xstilts.training import nodes
from xstilts.training.launch import MEETING, by_network, is_worker, rank, relaunch, share_of


def run_stage(word: str, key: str | None = None) -> None:
    """Run a stage of a compiled study.

    Args:
        key: of the run, or <study>/<key>; for a stage with one run a study, that study.

    Raises:
        UserError: no such key, what the stage itself refuses, a full disk, or it is being run.
    """
    study, key = _run_of(word, key)
    loaded, machine = design.load_run(word, study, key), machines.load_machine()
    arguments = [word, study if word in flow.SINGLE else f"{study}/{key}"]
    spec = _spec(loaded, word, key)
    trained = flow.trains(word, spec.get("source", ""))
    if trained:
        _check_share(loaded, word, key, machine.workers)
    if by_network():
        nodes.check(word, trained, machine)
    worker = is_worker()
    several = trained and machine.nodes > 1 and not worker
    node = nodes.here(machine) if several else None
    with _lock(paths.output(loaded, word, key), " ".join(arguments), node) as lock:
        if trained and not worker:
            relaunch(machine, arguments, lock, node)
        _run(loaded, machine, word, key, spec)


def _lock(output: Path, what: str, node: nodes.Node | None) -> AbstractContextManager[int | None]:
    """The lock of an output, for whoever is first in a run of its stage, of whatever nodes."""
    elsewhere = nodes.LOCKED in os.environ or (node is not None and node.number > 0)
    if is_worker():  # whoever started it holds the lock; torchrun does not
        elsewhere = MEETING in os.environ or rank() > 0
    return nullcontext() if elsewhere else held(output, what)


def _run(loaded: Params, machine: Machine, word: str, key: str, spec: dict[str, Any]) -> None:
    """Run a stage in this process, and record how."""
    first, folder = rank() == 0, paths.output(loaded, word, key)
    ran = code.identity(word, code.variant_of(word, spec))
    stage = importlib.import_module(f"xstilts.stages.{word}")
    began, clock, meter = time.time(), time.monotonic(), Meter()
    with (
        tracking.track(word, key, loaded.study, spec, enabled=first) as tracker,
        disk(folder),
        _joined(machine, ran),
    ):
        gc.freeze()  # what imports left is never garbage: not to be searched again and again
        gc.enable()  # off since the start, for the imports
        record = stage.run(loaded, key, Observe(tracker.log, quiet=not first))
        if first:
            ids = tracker.finish(record, folder), tracker.experiment_id
            seconds = time.monotonic() - clock
            hardware = machine.model_dump(exclude={"cluster"})  # whose account is nobody's business
            made = (loaded.study, word, key, began, seconds, *ids, hardware, ran)
            provenance.write(*made, meter.joules(), peak())
            if word in flow.SINGLE:  # it reads what all runs left: after each, that is quadratic
                runs_page.write(loaded.study)
    if first and word == "report":
        tracking.tell_claims(loaded.study)  # tags finished runs, of which this is one only now


def _joined(machine: Machine, ran: str) -> AbstractContextManager[None]:
    """Workers of several nodes meet before the stage begins; those of one do so in the stage."""
    if not by_network():
        return nullcontext()
    from xstilts.training import meeting  # and with it torch, which data stages need not

    return meeting.of_nodes(machine, ran)


def _run_of(word: str, key: str | None) -> tuple[str, str]:
    """(study, key) of a run that is named as a person or DVC does: `none-s1`, `demo/none-s1`."""
    if word in flow.SINGLE:
        study = key or design.in_use().study
        return study, study
    study, _, run = (key or "").rpartition("/")
    return study or design.in_use().study, run


def _check_share(loaded: Params, word: str, key: str, processes: int) -> None:
    """Refuse, before any worker starts, a global batch that the processes cannot share."""
    if word == "transfer":
        budgets = [target.training for target in loaded.targets_of(key).values()]
    else:
        spec = loaded.pretrain if word == "pretrain" else loaded.intermediate[key]
        budgets = [spec.training]
    for budget in budgets:
        if budget is not None:
            share_of(budget, processes)


def _spec(loaded: Params, word: str, key: str) -> dict[str, Any]:
    """The params of one run of a stage."""
    section = getattr(loaded, word)
    return dict((section if word in flow.SINGLE else section[key]).model_dump())


@contextmanager
def held(output: Path, what: str) -> Iterator[int]:
    """Hold the lock of an output for the body.

    Yields:
        A file descriptor; processes that inherit it hold the lock too, until the last one ends.

    Args:
        what: what a person calls it: `transfer none-s1`.

    Raises:
        UserError: another process holds it; names that process.
    """
    path = output.with_name(f".{output.name}.lock")
    with disk(path):
        handle = _take(path, what)
    try:
        yield handle
    finally:
        path.unlink(missing_ok=True)  # while it is still ours: nobody can have locked it meanwhile
        os.close(handle)


def _take(path: Path, what: str) -> int:
    """A descriptor of the locked file."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(handle, 200, 0).decode(errors="replace") or "another process"
            os.close(handle)
            raise UserError(
                f"{what} is being run by {holder} ({path} is locked). "
                "Mend: wait until it has ended, or end it, then run it again"
            ) from error
        except OSError:
            pass  # a file system without locks
        if _is(handle, path):
            with suppress(OSError):  # a full disk is told by what needs the room
                os.ftruncate(handle, 0)
                os.pwrite(handle, f"process {os.getpid()} on {os.uname().nodename}".encode(), 0)
            return handle
        os.close(handle)  # its last holder deleted it between our two calls


def _is(handle: int, path: Path) -> bool:
    """Whether the open file is still the one that has this name."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
