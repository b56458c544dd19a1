"""Stages as forks of a process that has imported all: their start costs no seconds.

`repro` runs many short stages; half of the time of one would go to importing torch, transformers
and MLflow. A fork is made before any of them starts a thread, and begins as a new process would.
"""

from __future__ import annotations

import multiprocessing
import os
import shlex
import sys
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from threading import Lock

Main = Callable[[], None]


class Forks:
    """Where forks come from: a server that starts with the first one and ends with this process.

    Args:
        main: what `xstilts` runs.
        warm: the module whose import imports what stages use.
    """

    def __init__(self, main: Main, warm: str) -> None:
        self._main, self._context = main, multiprocessing.get_context("forkserver")
        # Each start asks for all exit codes. Of two threads that ask for one at once, the second
        # finds nothing left to read, and the code becomes 255 (seen with CPython 3.11).
        self._asking = Lock()
        self._context.set_forkserver_preload([warm])

    def start(self, command: str, log: Path, environment: dict[str, str]) -> ForkServerProcess:
        """Begin `xstilts <word> <key>`, its output to a log."""
        log.write_bytes(b"")
        arguments = self._main, command, log, environment
        process = self._context.Process(target=_run, args=arguments)
        with self._asking:
            process.start()
        return process

    def ended(self, process: ForkServerProcess, seconds: float) -> int | None:
        """The exit code of a stage, for which so long is waited; None: it runs on."""
        wait([process.sentinel], seconds)
        with self._asking:
            return process.exitcode


def _run(main: Main, command: str, log: Path, environment: dict[str, str]) -> None:
    """In the fork: become the command."""
    out = os.open(log, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(out, stream)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = shlex.split(command)
    if sys.argv[0] != "xstilts":  # a stage that somebody has added
        os.execvp(sys.argv[0], sys.argv)
    main()
