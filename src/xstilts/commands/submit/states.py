"""What each cell of a study does now: from our markers, and from what the scheduler still has.

done     its marker says so, or DVC found it unchanged when the rest was submitted
running  its job is at it
waiting  a job will come to it
failed   its command ended with an error
blocked  what it reads from failed, so it was not run
lost     no job has it: cancelled, killed, or not submitted
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

from xstilts.commands.graph import Cell
from xstilts.commands.submit import hq, ledger, slurm
from xstilts.commands.submit.ledger import DONE, FAILED, RUNNING, Marker, Submission
from xstilts.core.cluster import RECORD

WAITING, BLOCKED, LOST = "waiting", "blocked", "lost"
STATES = (DONE, RUNNING, WAITING, FAILED, BLOCKED, LOST)
ENGINES: dict[str, ModuleType] = {"slurm": slurm, "hq": hq}


@dataclass(frozen=True)
class State:
    """What a cell does.

    Args:
        why: a scheduler's reason, how it ended, or the failed cell that it waits for.
    """

    name: str
    state: str
    why: str = ""
    marker: Marker | None = None

    @property
    def hopeless(self) -> bool:
        """Whether what reads from it need not wait."""
        return self.state in (FAILED, BLOCKED)


class Place(NamedTuple):
    """The job that a cell has."""

    submission: str
    signature: str  # as the cell was submitted
    reason: str  # what the scheduler says of the job


@dataclass
class Queue:
    """What the schedulers still have of this project.

    Args:
        live: submissions that may have jobs left.
        jobs: (submission, array, number) -> state and reason; number None: the job that records.
        known: False where a scheduler's commands are not here.
    """

    live: list[Submission]
    jobs: dict[tuple[str, str, int | None], tuple[str, str]]
    known: bool = True

    def cells(self) -> dict[str, Place]:
        """Cells that a job has or will come to.

        Where no scheduler can be asked, those whose markers say that they run.
        """
        if not self.known:
            every = [(one.name, cell) for one in self.live for cell in one.cells.values()]
            running = [(name, cell) for name, cell in every if _runs(ledger.marker(cell))]
            return {cell.name: Place(name, cell.signature, "") for name, cell in running}
        return {
            name: Place(one.name, one.cells[name].signature, " ".join(job))
            for one in self.live
            for array in one.arrays
            for number, names in array.jobs.items()
            if (job := self.jobs.get((one.name, array.name, number)))
            for name in names
        }

    def recording(self) -> list[str]:
        """Submissions whose last job writes dvc.lock now."""
        found = ((one.name, self.jobs.get((one.name, RECORD, None))) for one in self.live)
        return [name for name, job in found if job is not None and job[0] == "RUNNING"]

    def ended(self) -> list[Submission]:
        """Submissions of which nothing is left."""
        left = {name for name, _, _ in self.jobs}
        return [one for one in self.live if one.name not in left]


def _runs(marker: Marker | None) -> bool:
    return marker is not None and marker.state == RUNNING


def queue() -> Queue:
    """Ask for all submissions that had not ended at the last look.

    Raises:
        UserError: a scheduler that is here does not answer.
    """
    live = [one for one in ledger.submissions() if not one.ended]
    jobs: dict[tuple[str, str, int | None], tuple[str, str]] = {}
    for name, engine in ENGINES.items():
        own = [one for one in live if one.engine == name]
        if own and not engine.here():
            return Queue(live, {}, known=False)
        jobs |= engine.queue(own) if own else {}
    return Queue(live, jobs)


def states(submission: Submission, queued: Queue) -> list[State]:
    """What each cell of a submission does, those first that others read from."""
    places = queued.cells()
    found: dict[str, State] = {}
    for cell in submission.cells.values():
        place = places.get(cell.name)
        if place is not None and place.signature != cell.signature:
            place = None  # of what the cell was before
        before = [found[one] for one in cell.after if one in found]
        failed = [one.name if one.state == FAILED else one.why for one in before if one.hopeless]
        found[cell.name] = _state(cell, place, failed, queued.known)
    return list(found.values())


def _state(cell: Cell, place: Place | None, failed: list[str], known: bool) -> State:
    """One cell's state.

    Args:
        failed: the cells before it that failed.
    """
    marker = ledger.marker(cell)
    if ledger.finished(cell):
        return State(cell.name, DONE, marker=marker)
    if _runs(marker) and (place is not None or not known):
        return State(cell.name, RUNNING, marker=marker)
    if marker is not None and marker.state == FAILED:
        again = place is not None and place.submission != marker.submission
        if not again:
            return State(cell.name, FAILED, _how(marker), marker)
    if failed:
        return State(cell.name, BLOCKED, failed[0], marker)
    if place is not None or not known:
        return State(cell.name, WAITING, place.reason if place else "", marker)
    return State(cell.name, LOST, "", marker)


def _how(marker: Marker) -> str:
    """How a cell's command ended."""
    code = marker.code or 0
    return f"exit code {code}" if code >= 0 else f"{signal.strsignal(-code)}"
