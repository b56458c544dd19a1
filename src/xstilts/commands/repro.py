"""`xstilts repro --jobs N`: what `dvc repro` does, several stages at a time; `make demo` runs it.

DVC says which stages have changed; those that wait for no other one run side by side, each as the
command that dvc.yaml names, in a process of its own (`forked`). When a process is free and none is
left, DVC records those that are done and is asked again: so a long stage holds up only what reads
from it, and nothing runs after an output that stayed as it was. What was done before a failure or
an interruption is recorded; run again, or `dvc repro`, to go on.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from xstilts.commands import graph
from xstilts.commands.forked import Forks
from xstilts.commands.show.find import find
from xstilts.commands.signals import told_to_end
from xstilts.core import design, flow, paths
from xstilts.core.errors import UserError
from xstilts.core.machine import load_machine
from xstilts.core.params import Params

LOGS = paths.STATE / "logs"
STEP = re.compile(r"^(.*): (\d+)/(\d+)$")  # how a stage tells a log how far it is
SHOWN = 20  # lines of a stage that failed
RECORD = 30.0  # seconds after which what is done is recorded, if not before; it costs one or two


@dataclass
class Jobs:
    """The stages that run now; after `stop` no other one is begun."""

    forks: Forks
    console: Console
    bar: Progress
    running: dict[str, ForkServerProcess] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)  # stage -> its exit code
    stopped: int = 0  # the signal that ended them

    @property
    def ended(self) -> bool:
        """Whether no other one is begun."""
        return bool(self.failed or self.stopped)

    def run(self, name: str, command: str, environment: dict[str, str]) -> bool:
        """Run one stage to its end; whether it succeeded."""
        if self.ended:
            return False
        log, began = log_file(name), time.monotonic()
        log.parent.mkdir(parents=True, exist_ok=True)
        process = self.forks.start(command, log, environment)
        self.running[name] = process
        if self.stopped:  # while it was being started, when `stop` did not know of it
            self._end(process)
        row = self.bar.add_task(name, total=None)
        while (code := self.forks.ended(process, 0.05)) is None:
            self._look(row, log)
        del self.running[name]
        self.bar.remove_task(row)
        if code:
            self.failed[name] = code
            return False
        self.console.print(f"{name}: {time.monotonic() - began:.0f} s", highlight=False)
        return True

    def _look(self, row: TaskID, log: Path) -> None:
        """Show how far a stage is."""
        if not self.console.is_terminal:
            return
        lines = log.read_text(errors="replace").splitlines()
        if lines and (found := STEP.match(lines[-1])):
            self.bar.update(row, completed=int(found[2]), total=int(found[3]))

    def stop(self, number: int, frame: FrameType | None) -> None:
        """End all stages as this process was ended."""
        self.stopped = number
        for process in list(self.running.values()):
            self._end(process)

    def _end(self, process: ForkServerProcess) -> None:
        with suppress(ProcessLookupError):  # it ended by itself
            os.kill(process.pid or 0, self.stopped)


def log_file(name: str) -> Path:
    """Where a stage's output goes."""
    return LOGS / f"{name.replace('/', '-')}.log"


def show_repro(jobs: int, forks: Forks, names: Sequence[str], allow_missing: bool) -> None:
    """Run all that has changed of the study in use, `jobs` stages at a time.

    Args:
        forks: where the stages' processes come from.
        names: of stages, as `xstilts show` takes them: these and what they read from; none: all.
        allow_missing: see `graph.ready`.

    Raises:
        UserError: a stage failed (its last lines are shown), no stage has such a name, or DVC
            cannot read the project.
    """
    loaded, console = design.load(), Console(stderr=True)
    chosen = {_stage(loaded, name) for name in names}
    load_machine()  # a fault in it is told once, and not by each stage
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        at_once = Jobs(forks, console, bar)
        with told_to_end(at_once.stop), ThreadPoolExecutor(jobs) as pool:
            graph.begin()
            done = _Work(at_once, pool, jobs).through(
                lambda running: graph.ready(loaded, chosen, allow_missing, running)
            )
    if at_once.stopped:
        raise SystemExit(128 + at_once.stopped)
    if at_once.failed:
        raise _failure(console, at_once.failed)
    asked = f" of what {', '.join(sorted(chosen))} read" if chosen else ""
    console.print(f"{done} stages ran; nothing else{asked} has changed", highlight=False)


