"""What each cell of a study does now: from our markers, and from what the scheduler still has.

done     its marker says so, or DVC found it unchanged when the rest was submitted
running  its job is at it
waiting  a job will come to it
failed   its command ended with an error
blocked  what it reads from failed, so it was not run
lost     no job has it: cancelled, killed, or not submitted
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

from xstilts.commands.graph import Cell
from xstilts.commands.submit import ledger, slurm
from xstilts.commands.submit.ledger import DONE, FAILED, RUNNING, Marker, Submission
from xstilts.core.cluster import RECORD

WAITING, BLOCKED, LOST = "waiting", "blocked", "lost"
STATES = (DONE, RUNNING, WAITING, FAILED, BLOCKED, LOST)
ENGINES: dict[str, ModuleType] = {"slurm": slurm}


@dataclass(frozen=True)
class State:
    """What a cell does.

    Args:
        why: a scheduler's reason, or the cell that it waits for in vain.
    """

    name: str
    state: str
    why: str = ""
    marker: Marker | None = None


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

    def cells(self) -> dict[str, tuple[Cell, str]]:
        """Cells that a job has or will come to -> as they were submitted, and the job's reason.

        Where no scheduler can be asked, those whose markers say that they run.
        """
        if not self.known:
            every = [cell for one in self.live for cell in one.cells.values()]
            return {cell.name: (cell, "") for cell in every if _runs(ledger.marker(cell))}
        return {
            name: (one.cells[name], " ".join(self.jobs[one.name, array.name, number]))
            for one in self.live
            for array in one.arrays
            for number, names in array.jobs.items()
            if (one.name, array.name, number) in self.jobs
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
    in_queue = queued.cells()
    found: dict[str, State] = {}
    for cell in submission.cells.values():
        job = in_queue.get(cell.name)
        reason = job[1] if job is not None and job[0].signature == cell.signature else None
        held = [one for one in cell.after if one in found and _hopeless(found[one])]
        found[cell.name] = _state(cell, reason, held, queued.known)
    return list(found.values())


def _hopeless(before: State) -> bool:
    return before.state in (FAILED, BLOCKED)


def _state(cell: Cell, reason: str | None, held: list[str], known: bool) -> State:
    """One cell's state.

    Args:
        reason: of the job that has it; None: none has.
        held: what it reads from and will not be made.
    """
    marker = ledger.marker(cell)
    if ledger.finished(cell):
        return State(cell.name, DONE, marker=marker)
    if _runs(marker) and (reason is not None or not known):
        return State(cell.name, RUNNING, marker=marker)
    if marker is not None and marker.state == FAILED:
        return State(cell.name, FAILED, f"exit code {marker.code}", marker)
    if held:
        return State(cell.name, BLOCKED, held[0], marker)
    if reason is not None or not known:
        return State(cell.name, WAITING, reason or "", marker)
    return State(cell.name, LOST, "", marker)
