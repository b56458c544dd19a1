"""What `xstilts repro --jobs` begins when: no stage waits for one that it does not read."""

from __future__ import annotations

import signal
import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress

from xstilts.commands import graph, repro
from xstilts.core.errors import UserError

READS = {"long": (), "short": (), "after short": ("short",), "last": ("long", "after short")}


class Stages:
    """Stages that only wait, in place of `Jobs`, and DVC's view of them.

    Args:
        until: a stage -> the one that has to have ended before it ends.
    """

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, until: dict[str, str], bad: str = ""
    ) -> None:
        self.until, self.bad, self.recorded = until, bad, list[str]()
        self.ends = {name: threading.Event() for name in READS}
        self.ended = False
        self.environments: dict[str, dict[str, str]] = {}
        monkeypatch.setattr(graph, "record", self.recorded.extend)

    def run(self, name: str, command: str, environment: dict[str, str]) -> bool:
        """As `Jobs.run`."""
        if self.ended:
            return False
        self.environments[name] = environment
        assert name not in self.until or self.ends[self.until[name]].wait(20)
        self.ended |= name == self.bad
        self.ends[name].set()
        return name != self.bad

    def ready(self, running: Collection[str]) -> dict[str, str]:
        """As `graph.ready`: of what is recorded alone DVC knows that it is done."""
        left = [name for name in READS if name not in self.recorded]
        free = (name for name in left if set(READS[name]) <= set(self.recorded))
        return {name: f"do {name}" for name in free if name not in running}

    def through(self, jobs: int) -> int:
        """Run all."""
        at_once: Any = self
        with ThreadPoolExecutor(jobs) as pool:
            return repro._Work(at_once, pool, jobs).through(self.ready)


def test_a_long_stage_holds_up_only_what_reads_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends here after a stage that followed a short one has; in rounds that would never be."""
    stages = Stages(monkeypatch, {"long": "after short"})
    assert stages.through(2) == len(READS)
    assert set(stages.recorded) == set(READS)
    assert len(stages.recorded) == len(READS), "each is recorded once"
    assert stages.recorded[-1] == "last"


def test_one_at_a_time_runs_all_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `dvc repro` would."""
    stages = Stages(monkeypatch, {})
    assert stages.through(1) == len(READS)
    assert stages.recorded == ["long", "short", "after short", "last"]
    assert "XSTILTS_THREADS" not in stages.environments["last"]


def test_after_a_failure_no_other_stage_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs beside it is seen to its end and recorded."""
    stages = Stages(monkeypatch, {"long": "short"}, bad="short")
    assert stages.through(2) == 1
    assert stages.recorded == ["long"]


def test_a_stage_that_has_changed_again_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else an edit on the way would make it run for ever."""
    stages = Stages(monkeypatch, {})
    monkeypatch.setattr(graph, "record", lambda names: None)
    with pytest.raises(UserError, match=r"long was run and has changed again. Mend"):
        stages.through(1)


def test_a_stage_that_is_being_started_is_ended_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first one takes seconds to start, in which it is not among those that run."""
    monkeypatch.chdir(tmp_path)
    ended: list[tuple[int, int]] = []
    monkeypatch.setattr("os.kill", lambda process, number: ended.append((process, number)))

    class Slow:
        """Is told to end while it starts a process, which ends when it is told."""

        def start(self, *given: Any) -> Any:
            at_once.stop(signal.SIGTERM, None)
            return SimpleNamespace(pid=7)

        def ended(self, process: Any, seconds: float) -> int:
            assert ended, "it would run to its end"
            return -ended[0][1]

    forks: Any = Slow()
    at_once = repro.Jobs(forks, Console(), Progress())
    assert not at_once.run("transfer@a/x", "xstilts transfer a/x", {})
    assert ended == [(7, signal.SIGTERM)]


def test_trainings_side_by_side_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one alone has all of them; data stages ask for none."""
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.delenv("XSTILTS_THREADS", raising=False)

    def threads(jobs: int, *stages: str) -> str | None:
        return repro._environment(jobs, stages).get("XSTILTS_THREADS")

    assert threads(2, "transfer@a/x", "transfer@a/y") == "4"
    assert threads(2, "transfer@a/x", "prepare@a/y") == "8"
    assert threads(4, *(f"intermediate@a/{i}" for i in range(9))) == "2"
    assert threads(1, "transfer@a/x") is None
