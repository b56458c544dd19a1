"""`xstilts show RUN`, and without a run the list of all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from xstilts.commands import graph
from xstilts.commands.show import facts, find
from xstilts.commands.show import print as printing
from xstilts.core import design, flow, paths


def show(words: Sequence[str], as_json: bool) -> None:
    """Print what is known of a finished run.

    Args:
        words: the run's name, in one word or two; none: every run of the study in use.

    Raises:
        UserError: there is no such run, it is not made, or a file of it is broken.
    """
    if not words:
        _show_all(as_json)
        return
    run = find.find(words)
    found = facts.tidy(facts.gather(run, find.folder(run)))
    if as_json:
        _print_json(found)
    else:
        printing.show(found, printing.console())


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False))


def _show_all(as_json: bool) -> None:
    """Names of all runs, by stage, and whether each is made."""
    loaded = design.load()
    found = [
        {
            "run": graph.stage_name(loaded.study, word, key),
            "stage": word,
            "key": key,
            "made": (paths.output(loaded, word, key) / "record.json").is_file(),
        }
        for word in flow.WORDS
        for key in graph.keys(loaded, word)
    ]
    if as_json:
        _print_json(found)
        return
    out = printing.console()
    table = Table.grid(padding=(0, 2, 0, 0))
    for one in found:
        name = one["key"] if one["stage"] == "transfer" else f"{one['stage']}@{one['key']}"
        state = Text("made", style="green") if one["made"] else Text("not made", style="dim")
        table.add_row(Text(str(name)), state)
    with printing.trimmed(out):
        out.print(table)
    out.print(f"{sum(bool(one['made']) for one in found)} of {len(found)} made")