def _stage(loaded: Params, name: str) -> str:
    """The stage that a name stands for, as DVC names it."""
    found, word, key = find([name])
    if found.study != loaded.study:
        raise UserError(
            f"{name} is of the study {found.study}, and {loaded.study} is in use. "
            f"Mend: `xstilts study use {found.study}`"
        )
    return graph.stage_name(found.study, word, key)


@dataclass
class _Work:
    """What is done with the processes that there are."""

    at_once: Jobs
    pool: ThreadPoolExecutor
    jobs: int
    futures: dict[str, Future[bool]] = field(default_factory=dict)  # of stages that run
    queue: dict[str, str] = field(default_factory=dict)  # those that may run now -> their commands
    finished: list[str] = field(default_factory=list)  # and not recorded
    recorded: float = field(default_factory=time.monotonic)  # when some were, the last time

    def through(self, ready: Callable[[Collection[str]], dict[str, str]]) -> int:
        """Run stages until there are none, or one fails; how many succeeded.

        Args:
            ready: gives those that may run beside some that run.

        Raises:
            UserError: a stage has changed again that was run.
        """
        ran, asked = set[str](), -1  # and how many had been, when it was asked
        while True:
            free = not self.queue and len(self.futures) < self.jobs
            if free and len(ran) > asked and not self.at_once.ended:
                asked = len(ran)
                self._record()
                self.queue = ready(self.futures.keys())
                _refuse_again(ran & self.queue.keys())
            self._begin()
            if not self.futures:
                break
            wait(self.futures.values(), return_when=FIRST_COMPLETED)
            done = [name for name, future in self.futures.items() if future.done()]
            self.finished += [name for name in done if self.futures.pop(name).result()]
            ran.update(self.finished)
            self._begin()
            if time.monotonic() - self.recorded > RECORD:
                self._record()
        self._record()
        return len(ran)

    def _begin(self) -> None:
        """Run what may run, as far as there are processes free."""
        while self.queue and len(self.futures) < self.jobs:
            environment = _environment(self.jobs, [*self.futures, *self.queue])
            name, command = next(iter(self.queue.items()))
            del self.queue[name]
            self.futures[name] = self.pool.submit(self.at_once.run, name, command, environment)

    def _record(self) -> None:
        """Have DVC record what succeeded."""
        if self.finished:
            graph.record(self.finished)
            self.finished = []
        self.recorded = time.monotonic()


def _refuse_again(names: Collection[str]) -> None:
    if names:
        raise UserError(
            f"{min(names)} was run and has changed again. Mend: `dvc status` says what differs; "
            "do not edit the project while it runs"
        )


def _environment(jobs: int, stages: Collection[str]) -> dict[str, str]:
    """Trainings side by side share the cores; threads decide no bit.

    Args:
        stages: that run, or wait for a process.
    """
    trained = sum(name.partition("@")[0] in flow.TRAINED for name in stages)
    threads = (os.cpu_count() or 1) // max(1, min(jobs, trained))
    return ({"XSTILTS_THREADS": str(max(1, threads))} if jobs > 1 else {}) | os.environ


def _failure(console: Console, failed: dict[str, int]) -> UserError:
    """Show the end of what failed, and say where the whole is."""
    for name, code in failed.items():
        lines = log_file(name).read_text(errors="replace").splitlines()[-SHOWN:]
        how = signal.strsignal(-code) if code < 0 else f"exit code {code}"
        console.print(f"[bold]{name}[/] ({how})", *lines, sep=os.linesep, highlight=False)
    return UserError(
        f"{', '.join(failed)} failed; what was done before is recorded. Mend: see the lines above "
        f"and {LOGS}/, then run the same command again"
    )
