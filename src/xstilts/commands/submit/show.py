"""`xstilts submit`: what is missing of the study in use becomes jobs; asked again, only the rest.

graph.signed -> ledger.undone -> arrays.arranged -> the engine, by a template of cluster/
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from datetime import datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from xstilts.commands import graph
from xstilts.commands.graph import Cell
from xstilts.commands.obstacles import obstacles
from xstilts.commands.submit import ledger, script
from xstilts.commands.submit.arrays import arranged
from xstilts.commands.submit.ledger import Array, Submission
from xstilts.commands.submit.states import ENGINES, Queue, queue
from xstilts.commands.tables import plain
from xstilts.core import design
from xstilts.core.errors import UserError
from xstilts.core.machine import Machine, load_machine
from xstilts.core.params import Params

WIDTH = 120  # columns that the table needs


def show_submit(engine: str, dry_run: bool) -> None:
    """Submit what is missing and has no job yet.

    Args:
        dry_run: print it, and hand over nothing.

    Raises:
        UserError: there is no such engine, it is not here or refuses, DVC cannot read the project,
            or another process submits or records.
    """
    if engine not in ENGINES:
        raise UserError(f"there is no engine {engine!r}. Mend: one of {', '.join(ENGINES)}")
    console = Console(highlight=False, soft_wrap=True, width=max(Console().width, WIDTH))
    loaded, machine = design.load(), load_machine()
    with ledger.alone():
        queued = _queue(engine, dry_run)
        cells = graph.signed(loaded)
        undone = ledger.undone(cells)
        ready, held = _ready(undone, queued)
        submission = _submission(engine, loaded, machine, cells, undone, ready)
        _see_that_nodes_can_start(submission, machine)
        _tell(console, loaded, submission, machine, undone, held)
        if dry_run or not ready:
            return
        for one in queued.ended():
            one.ended = True
            one.write()
        _hand_over(submission, machine)
    numbers = ", ".join(submission.numbers.values())
    console.print(f"submitted as {submission.name}: job {numbers}")
    console.print("`xstilts status` says how far it is; the last job records it all in dvc.lock.")


def _hand_over(submission: Submission, machine: Machine) -> None:
    """Submit; what the engine refuses whole leaves no trace.

    Raises:
        UserError: the engine refuses some or all of it.
    """
    submission.write()  # before its jobs, which read it
    try:
        ENGINES[submission.engine].submit(submission, machine)
    finally:
        if submission.numbers:
            submission.write()
        else:
            shutil.rmtree(submission.folder)


def _queue(engine: str, dry_run: bool) -> Queue:
    """What has a job already; a dry run needs no scheduler."""
    found = queue()
    if dry_run:
        return found
    if not ENGINES[engine].here() or not found.known:
        missing = engine if not ENGINES[engine].here() else "the engine of an earlier submission"
        raise UserError(
            f"the commands of {missing} are not on this machine. Mend: run this where they are, "
            "or `xstilts repro --jobs N` here"
        )
    if names := found.recording():
        raise UserError(
            f"the last job of {names[0]} writes dvc.lock now. Mend: wait until it has ended"
        )
    return found


def _ready(undone: Mapping[str, Cell], queued: Queue) -> tuple[dict[str, Cell], list[str]]:
    """Cells to submit; and those that are not, as they wait for jobs of an earlier submission."""
    places = queued.cells()
    with_job = {
        name
        for name, cell in undone.items()
        if name in places and places[name].signature == cell.signature
    }
    ready: dict[str, Cell] = {}
    held: list[str] = []
    for name, cell in undone.items():
        if name in with_job:
            continue
        if any(one in undone and one not in ready for one in cell.after):
            held.append(name)
        else:
            ready[name] = cell
    return ready, held


def _submission(
    engine: str,
    loaded: Params,
    machine: Machine,
    cells: list[Cell],
    undone: dict[str, Cell],
    ready: Mapping[str, Cell],
) -> Submission:
    """What is to be submitted, under a name that no other has."""
    arrays = arranged(ready, machine.cluster)
    seconds = {
        one.name: 60.0 * script.minutes(machine.cluster.asked(one.word).hours) for one in arrays
    }
    source = loaded.pretrain.source
    nodes = {one.name: script.nodes(machine, one.word, source) for one in arrays}
    done = [cell.name for cell in cells if cell.name not in undone]
    name = f"{datetime.now():%Y%m%d-%H%M%S%f}-{secrets.token_hex(2)}"
    return Submission(name, loaded.study, engine, undone, arrays, done, seconds, nodes)


def _see_that_nodes_can_start(submission: Submission, machine: Machine) -> None:
    """Refuse jobs of several nodes whose first one could not start the others.

    Raises:
        UserError: it could not.
    """
    if max(submission.nodes.values(), default=1) == 1:
        return
    if not ENGINES[submission.engine].SEVERAL_NODES:
        why = f"{submission.engine} starts a task on one node, which cannot start the others"
        mend = "`xstilts submit --engine slurm`"
    elif machine.cluster.container:
        why = "inside of a container there is no srun that could start the others"
        mend = "leave `container` out"
    else:
        return
    raise UserError(
        f"machine.yaml asks for {machine.nodes} nodes, and {why}. Mend: {mend}, or `nodes: 1`; "
        "docs/multi-node.md has the way by hand"
    )


def _tell(
    console: Console,
    loaded: Params,
    submission: Submission,
    machine: Machine,
    undone: Mapping[str, Cell],
    held: list[str],
) -> None:
    """What is done, what is submitted, and what is not."""
    count = sum(len(some) for one in submission.arrays for some in one.jobs.values())
    console.print(
        f"{loaded.study}: cells done {len(submission.done)}, to submit {count}, "
        f"with a job already {len(undone) - count - len(held)}"
    )
    if submission.arrays:
        console.print(_table(submission, machine))
    if held:
        wait = "wait for jobs of an earlier submission; submit again when those have ended"
        console.print(f"left out {len(held)}, as {held[0]}: they {wait}")
    if not undone:
        console.print("nothing is missing; `xstilts record` writes dvc.lock if no job has yet")
    for one in obstacles(loaded) if submission.arrays else []:
        console.print(f"cannot run as it is: {one.what}: {one.why}. Mend: {one.mend}", markup=False)


def _table(submission: Submission, machine: Machine) -> Table:
    """A row per array."""
    names = ("array", "jobs", "cells", "asks for", "after", "job by job after")
    table = plain(*names)
    for one in submission.arrays:
        cells = sum(len(some) for some in one.jobs.values())
        after = ", ".join(one.after)
        asked = _asked(machine, one, submission.nodes[one.name])
        follows = one.follows or ""
        table.add_row(one.name, str(len(one.jobs)), str(cells), escape(asked), after, follows)
    return table


def _asked(machine: Machine, array: Array, nodes: int) -> str:
    """What a job asks for, in a few words."""
    found = script.resources(machine, array.word)
    several = [f"{nodes} nodes with"] if nodes > 1 else []
    parts = [f"{found['minutes']} min", " ".join([*several, f"{found['cpus']} CPUs"])]
    most = machine.cluster.asked(array.word).jobs_at_once
    more = {"{} GPUs": found["gpus"], "{} MB": found["memory"], "{} at once": most}
    more |= {f"{name} {{}}": found[name] for name in ("partition", "account", "qos")}
    parts += [form.format(value) for form, value in more.items() if value]
    return ", ".join([*parts, *found["options"]])
