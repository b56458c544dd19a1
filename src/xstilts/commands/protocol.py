"""`xstilts protocol [NAME]`: what a published protocol does, task by task, and where we differ.

Each value stands beside the line of the official script that says it (benchmarks/recipes.py); data,
labels and metric are those of the tasks that run. A study that follows the protocol is compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.table import Table

from xstilts import tasks
from xstilts.benchmarks import compare, protocols
from xstilts.benchmarks.protocols import PROTOCOLS, Protocol
from xstilts.benchmarks.recipes import INTERMEDIATE, RECIPES, Recipe
from xstilts.commands.use import compiled
from xstilts.core import design, paths
from xstilts.core.errors import UserError
from xstilts.core.params import Params
from xstilts.tasks.base import Task

WIDTH = 120  # at most, and of a file or pipe, which has no width of its own
ROOM = 55  # columns that a text needs to have its sources beside it
PART = 14  # columns of what a line is about
Line = tuple[str, str, list[str]]  # part, what is done, where it is said
Note = tuple[str, str]


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
        console.print(_notes(_differences(protocol, one, params, whole=task is not None)))
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
    recipes = RECIPES[protocol.name]
    found = {one: _target(protocol, one, recipes[one]) for one in protocol.languages}
    for one, recipe in INTERMEDIATE.get(protocol.name, {}).items():
        found[one] = _intermediate(tasks.load(one), recipe)
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


def _target(protocol: Protocol, name: str, recipe: Recipe) -> list[Line]:
    """What is done with a target: data, input, training, choice, decoding, score."""
    task, languages = tasks.load(name), protocol.languages[name]
    lines = []
    if "train" in recipe:
        rows = compare.told(compare.values(recipe), "data")["training rows"]
        names = [recipe[one].value for one in ("before", "train") if one in recipe]
        data = "; ".join(_data(tasks.load(one), rows=True) for one in names)
        lines.append(("data", f"{rows} in English: {data}", compare.sources(recipe, "data")))
    lines += _parts(recipe)
    scored = f"{task.evaluation} rows in {len(languages)} languages ({' '.join(languages)})"
    lines.append(("scored", f"{scored}: {_data(task)}", []))
    values, metric = " and ".join(protocol.values[name]), protocol.metrics[name]
    lines.append(("metric", values if metric == values else f"{metric}: {values}", []))
    return lines


def _intermediate(task: Task, recipe: Recipe) -> list[Line]:
    """What is done with an intermediate task."""
    data = f"an intermediate task, in English: {_data(task, rows=True)}"
    return [("data", data, []), *_parts(recipe)]


def _parts(recipe: Recipe) -> list[Line]:
    """A line for each part of a recipe that it tells, but for its data."""
    told = {part: compare.told(compare.values(recipe), part) for part in compare.ASPECTS}
    return [
        (part, ", ".join(words.values()), compare.sources(recipe, part))
        for part, words in told.items()
        if words and part != "data"
    ]


def _data(task: Task, rows: bool = False) -> str:
    """A task's source at its pin, and where asked how many English training rows it has."""
    if task.joins:
        names = ", ".join(tasks.load(one).title for one in task.joins)
        where = f"{names} joined"
    else:
        where = task.dataset + (f"@{task.revision[:8]}" if task.revision else "")
    count = task.train_rows.get("en") if rows else None
    return f"{where}, {count:,} rows" if count else where


def _differences(
    protocol: Protocol, task: str, params: Params | None, whole: bool
) -> Iterator[Note]:
    """Named differences of a task (`whole`: and of the protocol), and what the study does."""
    for one in protocol.differences:
        if task in one.tasks or (whole and not one.tasks):
            yield "differs", one.text
    if params is None:
        return
    model = params.pretrain.model
    for target in params.targets.values():
        if target.task == task and target.protocol == protocol.name:
            unlike = compare.target_differences(target, model)
            yield "study", f"{params.study}: {'; '.join(unlike) or 'as published'}"


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
