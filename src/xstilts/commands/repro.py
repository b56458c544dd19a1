"""`xstilts repro --jobs N`: what `dvc repro` does, several stages at a time; `make demo` runs it.

DVC says which stages have changed; those that wait for no other one run side by side, each as the
command that dvc.yaml names, in a process of its own (`forked`). When they are done DVC records them
and is asked again, so that nothing runs after an output that stayed as it was. What was done before
a failure or an interruption is recorded; run again, or `dvc repro`, to go on.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
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


@dataclass
class Jobs:
    """The stages that run now; after `stop` no other one is begun."""

    forks: Forks
    console: Console
    bar: Progress
    environment: dict[str, str] = field(default_factory=dict)  # of each stage
    running: dict[str, ForkServerProcess] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)  # stage -> its exit code
    stopped: int = 0  # the signal that ended them

    def run(self, name: str, command: str) -> bool:
        """Run one stage to its end; whether it succeeded."""
        if self.failed or self.stopped:
            return False
        log, began = log_file(name), time.monotonic()
        log.parent.mkdir(parents=True, exist_ok=True)
        process = self.forks.start(command, log, self.environment)
        self.running[name] = process
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
            with suppress(ProcessLookupError):  # it ended by itself
                os.kill(process.pid or 0, number)


def log_file(name: str) -> Path:
    """Where a stage's output goes."""
    return LOGS / f"{name.replace('/', '-')}.log"


def show_repro(jobs: int, forks: Forks, names: Sequence[str], allow_missing: bool) -> None:
    """Run all that has changed of the study in use, `jobs` stages at a time.

    Args:
        forks: where the stages' processes come from.
        names: of stages, as `xstilts show` takes them: these and what they read from; none: all.
        allow_missing: see `graph.rounds`.

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
    done = 0
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        at_once = Jobs(forks, console, bar)
        with told_to_end(at_once.stop), ThreadPoolExecutor(jobs) as pool:
            for ready in graph.rounds(loaded, chosen, allow_missing):
                at_once.environment = _environment(jobs, ready)
                done += _round(at_once, pool, ready)
                if at_once.failed or at_once.stopped:
                    break
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


def _environment(jobs: int, ready: Iterable[str]) -> dict[str, str]:
    """Trainings side by side share the cores; threads decide no bit."""
    trained = sum(name.partition("@")[0] in flow.TRAINED for name in ready)
    threads = (os.cpu_count() or 1) // max(1, min(jobs, trained))
    return ({"XSTILTS_THREADS": str(max(1, threads))} if jobs > 1 else {}) | os.environ


def _round(jobs: Jobs, pool: ThreadPoolExecutor, ready: dict[str, str]) -> int:
    """Run stages that wait for no other, record those that succeed; how many did.

    Args:
        ready: stage -> its command.
    """
    succeeded = pool.map(jobs.run, ready, ready.values())
    finished = [name for name, good in zip(ready, succeeded, strict=True) if good]
    graph.record(finished)
    return len(finished)


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
