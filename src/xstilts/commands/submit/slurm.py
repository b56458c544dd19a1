"""SLURM by its own commands: sbatch takes arrays, squeue says what is left of them.

No sacct: many sites keep no accounts. Dependencies name jobs of the same submission alone, as SLURM
forgets jobs that have ended, and a job that waits for a forgotten one may run at once.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from itertools import groupby

from xstilts.commands.submit import script
from xstilts.commands.submit.ledger import Array, Submission
from xstilts.core.cluster import RECORD
from xstilts.core.errors import UserError
from xstilts.core.machine import Machine

TEMPLATE = "slurm.sbatch"
SEVERAL_NODES = True  # a job may have, as a stage starts the others by srun
SECONDS = 120  # that a busy controller is given for an answer
NUMBER = '"$SLURM_ARRAY_TASK_ID"'


def here() -> bool:
    """Whether SLURM's commands are on this machine."""
    return shutil.which("squeue") is not None


def submit(submission: Submission, machine: Machine) -> None:
    """Hand over all arrays, and the job that records, and note the number of each.

    Raises:
        UserError: SLURM refuses one; those before it are queued, and are recorded.
    """
    given = submission.numbers
    refused: UserError | None = None
    for array in submission.arrays:
        try:
            given[array.name] = _sbatch(submission, array, given, machine)
        except UserError as error:
            refused = error  # what is queued is to be recorded all the same
            break
    if given:
        given[RECORD] = _record(submission, given, machine)
    if refused is not None:
        queued = ", ".join(given) or "nothing"
        raise UserError(
            f"{str(refused).partition('. Mend:')[0]}. Queued before it: {queued}. Mend: see the "
            "limits of your site and `cluster` in machine.yaml, then submit again for the rest"
        )


def _sbatch(
    submission: Submission, array: Array, given: Mapping[str, str], machine: Machine
) -> str:
    most = machine.cluster.asked(array.word).jobs_at_once
    values = {
        "machine": machine,
        "name": submission.job_name(array.name),
        "array": indices(array.jobs) + (f"%{most}" if most else ""),
        "dependency": dependency(array, given),
        "log": submission.folder / f"{array.name}-%a.log",
        "command": script.command(machine, "job", submission.name, array.name, NUMBER),
    }
    return _accepted(script.written(TEMPLATE, submission, array.name, array.word, values))


def _record(submission: Submission, given: Mapping[str, str], machine: Machine) -> str:
    """The job that records, after all others."""
    values = {
        "machine": machine,
        "name": submission.job_name(RECORD),
        "array": "",
        "dependency": "afterany:" + ":".join(given.values()),
        "log": submission.folder / f"{RECORD}.log",
        "command": script.command(machine, "record", "--of", submission.name),
    }
    return _accepted(script.written(TEMPLATE, submission, RECORD, RECORD, values))


def dependency(array: Array, given: Mapping[str, str]) -> str:
    """What an array waits for, in sbatch's words.

    Args:
        given: array -> its number, or what stands for it.
    """
    parts = [f"afterany:{':'.join(given[one] for one in array.after)}"] if array.after else []
    if array.follows:
        parts.append(f"aftercorr:{given[array.follows]}")
    return ",".join(parts)


def indices(numbers: Iterable[int]) -> str:
    """0, 1, 2, 5 as 0-2,5."""
    parts = []
    for _, some in groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0]):
        run = [number for _, number in some]
        parts.append(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}")
    return ",".join(parts)


def _accepted(path: object) -> str:
    """The number of a submitted script."""
    return _said("sbatch", "--parsable", str(path)).strip().partition(";")[0]


def queue(live: Iterable[Submission]) -> dict[tuple[str, str, int | None], tuple[str, str]]:
    """Jobs that SLURM still has: (submission, array, number in it) -> state and reason.

    Raises:
        UserError: SLURM does not answer.
    """
    names = {
        one.job_name(array): (one.name, array)
        for one in live
        for array in (*(array.name for array in one.arrays), RECORD)
    }
    form = ("--noheader", "--array", "--format=%j|%K|%T|%r")
    found: dict[tuple[str, str, int | None], tuple[str, str]] = {}
    for line in _said("squeue", *form, f"--name={','.join(names)}").splitlines():
        name, number, state, reason = line.split("|", 3)
        if name in names:
            found[(*names[name], int(number) if number.isdigit() else None)] = state, reason
    return found


def _said(*command: str) -> str:
    """What a command of SLURM printed.

    Raises:
        UserError: it is not there, or fails.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except FileNotFoundError as error:
        raise UserError(
            f"`{command[0]}` is not on this machine. Mend: run this where SLURM's commands are, "
            "or `xstilts repro --jobs N` here"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"`{command[0]}` did not answer in {SECONDS} s. Mend: try again later; what is queued "
            "stays queued"
        ) from error
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise UserError(f"`{command[0]}` failed: {reason}. Mend: `sinfo` says whether SLURM runs")
    return done.stdout
