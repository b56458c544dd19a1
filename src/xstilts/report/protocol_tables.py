"""What the protocols that a study follows do, task by task: an appendix, `protocol-<name>`.

As `xstilts protocol` prints it, for the study's own tasks. Called by `tables`.
"""

from __future__ import annotations

from collections.abc import Iterator

from xstilts.benchmarks import described, protocols
from xstilts.benchmarks.protocols import Protocol
from xstilts.benchmarks.recipes import RECIPES
from xstilts.core.params import Params
from xstilts.report.data import Results
from xstilts.report.table import Entry, Table
from xstilts.tasks import load

WORDS = {"differs": "we differ", "study": "this study"}


def build(results: Results) -> Iterator[Table]:
    """A table for each protocol of which the study has a target."""
    params = results.params
    for name in dict.fromkeys(target.protocol for target in params.targets.values()):
        if tasks := own_tasks(params, name):
            yield _table(params, protocols.get(name), tasks)


def own_tasks(params: Params, protocol: str) -> list[str]:
    """The study's targets and intermediate tasks of which the protocol says how they are done."""
    targets = [one.task for one in params.targets.values() if one.protocol == protocol]
    followed = [task for task in dict.fromkeys(targets) if task in RECIPES.get(protocol, {})]
    if not followed:
        return []
    said = described.lines(protocols.get(protocol))
    middle = dict.fromkeys(spec.task for spec in params.intermediate.values())
    return [*followed, *(task for task in middle if task in said and task not in followed)]


def _table(params: Params, protocol: Protocol, tasks: list[str]) -> Table:
    said = described.lines(protocol)
    records = []
    for task in tasks:
        for part, text, sources in said[task]:
            records.append({"task": task, "part": part, "text": text, "source": " ".join(sources)})
        for what, text in described.notes(protocol, task, params, whole=False):
            records.append({"task": task, "part": WORDS[what], "text": text, "source": ""})
    for one in protocol.differences:
        if not one.tasks:
            words = {"part": WORDS["differs"], "text": one.text, "source": ""}
            records.append({"task": "all tasks", **words})
    rows = [
        [
            Entry(load(one["task"]).title if one["task"] in said else "all tasks", head=True),
            *(Entry(one[name]) for name in ("part", "text", "source")),
        ]
        for one in records
    ]
    caption = (
        f"{protocol.description} Lines are those of {protocol.source}; values are for XLM-R Large."
        f" `xstilts protocol {protocol.name}` prints all of it."
    )
    header = ("task", "part", "what is done", "where it is said")
    return Table(
        f"protocol-{protocol.name}",
        f"The protocol {protocol.title}",
        caption,
        header,
        rows,
        records,
    )
