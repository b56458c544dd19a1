"""The small study on a real SLURM: killed, cancelled and requeued, it ends as a sequential run.

`make test-slurm` installs what it needs and runs it; what it prints is its protocol.
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import local_slurm
import projects
import pytest

from xstilts.commands.submit import script
from xstilts.commands.submit.ledger import Submission
from xstilts.core.machine import Machine

pytestmark = pytest.mark.slurm

# Long enough to be met by who looks each second, with states from which to go on.
STEPS = 300
STATES = "threads: 1\nmicro_batch: 4\nsave_seconds: 0.2\nsave_share: 1\n"
MACHINE = """
cluster:
  hours: 0.2
  cells_per_job: 2 # of fetch, prepare ...
  stages:
    intermediate: {cells_per_job: 1, jobs_at_once: 2}
    transfer: {cells_per_job: 1}
"""
STEP = re.compile(rf"(\d+)/{STEPS}\b")
LONG, SHORT = "world_qa-qaa-40-s1", "world_qa-qaa-10-s1"
Json = dict[str, Any]


@pytest.fixture
def slurm(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """A SLURM of our own, of one node or as many as a test asks for; what its commands need."""
    if name := local_slurm.missing():
        pytest.skip(f"{name} is not here: `make test-slurm` installs it")
    with local_slurm.slurm(getattr(request, "param", 1)) as environment:
        yield environment


@pytest.fixture
def sequential(
    tmp_path: Path, new_study: Callable[[], Json]
) -> Iterator[tuple[Path, projects.Repro]]:
    """The same study by `dvc repro` in another folder, meanwhile."""
    study = long(new_study())
    folder = projects.make(tmp_path / "sequential", study, STATES)
    repro = projects.Repro(folder, tmp_path / "sequential.log")
    yield folder, repro
    if repro.running():
        repro.signal(signal.SIGKILL)


def long(study: Json) -> Json:
    """A study with trainings of so many updates."""
    study["pretrain"]["scratch"]["training"]["steps"] = STEPS
    study["training"] = {"batch": 8, "steps": STEPS, "learning_rate": 1e-3, "max_length": 64}
    return study


class Project:
    """A project whose commands see that SLURM."""

    def __init__(self, folder: Path, slurm: dict[str, str]) -> None:
        self.folder, self.slurm = folder, slurm

    def run(self, *command: str) -> str:
        """What a command printed, which is shown."""
        said = projects.run(self.folder, *command, XSTILTS_TRACKING="off", **self._environment())
        print(f"$ {' '.join(command)}\n{said}", flush=True)
        return said

    def _environment(self) -> dict[str, str]:
        return self.slurm | {"PATH": f"{projects.BIN}:{self.slurm['PATH']}"}

    def status(self) -> Json:
        """`xstilts status --json`, by name of cell."""
        said = projects.run(self.folder, "xstilts", "status", "--json", **self._environment())
        found: Json = json.loads(said)
        return found | {"cells": {one["name"]: one for one in found["cells"]}}

    def until(self, what: str, holds: Callable[[Json], bool], seconds: float = 240) -> Json:
        """Ask for the status until something holds."""
        end = time.monotonic() + seconds
        while not holds(found := self.status()):
            if time.monotonic() > end:
                pytest.fail(f"never {what}: {found}\n{self.run('squeue', '--array')}")
            time.sleep(1)
        print(f"-- {what}", flush=True)
        return found

    def steps(self, found: Json, cell: str) -> int:
        """How many updates a running cell has told its log of; it tells of each tenth."""
        marker = found["cells"][cell]["marker"] or {"log": "none"}
        log = self.folder / marker["log"]
        told = STEP.findall(log.read_text()) if log.exists() else []
        return int(told[-1]) if told else 0

    def job(self, cell: str) -> str:
        """SLURM's name of the job that has a cell."""
        return str(self.status()["cells"][cell]["marker"]["job"])

    def lock(self) -> Json:
        """dvc.lock without its order."""
        return projects.entries(self.folder)


def in_state(cell: str, *states: str) -> Callable[[Json], bool]:
    """Whether a cell is in one of some states."""
    return lambda found: found["cells"][cell]["state"] in states


