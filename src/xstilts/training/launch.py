"""Start a stage in several processes; imports no torch, as data stages need none.

Not by torchrun: a worker's exit code and its one line for people come through as they are.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from xstilts.core.errors import UserError
from xstilts.core.machine import Machine
from xstilts.core.params import Training

MEETING = "XSTILTS_MEETING"  # the file where the workers of one stage find each other


def rank() -> int:
    """This worker's number; 0 is the one that logs and writes."""
    return int(os.environ.get("RANK", "0"))


def is_worker() -> bool:
    """Whether this process was started by `run_workers`."""
    return MEETING in os.environ


def tell(message: str) -> None:
    """Print one line for people; of several workers that fail, the first one's alone.

    Not worker 0's: a disk may be full, or a GPU broken, for another one only.
    """
    if is_worker():
        try:
            Path(f"{os.environ[MEETING]}.told").touch(exist_ok=False)
        except OSError:
            return
    print(f"xstilts: {message}", file=sys.stderr, flush=True)


def share_of(training: Training, processes: int) -> int:
    """Examples of a global batch that each process takes.

    Raises:
        UserError: the batch cannot be shared equally.
    """
    share, rest = divmod(training.batch, processes)
    if rest or not share:
        raise UserError(
            f"a global batch of {training.batch} cannot be shared by {processes} processes. "
            "Mend: change `processes` in machine.yaml, or the study's `batch`"
        )
    return share


def relaunch(machine: Machine, arguments: list[str], lock: int) -> None:
    """Run the command in `processes` workers and exit as they do, where more than one is wanted.

    Args:
        lock: a file descriptor that workers inherit, so that a lock outlives a killed parent.
    """
    if machine.processes > 1:
        command = [sys.executable, "-m", "xstilts", *arguments]
        sys.exit(run_workers(machine.processes, command, (lock,)))


def run_workers(count: int, command: list[str], inherited: tuple[int, ...] = ()) -> int:
    """Start `count` workers; the exit code of the first that fails (the others are ended), or 0."""
    with tempfile.TemporaryDirectory(prefix="xstilts-") as folder:
        common = {**os.environ, "WORLD_SIZE": str(count), MEETING: str(Path(folder) / "store")}
        workers = [
            subprocess.Popen(
                command,
                env={**common, "RANK": str(i), "LOCAL_RANK": str(i)},
                pass_fds=inherited,
            )
            for i in range(count)
        ]

        def forward(number: int, frame: Any) -> None:
            for worker in workers:
                worker.send_signal(number)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, forward)
        while any(worker.poll() is None for worker in workers):
            if _failed(workers):
                forward(signal.SIGTERM, None)
                for worker in workers:
                    worker.wait()
                break
            time.sleep(0.1)
        return _failed(workers)


def _failed(workers: list[subprocess.Popen[bytes]]) -> int:
    """The exit code of a worker that failed; that of a signal as a shell gives it."""
    codes = [code for code in (worker.poll() for worker in workers) if code]
    own = [code for code in codes if code > 0]  # before those that we ended ourselves
    return own[0] if own else 128 - codes[0] if codes else 0
