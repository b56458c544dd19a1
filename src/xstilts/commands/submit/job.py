"""One job of an array: its cells one after another, each as its line in dvc.yaml; no DVC.

A job is stopped by SIGTERM, in time for a training to keep its state, and then says by its exit
code that there is more to do. It begins no cell for which its time may be too short.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

from xstilts.commands.graph import Cell
from xstilts.commands.repro import log_file
from xstilts.commands.signals import told_to_end
from xstilts.commands.submit import ledger
from xstilts.commands.submit.ledger import DONE, FAILED, RUNNING, STOPPED, Marker, Submission
from xstilts.core import files
from xstilts.core.errors import UserError
from xstilts.records import code, store

MORE = 75  # exit code: there is more to do, in another job of the same number
RESERVE = 1.2  # times the longest cell of this job so far must be left for another one
NEWS = 60  # seconds in which a network file system shows what another machine has written


class Job:
    """The cells of one job, and the one that runs now.

    Args:
        called: what the scheduler calls this job.
        seconds: its time limit.
    """

    def __init__(self, submission: Submission, called: str, seconds: float) -> None:
        self._submission, self._called = submission, called
        self._end = time.monotonic() + seconds
        self._longest = 0.0
        self._patience = NEWS
        self._process: subprocess.Popen[bytes] | None = None
        self.stopped = False

    def run(self, names: list[str]) -> int:
        """Run them all; the exit code of the job: 0 if any is done, or there was none to run.

        What waits for the others of them must not be held up by one that fails.
        """
        good = []
        for name in names:
            cell = self._submission.cells[name]
            if ledger.finished(cell):  # by an earlier attempt of this job
                good.append(True)
                continue
            if self.stopped or self._end - time.monotonic() < RESERVE * self._longest:
                print(f"{name}: no time is left for it; it waits for another job", flush=True)
                return MORE
            good.append(self._ready(cell) and self._run(cell))
            if self.stopped and not good[-1]:
                return MORE
        return 0 if any(good) or not good else 1

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Pass a signal on to the cell that runs, and begin no other one."""
        self.stopped = True
        if self._process is not None:
            with suppress(ProcessLookupError):  # it ended by itself
                os.killpg(self._process.pid, number)

    def _ready(self, cell: Cell) -> bool:
        """Whether all that a cell reads is there as it was when it was submitted."""
        cells = self._submission.cells
        for before in (cells[one] for one in cell.after if one in cells):
            if not self._seen(before):
                found = ledger.marker(before)
                how = "failed" if found is not None and found.state == FAILED else "is not done"
                print(f"{cell.name}: waits for {before.name}, which {how}", flush=True)
                return False
        edited = [path for path, known in cell.sources.items() if _hash(path) != known]
        if edited:
            what = f"{edited[0]} is not as it was when this was submitted"
            print(f"{cell.name}: {what}. Mend: `xstilts submit` again", flush=True)
        return not edited

    def _seen(self, cell: Cell) -> bool:
        """Whether a cell is done; another machine's news may take a moment."""
        while not ledger.finished(cell):
            found = ledger.marker(cell)
            if self._patience <= 0 or (found is not None and found.state in (FAILED, STOPPED)):
                return False
            time.sleep(1)
            self._patience -= 1
        return True

    def _run(self, cell: Cell) -> bool:
        """Run one cell to its end, with its marker before and after; whether it succeeded."""
        log, before = log_file(cell.name), ledger.marker(cell)
        log.parent.mkdir(parents=True, exist_ok=True)
        now = Marker(
            stage=cell.name,
            signature=cell.signature,
            state=RUNNING,
            submission=self._submission.name,
            job=self._called,
            host=os.uname().nodename,
            began=time.time(),
            log=str(log),
            attempts=1 + (before.attempts if before is not None else 0),
        )
        now.write()
        print(f"{cell.name}: attempt {now.attempts}, log {log}", flush=True)
        now.code = self._ended(cell, log, f"attempt {now.attempts}, job {self._called}")
        now.state = DONE if now.code == 0 else STOPPED if self.stopped else FAILED
        now.ended = time.time()
        now.write()
        self._longest = max(self._longest, now.ended - now.began)
        print(f"{cell.name}: {now.state}, {now.ended - now.began:.0f} s", flush=True)
        return now.code == 0

    def _ended(self, cell: Cell, log: Path, title: str) -> int:
        """The exit code of a cell's command, which is as in dvc.yaml; its output goes to a log."""
        with log.open("ab") as out:
            out.write(f"== {title}, {time.strftime('%F %T')}: {cell.command}\n".encode())
            out.flush()
            self._process = subprocess.Popen(
                cell.command,
                shell=True,
                stdout=out,
                stderr=out,
                env=_environment(),
                start_new_session=True,
            )
            if self.stopped:  # while it started
                self.stop(signal.SIGTERM, None)
            code = self._process.wait()
            self._process = None
        return code


def _environment() -> dict[str, str]:
    """A cell's: jobs of many machines track in no file; `record` adds their runs at the end."""
    return {**os.environ, **({"XSTILTS_TRACKING": "off"} if store.is_file() else {})}


def _hash(path: str) -> str:
    """sha256 of a source of a cell; of code/, of what would be written there now."""
    first, *rest = Path(path).parts
    if first == str(code.FOLDER):
        return code.identity(rest[0], "/".join(rest[1:]))
    return files.sha256_file(Path(path))


def run_job(name: str, array: str, number: int) -> int:
    """Run one job of a submission; its exit code, `MORE` if it is to be run again.

    Raises:
        UserError: there is no such job.
    """
    submission = ledger.read(name)
    jobs = {one.name: one.jobs for one in submission.arrays}.get(array, {})
    if number not in jobs:
        raise UserError(
            f"the submission {name} has no job {number} in {array!r}. Mend: `xstilts status`"
        )
    job = Job(submission, _called(array, number), submission.seconds[array])
    with told_to_end(job.stop):
        return job.run(jobs[number])


def _called(array: str, number: int) -> str:
    """What a person asks the scheduler for."""
    slurm = os.environ.get("SLURM_ARRAY_JOB_ID")
    return f"{slurm}_{os.environ.get('SLURM_ARRAY_TASK_ID')}" if slurm else f"{array}/{number}"
