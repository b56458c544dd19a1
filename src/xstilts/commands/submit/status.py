"""`xstilts status`: how far the cells of the last submission are, and where their logs are."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from xstilts.commands.submit import ledger
from xstilts.commands.submit.ledger import DONE, FAILED, RUNNING, Submission
from xstilts.commands.submit.states import BLOCKED, LOST, STATES, Queue, State, queue, states
from xstilts.commands.tables import plain
from xstilts.core import design, files, flow
from xstilts.core.cluster import RECORD
from xstilts.core.errors import UserError

WIDTH = 100  # columns that the table needs
SHOWN = 20  # cells of a kind that are named


def show_status(as_json: bool) -> None:
    """Print the state of the study in use.

    Raises:
        UserError: nothing was submitted, or a scheduler does not answer.
    """
    study = design.in_use().study
    own = [one for one in ledger.submissions() if one.study == study]
    if not own:
        raise UserError(f"nothing was submitted of the study {study}. Mend: `xstilts submit`")
    queued = queue()
    found = states(own[-1], queued)
    if as_json:
        print(json.dumps(_content(own[-1], found, queued), indent=1))
        return
    console = Console(highlight=False, soft_wrap=True, width=max(Console().width, WIDTH))
    console.print(f"[bold]{study}[/], submitted as {own[-1].name}")
    console.print(_table(own[-1], found))
    for line in _lines(own[-1], found, queued):
        console.print(line, markup=False)


def _counts(submission: Submission, found: list[State]) -> dict[str, Counter[str]]:
    """Stage word -> state -> cells."""
    counts: dict[str, Counter[str]] = {word: Counter() for word in flow.WORDS}
    for name in submission.done:
        counts.setdefault(name.partition("@")[0], Counter())[DONE] += 1
    for one in found:
        counts.setdefault(one.name.partition("@")[0], Counter())[one.state] += 1
    return counts


def _content(submission: Submission, found: list[State], queued: Queue) -> dict[str, Any]:
    """The same for scripts."""
    counts = _counts(submission, found)
    total = sum(counts.values(), Counter())
    cells = [asdict(one) for one in found]
    return {
        "study": submission.study,
        "submission": submission.name,
        "scheduler": queued.known,
        "recorded": ledger.recorded_file(submission.name).exists(),
        "counts": {state: total[state] for state in STATES},
        "stages": {word: {state: some[state] for state in STATES} for word, some in counts.items()},
        "cells": [{"name": name, "state": DONE} for name in submission.done] + cells,
    }


def _table(submission: Submission, found: list[State]) -> Table:
    """A row per stage word."""
    table = plain("stage", "all", *STATES)
    counts = _counts(submission, found)
    for word, some in counts.items():
        row = [str(some[state] or "") for state in STATES]
        table.add_row(word, str(some.total()), *row)
    return table


def _lines(submission: Submission, found: list[State], queued: Queue) -> Iterator[str]:
    """What runs, what failed with its log, what to do next."""
    if not queued.known:
        yield "The scheduler's commands are not here, so this is what the cells' own markers say."
    for one in _first(found, RUNNING):
        assert one.marker is not None
        minutes = (time.time() - one.marker.began) / 60
        job, host = one.marker.job, one.marker.host
        yield f"running: {one.name}, {minutes:.0f} min, job {job} on {host}, log {one.marker.log}"
    for one in _first(found, FAILED):
        assert one.marker is not None
        yield f"failed: {one.name}, {one.why}, job {one.marker.job}, log {one.marker.log}"
    for name, count in Counter(one.why for one in found if one.state == BLOCKED).items():
        yield f"blocked by {name}, which failed: {count} of the cells after it"
    for one in _first(found, LOST):
        log = f", log {one.marker.log}" if one.marker is not None else ""
        yield f"lost: {one.name} has no job any more{log}"
    yield _next(submission, found, queued)


def _first(found: list[State], state: str) -> list[State]:
    return [one for one in found if one.state == state][:SHOWN]


def _next(submission: Submission, found: list[State], queued: Queue) -> str:
    """What comes next, or what there is to do."""
    if job := queued.jobs.get((submission.name, RECORD, None)):
        return f"The last job ({' '.join(job).lower()}) will record in dvc.lock what is done then."
    path = ledger.recorded_file(submission.name)
    again = "" if all(one.state == DONE for one in found) else " `xstilts submit` submits the rest."
    if path.exists():
        when = time.strftime("%F %T", time.localtime(files.read_json(path)["when"]))
        return f"What was done is recorded in dvc.lock ({when}).{again}"
    return f"What is done is not in dvc.lock yet: `xstilts record`.{again}"