def counts(found: Json) -> dict[str, int]:
    """Cells by state, where there are any."""
    return {state: count for state, count in found["counts"].items() if count}


def ended(found: Json) -> bool:
    """Whether no job is left and the last one has recorded."""
    return bool(found["recorded"]) and not counts(found).keys() & {"running", "waiting"}


def test_a_study_on_slurm_ends_as_a_sequential_one(
    slurm: dict[str, str],
    sequential: tuple[Path, projects.Repro],
    tmp_path: Path,
    new_study: Callable[[], Json],
) -> None:
    """Kill, cancel, requeue, fail; then submit again, and every hash in dvc.lock is the same."""
    study = long(new_study())
    folder = projects.make(tmp_path / "cluster", study, STATES + MACHINE)
    shutil.copytree(projects.ROOT / "cluster", folder / "cluster")
    project = Project(folder, slurm)
    project.run("xstilts", "submit", "--dry-run")
    assert not (folder / ".state/jobs/submissions").exists()
    taken = folder / f"models/intermediate/small/.{SHORT}.lock"
    taken.parent.mkdir(parents=True)
    with taken.open("w") as handle:  # as if another process ran this cell: it fails
        fcntl.flock(handle, fcntl.LOCK_EX)
        project.run("xstilts", "submit")
        assert "to submit 0, " in project.run("xstilts", "submit")
        disturb(project)
        found = project.until("all jobs have ended", ended)
    _see_what_failed(project, found)
    assert len(project.lock()) == counts(found)["done"] + 1, "what was done is recorded, and code"
    said = project.run("xstilts", "submit")
    assert f"cells done {counts(found)['done']}, to submit 6," in said
    found = project.until("the rest is done", ended)
    assert counts(found) == {"done": 15}
    project.run("xstilts", "status")
    assert not projects.stages_run(project.run("dvc", "repro"))
    other, repro = sequential
    repro.finish(900)
    compare(project.lock(), Project(other, slurm).lock())


@pytest.mark.parametrize("slurm", [2], indirect=True)
def test_a_run_of_two_nodes_is_submitted_as_any_other(
    slurm: dict[str, str], tmp_path: Path, new_study: Callable[[], Json]
) -> None:
    """Its job has both nodes, and its stage starts the second one; the rest has one."""
    machine = "nodes: 2\nthreads: 1\ncluster: {hours: 0.2}\n"
    study = new_study()
    study["intermediate"][0]["sizes"] = [10]
    folder = projects.make(tmp_path / "cluster", study, machine)
    shutil.copytree(projects.ROOT / "cluster", folder / "cluster")
    project = Project(folder, slurm)
    project.run("xstilts", "submit")
    assert counts(project.until("all is done", ended, 900)) == {"done": 13}
    for word, key, nodes in (
        ("intermediate", SHORT, 2),
        ("transfer", SHORT, 2),
        ("check", "small", 1),
    ):
        told = json.loads((folder / f"provenance/small/{word}/{key}.json").read_text())
        print(f"-- {word} {key}: nodes {told['software']['nodes']}")
        assert told["software"]["nodes"] == nodes
    assert not projects.stages_run(project.run("dvc", "repro"))


# A task that runs until it is told, and says then that there is more to do; queued again, it ends.
TASK = """
echo "attempt ${SLURM_RESTART_COUNT:-0}"
[ "${SLURM_RESTART_COUNT:-0}" = 0 ] || exit 0
trap "exit 75" TERM
while :; do sleep 0.1; done
"""


