"""A published protocol in lines: what is done with a task, where that is said, where we differ.

Each value stands beside the line of the official script that says it (recipes.py); data, labels and
metric are those of the tasks that run. `xstilts protocol` prints the lines, the report has them as
tables.
"""

from __future__ import annotations

from collections.abc import Iterator

from xstilts import tasks
from xstilts.benchmarks import compare
from xstilts.benchmarks.protocols import Protocol
from xstilts.benchmarks.recipes import INTERMEDIATE, RECIPES, Recipe
from xstilts.core.params import Params
from xstilts.tasks.base import Task

Line = tuple[str, str, list[str]]  # part, what is done, where it is said
Note = tuple[str, str]  # differs | study, a sentence


def lines(protocol: Protocol) -> dict[str, list[Line]]:
    """Task -> its lines: of all targets, then of the intermediate tasks that the protocol has."""
    recipes = RECIPES[protocol.name]
    found = {one: _target(protocol, one, recipes[one]) for one in protocol.languages}
    for one, recipe in INTERMEDIATE.get(protocol.name, {}).items():
        found[one] = _intermediate(tasks.load(one), recipe)
    return found


def notes(protocol: Protocol, task: str, params: Params | None, whole: bool) -> Iterator[Note]:
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


def _target(protocol: Protocol, name: str, recipe: Recipe) -> list[Line]:
    """What is done with a target: data, input, training, choice, decoding, score."""
    task, languages = tasks.load(name), protocol.languages[name]
    found: list[Line] = []
    if "train" in recipe:
        rows = compare.told(compare.values(recipe), "data")["training rows"]
        names = [recipe[one].value for one in ("before", "train") if one in recipe]
        data = "; ".join(_data(tasks.load(one), rows=True) for one in names)
        found.append(("data", f"{rows} in English: {data}", compare.sources(recipe, "data")))
    found += _parts(recipe)
    scored = f"{task.evaluation} rows in {len(languages)} languages ({' '.join(languages)})"
    found.append(("scored", f"{scored}: {_data(task)}", []))
    values, metric = " and ".join(protocol.values[name]), protocol.metrics[name]
    found.append(("metric", values if metric == values else f"{metric}: {values}", []))
    return found


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
