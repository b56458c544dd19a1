"""What was submitted and what became of it, as files; a scheduler forgets.

    .state/jobs/<stage>.json                    the marker of a cell, as `transfer@demo/none-s1`
    .state/jobs/submissions/<name>/             a submission: submission.json, and its scripts
    .state/logs/<stage>.log                     what a cell printed, attempt after attempt

A cell is done if DVC finds it unchanged, or if its marker says done with the signature that the
cell has now: that of its command, of the small files that it reads, and of all before it.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, TypeVar

from pydantic import TypeAdapter, ValidationError

from xstilts.commands.graph import Cell
from xstilts.core import design, files, paths
from xstilts.core.errors import UserError
from xstilts.core.strict import describe

JOBS = paths.STATE / "jobs"
SUBMISSIONS = JOBS / "submissions"
DONE, FAILED, RUNNING, STOPPED = "done", "failed", "running", "stopped"
Kept = TypeVar("Kept")


@dataclass
class Marker:
    """How far a cell came; written by the job that runs it."""

    stage: str
    signature: str
    state: str  # done, failed, running, or stopped: by a signal, to go on in another job
    submission: str
    job: str  # as the scheduler calls it
    host: str
    began: float  # seconds since 1970
    log: str
    attempts: int = 1
    ended: float | None = None
    code: int | None = None  # exit code; of a signal, its number below 0

    def write(self) -> None:
        """Put it in the place of an older one."""
        files.write_json(marker_file(self.stage), asdict(self))


@dataclass
class Array:
    """Jobs of one kind, submitted at once.

    Args:
        jobs: number of a job -> its cells, in their order.
        after: arrays that must have ended.
        follows: an array whose job of the same number must have succeeded.
    """

    name: str
    word: str
    jobs: dict[int, list[str]]
    after: list[str] = field(default_factory=list)
    follows: str | None = None


@dataclass
class Submission:
    """What one `xstilts submit` handed over.

    Args:
        cells: all of the study that were not done.
        arrays: in their order; none of a cell that was left out.
        done: the stages that were.
        seconds: array -> time limit of its jobs.
        nodes: array -> nodes of each of its jobs.
        numbers: what the engine calls what it was given.
        ended: whether no job of it was left at a later look.
    """

    name: str
    study: str
    engine: str
    cells: dict[str, Cell]
    arrays: list[Array]
    done: list[str]
    seconds: dict[str, float]
    nodes: dict[str, int] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    ended: bool = False

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return SUBMISSIONS / self.name

    def job_name(self, array: str) -> str:
        """What the scheduler is told an array is called; no other one has this name."""
        return f"{self.name}-{array}"

    def write(self) -> None:
        """Keep it, with its cells in their order."""
        design.write_ordered(self.folder / "submission.json", asdict(self))

    def submitted(self) -> set[str]:
        """The cells that are in one of its jobs."""
        return {cell for array in self.arrays for some in array.jobs.values() for cell in some}


MARKER, KEPT = TypeAdapter(Marker), TypeAdapter(Submission)


def marker_file(stage: str) -> Path:
    """Where a cell's marker is."""
    return JOBS / f"{stage}.json"


def recorded_file(name: str) -> Path:
    """Written when the last job of a submission has recorded what was done."""
    return SUBMISSIONS / name / "recorded.json"


def marker(cell: Cell) -> Marker | None:
    """The marker of a cell as it is now; None: there is none, or of what the cell was before."""
    path = marker_file(cell.name)
    if not path.exists():
        return None
    found = _read(MARKER, path)
    return found if found.signature == cell.signature else None


def finished(cell: Cell) -> bool:
    """Whether a cell's marker says that it is done, and what it made is there."""
    found = marker(cell)
    there = all(Path(output).exists() for output in cell.outputs)
    return found is not None and found.state == DONE and there


def undone(cells: Iterable[Cell]) -> dict[str, Cell]:
    """Those that are not done, in their order."""
    left: dict[str, Cell] = {}
    for cell in cells:
        as_recorded = not cell.changed and not any(one in left for one in cell.after)
        if not as_recorded and not finished(cell):
            left[cell.name] = cell
    return left


def read(name: str) -> Submission:
    """A submission by its name.

    Raises:
        UserError: there is none.
    """
    return _read(KEPT, SUBMISSIONS / name / "submission.json")


def _read(of: TypeAdapter[Kept], path: Path) -> Kept:
    """A file of ours.

    Raises:
        UserError: it is not there, or somebody has spoilt it.
    """
    raw = files.read_json(path)
    try:
        return of.validate_python(raw)
    except ValidationError as error:
        raise UserError(f"{path}: {describe(error)}. Mend: delete it, and submit again") from error


def submissions() -> list[Submission]:
    """All that are kept, the oldest first."""
    return [read(path.parent.name) for path in sorted(SUBMISSIONS.glob("*/submission.json"))]


@contextmanager
def alone(seconds: float = 0) -> Iterator[None]:
    """Hold what only one process of a project may do at a time: to submit, or to record.

    Args:
        seconds: how long to wait for another one.

    Raises:
        UserError: another one still does.
    """
    JOBS.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + seconds
    with (JOBS / ".submit.lock").open("w") as handle:
        while not _taken(handle):
            if time.monotonic() >= end:
                raise UserError(
                    "another `xstilts submit` or `xstilts record` is at work in this project. "
                    "Mend: wait until it has ended"
                )
            time.sleep(1)
        yield


def _taken(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a file system without locks
    return True