@pytest.mark.parametrize("slurm", [2], indirect=True)
def test_each_task_of_an_array_that_is_told_goes_on_by_itself(
    slurm: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the one that started last, whose own number is that of the whole array."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(script, "FOLDER", projects.ROOT / "cluster")
    Path("task.sh").write_text(TASK)
    submission = Submission("told", "small", "slurm", {}, [], [], {})
    values = {"machine": Machine(threads=1), "command": "bash task.sh", "name": "told"}
    values |= {"array": "0-2", "dependency": "", "log": tmp_path / "%a.log"}
    path = script.written("slurm.sbatch", submission, "transfer", "transfer", values)
    array = local_slurm.said(slurm, "sbatch", "--parsable", str(path)).strip()
    until(lambda: attempts() == [[0], [0], [0]])
    local_slurm.said(slurm, "scancel", "--batch", "--signal=TERM", array)
    until(lambda: not local_slurm.said(slurm, "squeue", "--noheader").strip())
    assert attempts() == [[0, 1], [0, 1], [0, 1]]


def attempts() -> list[list[int]]:
    """Those that each task has begun."""
    logs = [path.read_text() for path in sorted(Path().glob("*.log"))]
    return [[int(number) for number in re.findall(r"(?m)^attempt (\d+)$", log)] for log in logs]


def until(holds: Callable[[], bool], seconds: float = 180) -> None:
    """Wait for something."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, attempts()
        time.sleep(0.5)


def disturb(project: Project) -> None:
    """What happens to jobs: the end of their time, preemption, a kill, a person."""
    pretrain, training = "pretrain@small", f"intermediate@small/{LONG}"
    project.until("phase i trains", lambda found: project.steps(found, pretrain) > 0)
    # What SLURM does a minute before a job's time is over: the batch script alone is told.
    project.run("scancel", "--batch", "--signal=TERM", project.job(pretrain))
    project.until("phase i waits again, its state kept", in_state(pretrain, "waiting"))
    bare = "transfer@small/none-s1"
    project.until("phase iii without an intermediate task runs", in_state(bare, "running"))
    project.run("scancel", project.job(bare))
    project.until("phase ii trains", lambda found: project.steps(found, training) > 0)
    project.run("scontrol", "requeue", project.job(training))  # as a preemption does
    project.until("phase ii waits again", in_state(training, "waiting"))
    project.until("what was cancelled stays so", in_state(bare, "lost"))
    last = f"transfer@small/{LONG}"
    project.until("phase iii runs", in_state(last, "running"))
    project.run("scancel", "--full", f"--signal={signal.SIGKILL.name[3:]}", project.job(last))


def _see_what_failed(project: Project, found: Json) -> None:
    """Each cell's state, and where a person is sent."""
    cells = found["cells"]
    state = {name.partition("@small/")[2] or name: one["state"] for name, one in cells.items()}
    assert cells[f"intermediate@small/{SHORT}"]["state"] == "failed"
    assert cells[f"transfer@small/{SHORT}"]["state"] == "blocked"
    assert cells[f"transfer@small/{SHORT}"]["why"] == f"intermediate@small/{SHORT}"
    assert cells[f"intermediate@small/{LONG}"]["state"] == "done"
    assert cells[f"intermediate@small/{LONG}"]["marker"]["attempts"] == 2
    assert cells["pretrain@small"]["marker"]["attempts"] == 2
    assert state["none-s1"] == "lost"
    assert cells[f"transfer@small/{LONG}"]["state"] == "lost"
    assert cells["report@small"]["why"] == f"intermediate@small/{SHORT}"
    _went_on(project, cells["pretrain@small"]["marker"]["log"])
    _went_on(project, cells[f"intermediate@small/{LONG}"]["marker"]["log"])
    said = project.run("xstilts", "status")
    log = cells[f"intermediate@small/{SHORT}"]["marker"]["log"]
    assert f"failed: intermediate@small/{SHORT}, exit code 2" in said
    assert "is being run by" in (project.folder / log).read_text()


def _went_on(project: Project, log: str) -> None:
    """A second attempt begins where the first one was."""
    text = (project.folder / log).read_text()
    parts = text.split("== attempt ")[1:]
    attempts = [[int(step) for step in STEP.findall(part)] for part in parts]
    steps = ", ".join(f"updates {part[0]} to {part[-1]}" for part in attempts)
    print(f"-- {log}: {steps}")
    assert len(attempts) == 2
    assert attempts[1][0] > 1, "it went on from a state"
    assert attempts[1][-1] == STEPS


def compare(ours: Json, theirs: Json) -> None:
    """Every stage with all its hashes."""
    assert ours == theirs
    hashes = sum(len(stage.get(kind, [])) for stage in ours.values() for kind in ("deps", "outs"))
    print(f"-- dvc.lock: {len(ours)} stages, {hashes} hashes, all as in the sequential run")
