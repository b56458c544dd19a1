"""`xstilts claims`: the verdict on each claim of claims.yaml, from the rows as they are now.

The report has recorded its own answers; one that rests on other rows, or on another wording of the
claim, is called stale: `dvc repro` answers it anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from xstilts.claims import answers, entries
from xstilts.claims.answers import Answer
from xstilts.commands.tables import titled
from xstilts.core import design, paths
from xstilts.core.errors import UserError
from xstilts.core.files import read_json
from xstilts.report import claims as words
from xstilts.report import markdown
from xstilts.report.data import Results, load

STYLES = {"reproduced": "green", "not reproduced": "red", "undecided": "yellow"}
WIDTH = 120
Json = dict[str, Any]


def show_claims(study: str | None, as_json: bool, as_markdown: bool) -> None:
    """Print the verdicts for people, all that is known of them as JSON, or a table for a README.

    Raises:
        UserError: claims.yaml is missing or wrong; the study is not compiled or not aggregated; two
            forms are asked for.
    """
    if as_json and as_markdown:
        raise UserError("--json and --markdown are two forms. Mend: give one of them")
    params = design.load(study)
    if not entries.FILE.is_file():
        raise UserError(f"{entries.FILE} is missing. Mend: `git checkout {entries.FILE}`")
    results = load(params, paths.aggregated(params.study))
    path = paths.answers(params.study)
    recorded = read_json(path)["claims"] if path.is_file() else {}
    if as_json:
        print(json.dumps(as_list(results, recorded), indent=1, ensure_ascii=False))
    elif as_markdown:
        print(markdown.claims(results), end="")
    else:
        print_claims(results, recorded)


def as_list(results: Results, recorded: Mapping[str, Json]) -> list[Json]:
    """Each answer, and under `stale` why the recorded one no longer stands, or ""."""
    found = [answers.to_json(one) for one in results.answers]
    return [one | {"stale": answers.stale(one, recorded)} for one in found]


def print_claims(
    results: Results, recorded: Mapping[str, Json], console: Console | None = None
) -> None:
    """Print a table of what was answered, then what was not run, by what is missing."""
    console = console or Console()
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    known = [one for one in results.answers if one.verdict != "not run"]
    open_ = [one for one in results.answers if one.verdict == "not run"]
    # Without a report nothing is stale: the note says it once.
    old = {one["id"]: one["stale"] * bool(recorded) for one in as_list(results, recorded)}
    if known:
        console.print(_table(results, known, old))
    if open_:
        console.print(_not_run(open_, old))
    for note in _notes(results, recorded, old):
        console.print(note, style="dim", highlight=False)


def _table(results: Results, known: Sequence[Answer], old: Mapping[str, str]) -> Table:
    """A row per claim; what is beside the point stands small below it."""
    table = titled(f"\nclaims, answered by the study {results.params.study}", below=1)
    table.add_column("verdict", no_wrap=True)
    table.add_column("claim", ratio=1)
    table.add_column("found", no_wrap=True)
    if any(one.claim.published is not None for one in known):
        table.add_column("published", no_wrap=True)
    for one in known:
        cells = [_verdict(one, old[one.claim.id]), _claim(one), _found(one)]
        table.add_row(*cells, Text("\n".join(words.published(one).split(", "))))
    return table


def _verdict(one: Answer, old: str) -> Group:
    lines = [Text(one.verdict, style=STYLES.get(one.verdict, ""))]
    if one.as_expected is not None:
        told = "as expected" if one.as_expected else f"expected {one.claim.expect}"
        lines.append(Text(told, style="dim" if one.as_expected else "bold red"))
    if old:
        lines.append(Text("\n".join(old.split(": ")), style="magenta"))
    return Group(*lines)


def _claim(one: Answer) -> Group:
    reason = [Text(one.reason, style="italic")] * bool(one.reason)
    small = Text(f"{one.claim.id}: {words.source(one)}, {one.claim.status}", style="dim")
    return Group(Text(one.claim.text), *reason, small)


def _found(one: Answer) -> Group:
    parts = [words.interval(one), *words.details(one)]
    return Group(Text(words.number(one)), *[Text(part, style="dim") for part in parts if part])


def _not_run(answers_: Sequence[Answer], old: Mapping[str, str]) -> Table:
    """What is missing, and the claims that wait for it."""
    table = titled(f"not run: {len(answers_)}")
    table.add_column("what is missing", ratio=2)
    table.add_column("claims", ratio=3)
    for reason in dict.fromkeys(one.reason for one in answers_):
        own = [one.claim.id for one in answers_ if one.reason == reason]
        names = [name + "*" * bool(old[name]) for name in own]
        table.add_row(Text(reason.removeprefix(answers.LACKS), style="dim"), Text(", ".join(names)))
    return table


def _notes(results: Results, recorded: Mapping[str, Json], old: Mapping[str, str]) -> list[str]:
    """How to read the table, and what to do about recorded answers that no longer stand."""
    own = f"{results.confidence} intervals, each claim's own: no correction for their number."
    counts = [words.USUAL, own]
    stale = sum(bool(why) for why in old.values())
    if not recorded:
        counts.append("The report has recorded no answers yet: `dvc repro` makes it.")
    elif stale:
        counts.append(f"{stale} stale or not in the report (*): `dvc repro` answers them anew.")
    return counts
