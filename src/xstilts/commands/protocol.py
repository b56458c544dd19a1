"""`xstilts protocol [NAME]`: what a published protocol does, task by task, and where we differ.

The lines are made by benchmarks/described.py. A study that follows the protocol is compared.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from xstilts import tasks
from xstilts.benchmarks import compare, described, protocols
from xstilts.benchmarks.described import Line, Note
from xstilts.benchmarks.protocols import PROTOCOLS, Protocol
from xstilts.benchmarks.recipes import RECIPES
from xstilts.commands.use import compiled
from xstilts.core import design, paths
from xstilts.core.errors import UserError
from xstilts.core.params import Params

WIDTH = 120  # at most, and of a file or pipe, which has no width of its own
ROOM = 55  # columns that a text needs to have its sources beside it
PART = 14  # columns of what a line is about


def show_protocol(name: str | None, task: str | None = None, study: str | None = None) -> None:
    """Print a protocol, or one task of it; without a name, the list of protocols.

    Args:
        study: one to compare with; None: the one in use, where it follows the protocol.

    Raises:
        UserError: there is no such protocol, task or study; the study follows another protocol.
    """
    console = Console(highlight=False, markup=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    if name is None:
        if task or study:
            raise UserError(f"of which protocol? Mend: name one of {', '.join(PROTOCOLS)}")
        console.print(_list())
        return
    protocol = protocols.get(name)
    chosen = _chosen(protocol, task)
    params = _study(protocol, study)
    console.print(f"{protocol.title}: {protocol.description}", style="bold")
    console.print(f"Lines are those of {protocol.source}; values are for XLM-R Large.\n")
    for one, lines in chosen.items():
        console.print(f"{tasks.load(one).title} ({one})", style="bold")
        _print_lines(console, lines)
        console.print(_notes(described.notes(protocol, one, params, whole=task is not None)))
        console.print()
    if task is None:
        _print_whole(console, protocol, params)


def _list() -> Table:
    """The protocols that there are."""
    table = Table("protocol", "tasks", "what it is", box=None, padding=(0, 2, 0, 0))
    table.add_column("source", no_wrap=True)
    for one in PROTOCOLS.values():
        table.add_row(one.name, str(len(one.languages)), one.description, one.source)
    return table


def _chosen(protocol: Protocol, task: str | None) -> dict[str, list[Line]]:
    """Task -> its lines: of all targets and intermediate tasks, or of one."""
    found = described.lines(protocol)
    if task is None:
        return found
    if task not in found:
        raise UserError(
            f"the protocol {protocol.name} has no task {task!r}. "
            f"Mend: use one of {', '.join(found)}"
        )
    return {task: found[task]}


def _study(protocol: Protocol, study: str | None) -> Params | None:
    """The study to compare with; None: the one in use does not follow the protocol."""
    settings = None
    if study is None:
        if not paths.PARAMS.exists():
            return None
        used = design.in_use()
        name, settings = used.study, used.settings
    else:
        name = study
    params = Params.model_validate(compiled(name, settings))
    recipes = RECIPES[protocol.name]
    if any(
        one.protocol == protocol.name and one.task in recipes for one in params.targets.values()
    ):
        return params
    if study is None:
        return None
    raise UserError(
        f"no target of the study {study} follows {protocol.name}. "
        "Mend: name another study, or another protocol"
    )


def _print_lines(console: Console, lines: list[Line]) -> None:
    """Part, what is done, where it is said: beside it, or where that is narrow below it."""
    longest = max((len(one) for _, _, sources in lines for one in sources), default=0)
    if console.width - PART - longest >= ROOM:
        table = Table.grid(padding=(0, 2))
        table.add_column(width=PART)
        table.add_column()
        table.add_column(no_wrap=True, style="dim")
        for part, text, sources in lines:
            table.add_row(f"  {part}", text, "\n".join(sources))
        console.print(table)
        return
    for part, text, sources in lines:
        console.print(_notes([(part, text)]))
        for source in sources:
            console.print(f"    {source}", style="dim")


def _notes(notes: Iterable[Note]) -> Table:
    """What it is, and a sentence."""
    table = Table.grid(padding=(0, 2))
    table.add_column(width=PART)
    table.add_column()
    for what, text in notes:
        table.add_row(f"  {what}", text)
    return table


def _print_whole(console: Console, protocol: Protocol, params: Params | None) -> None:
    """What concerns no single task."""
    console.print("All tasks", style="bold")
    console.print(_notes(("differs", one.text) for one in protocol.differences if not one.tasks))
    if params is not None:
        found = compare.differences(params)
        console.print(f"\nThe study {params.study} differs from what it follows", style="bold")
        for text in found or ["in nothing that is compared"]:
            console.print(f"  {text}")
