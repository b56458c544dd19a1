"""`xstilts record`: what jobs have done goes into dvc.lock, in bulk; the last job does it.

Jobs call no DVC, whose locks are those of one machine. One process records all cells that are done,
with one writing of each lock, once no job is left that could read what moves into DVC's cache.
Nor do they track in a file (job.py): their runs are then made of what they recorded, here as well.
"""

from __future__ import annotations

import time

from rich.console import Console

from xstilts.commands import graph
from xstilts.commands.submit import ledger
from xstilts.commands.submit.states import queue
from xstilts.core import design, files
from xstilts.core.errors import UserError
from xstilts.records import store, tracking

PATIENCE = 600  # seconds for a `submit` that is at work


def show_record(of: str | None = None) -> None:
    """Record all cells of a study that are done, and make the MLflow runs that are missing.

    Args:
        of: the submission whose last job this is; None: the study in use.

    Raises:
        UserError: DVC cannot do it, or another process submits or records.
    """
    console = Console(highlight=False, soft_wrap=True)
    with ledger.alone(PATIENCE if of else 0):
        loaded = design.load()
        if of and (study := ledger.read(of).study) != loaded.study:
            raise UserError(
                f"these jobs are of the study {study}, and {loaded.study} is in use. "
                f"Mend: `xstilts study use {study}`, then `xstilts record`"
            )
        places = queue().cells()
        if left := [name for name, one in places.items() if one.submission != of]:
            some = f"cells with a job still: {len(left)}, as {min(left)}"
            console.print(f"nothing is recorded yet; {some}. The last job of all records them")
            return
        cells = graph.signed(loaded)
        done = [cell.name for cell in cells if cell.changed and ledger.finished(cell)]
        if done:
            graph.record([graph.CODE, *done])
        if of:
            files.write_json(ledger.recorded_file(of), {"cells": len(done), "when": time.time()})
    rest = f"of {len(cells)}, not done: {len(ledger.undone(cells))}"
    console.print(f"cells recorded in dvc.lock: {len(done)}; {rest}")
    _track(console, loaded.study)


def _track(console: Console, study: str) -> None:
    """Make the runs of jobs that tracked none; a failing store is told and stops nothing."""
    if tracking.off() or not store.is_file():
        return
    try:
        console.print(f"runs added to MLflow: {tracking.sync(study)}")
    except UserError as error:
        console.print(f"the runs are not in MLflow: {error}", markup=False)
