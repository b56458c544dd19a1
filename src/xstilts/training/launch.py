"""Start a stage in several processes, on one node or on each of several (training/nodes.py).

Imports no torch, as data stages need none. Not by torchrun: a worker's exit code and its one line
for people come through as they are. What torchrun has started is a worker all the same.
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
from xstilts.training import nodes
from xstilts.training.nodes import Node

# The file where the workers of one stage find each other; of several nodes', those of one.
MEETING = "XSTILTS_MEETING"
GRACE = 60.0  # seconds for workers to end by themselves, after one has failed


def rank() -> int:
    """This worker's number; 0 is the one that logs and writes."""
    return int(os.environ.get("RANK", "0"))


def on_this_node(workers: int) -> int:
    """How many of all workers this node has."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", workers))


def is_worker() -> bool:
    """Whether this process was started by `run_workers`, or by torchrun or the like."""
    return MEETING in os.environ or by_network()


def by_network() -> bool:
    """Whether workers find each other by MASTER_ADDR and MASTER_PORT, and not by a file."""
    if not all(name in os.environ for name in nodes.JOINED):
        return False
    on_this = os.environ.get("LOCAL_WORLD_SIZE")
    return MEETING not in os.environ or on_this != os.environ["WORLD_SIZE"]


def tell(message: str) -> None:
    """Print one line for people; of several workers that fail, the first one's alone.

    Not worker 0's: a disk may be full, or a GPU broken, for another one only. Workers of torchrun
    have no place in common where one could see that another has told, so that each tells.
    """
    if place := os.environ.get(MEETING):
        try:
            Path(f"{place}.told").touch(exist_ok=False)
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
            "Mend: change `processes` or `nodes` in machine.yaml, or the study's `batch`"
        )
    return share


def relaunch(machine: Machine, arguments: list[str], lock: int | None, node: Node | None) -> None:
    """Run the command in all workers and exit as they do, where more than one is wanted.

    Args:
        lock: a file descriptor that workers inherit, so that a lock outlives a killed parent.
        node: which of several this is; None: start the command on each of them.
    """
    if machine.workers == 1:
        return
    command = [sys.executable, "-m", "xstilts", *arguments]
    inherited = () if lock is None else (lock,)
    if machine.nodes == 1:
        sys.exit(run_workers(machine.processes, command, inherited))
    if node is None:
        known = {**os.environ, nodes.LOCKED: "1"}
        step = subprocess.Popen(nodes.by_srun(machine, command), env=known, pass_fds=inherited)
        sys.exit(_followed([step]))
    more = node.environment(machine)
    sys.exit(run_workers(machine.processes, command, inherited, node.number, more))


def run_workers(
    count: int,
    command: list[str],
    inherited: tuple[int, ...] = (),
    node: int = 0,
    more: dict[str, str] | None = None,
) -> int:
    """Start `count` workers; the exit code of the first that fails (the others are ended), or 0.

    Args:
        node: the number of this node, of several.
        more: variables of the environment; WORLD_SIZE where there are workers on other nodes.
    """
    with tempfile.TemporaryDirectory(prefix="xstilts-") as folder:
        known = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), **(more or {})}
        common = {**os.environ, **known, MEETING: str(Path(folder) / "store")}
        workers = [
            subprocess.Popen(
                command,
                env={**common, "RANK": str(node * count + i), "LOCAL_RANK": str(i)},
                pass_fds=inherited,
            )
            for i in range(count)
        ]
        return _followed(workers)


def _followed(workers: list[subprocess.Popen[bytes]]) -> int:
    """Wait for workers, to which signals are passed on; the exit code of the first that fails."""

    def forward(number: int, frame: Any) -> None:
        for worker in workers:
            worker.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, forward)
    while any(worker.poll() is None for worker in workers):
        if _failed(workers):
            forward(signal.SIGTERM, None)
            _wait(workers)
            break
        time.sleep(0.1)
    return _failed(workers)


def _wait(workers: list[subprocess.Popen[bytes]]) -> None:
    """Until all have ended; one that waits for a node that is gone hears no signal but the last."""
    end = time.monotonic() + GRACE
    for worker in workers:
        try:
            worker.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def _failed(workers: list[subprocess.Popen[bytes]]) -> int:
    """The exit code of a worker that failed; that of a signal as a shell gives it."""
    codes = [code for code in (worker.poll() for worker in workers) if code]
    own = [code for code in codes if code > 0]  # before those that we ended ourselves
    return own[0] if own else 128 - codes[0] if codes else 0
