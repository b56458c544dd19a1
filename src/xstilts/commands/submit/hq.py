"""HyperQueue by its Python API: a task a job, and its graph of tasks is that of the cells.

Its server runs where the user started it, without an administrator, and takes workers from SLURM or
PBS by itself (`hq alloc add`). Where it keeps its files is in HQ_SERVER_DIR, as for its own `hq`.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from xstilts.commands.submit import script
from xstilts.commands.submit.ledger import Array, Submission
from xstilts.core.cluster import RECORD
from xstilts.core.errors import UserError
from xstilts.core.machine import Machine

TEMPLATE = "hyperqueue.sh"
# It reserves several for a task, which starts on the first; srun reaches the others only where
# they are one job of SLURM, and there the worker's own step looks like theirs (training/nodes.py).
SEVERAL_NODES = False
JOB = "job"  # what its number is called in a submission


def here() -> bool:
    """Whether its Python package is."""
    return importlib.util.find_spec("hyperqueue") is not None


def submit(submission: Submission, machine: Machine) -> None:
    """Hand over all arrays and the task that records, as one job, and note its number.

    Raises:
        UserError: no server answers.
    """
    import hyperqueue

    client = _client()
    job = hyperqueue.Job(submission.folder, max_fails=None, name=submission.name)
    tasks: list[Any] = []
    place: dict[str, Any] = {}  # cell -> its task
    for array in submission.arrays:
        path, asked = _script(submission, array, machine), _asked(machine, array.word)
        for number, cells in array.jobs.items():
            read = {one for cell in cells for one in submission.cells[cell].after}
            before = {place[one].task_id: place[one] for one in read if one in place}
            log = submission.folder / f"{array.name}-{number}.log"
            task = _task(job, (path, str(number)), list(before.values()), log, asked)
            place |= dict.fromkeys(cells, task)
            tasks.append(task)
    last, log = _record(submission, machine), submission.folder / f"{RECORD}.log"
    _task(job, (last,), tasks, log, _asked(machine, RECORD))
    submission.numbers[JOB] = str(client.submit(job).id)


def _task(
    job: Any, arguments: tuple[str, ...], before: list[Any], log: Path, asked: dict[str, Any]
) -> Any:
    """A task of a job, which runs a script from the project's root."""
    out = str(log.absolute())
    return job.program(["bash", *arguments], stdout=out, stderr=out, deps=before, **asked)


def _script(submission: Submission, array: Array, machine: Machine) -> str:
    """The script of an array's tasks, which takes the number of one."""
    command = script.command(machine, "job", submission.name, array.name, '"$1"')
    values = {"machine": machine, "command": command}
    return str(script.written(TEMPLATE, submission, array.name, array.word, values).absolute())


def _record(submission: Submission, machine: Machine) -> str:
    """The script of the task that records, after all others."""
    command = script.command(machine, "record", "--of", submission.name)
    values = {"machine": machine, "command": command}
    return str(script.written(TEMPLATE, submission, RECORD, RECORD, values).absolute())


def _asked(machine: Machine, word: str) -> dict[str, Any]:
    """What a task needs of its worker, whose allocation must last that long."""
    from hyperqueue.ffi.protocol import ResourceRequest

    found = script.resources(machine, word)
    gpus = {"gpus/nvidia": found["gpus"]} if found["gpus"] else {}
    time = timedelta(minutes=found["minutes"])
    request = ResourceRequest(cpus=found["cpus"], resources=gpus, min_time=time)
    return {"resources": request, "crash_limit": machine.cluster.restarts}


def queue(live: Iterable[Submission]) -> dict[tuple[str, str, int | None], tuple[str, str]]:
    """What is left of some submissions: (submission, array, number) -> state.

    Its API tells of a job how many tasks have ended, and not which: a job has all until it has
    ended. Where no server answers, none is left, as tasks end with their server.
    """
    try:
        client = _client()
    except UserError:
        return {}
    found: dict[tuple[str, str, int | None], tuple[str, str]] = {}
    for one in live:
        tasks = sum(len(array.jobs) for array in one.arrays) + 1
        job = _progress(client, int(one.numbers.get(JOB, 0)))
        if job.get("total") != tasks or job["completed"]:  # no job, or one of another server
            continue
        found |= {
            (one.name, array.name, number): ("QUEUED", "")
            for array in one.arrays
            for number in array.jobs
        }
        last = job["finished"] == tasks - 1
        found[one.name, RECORD, None] = "RUNNING" if last else "QUEUED", ""
    return found


class _SeenError(Exception):
    """Ends a wait after the first news."""


def _progress(client: Any, number: int) -> dict[str, Any]:
    """How many tasks of a job there are, and have ended; {} where there is no such job."""
    seen: dict[int, dict[str, Any]] = {}

    def look(jobs: dict[int, dict[str, Any]]) -> None:
        seen.update(jobs)
        raise _SeenError

    with suppress(_SeenError):
        client.connection.wait_for_jobs([number], look)
    return seen.get(number, {})


def _client() -> Any:
    """A connection to the user's server.

    Raises:
        UserError: there is none.
    """
    import hyperqueue

    folder = os.environ.get("HQ_SERVER_DIR")
    try:
        return hyperqueue.Client(folder)
    except Exception as error:  # the library has no narrower one
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"no HyperQueue server answers ({reason}). Mend: `hq server start`, and set "
            "HQ_SERVER_DIR if its files are not in ~/.hq-server"
        ) from error
