"""`xstilts scores`: the result table of a study, in 100 columns; `make demo` ends with it.

Of few targets: settings x languages, a table per target. Of many: settings x targets, gains alone,
and the best settings under the published aggregates that are whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from rich.console import Console
from rich.table import Table
from rich.text import Text

from xstilts.benchmarks import protocols
from xstilts.benchmarks.aggregates import ALL as WHOLE
from xstilts.benchmarks.aggregates import GROUP
from xstilts.commands.tables import titled
from xstilts.core import design, paths
from xstilts.core.errors import UserError
from xstilts.core.params import Params
from xstilts.report import main_table, markdown
from xstilts.report.data import Results, Row, headline_text, load, signed, size_text, spread, stars
from xstilts.results.scores import ALL, ZERO_SHOT

WIDTH = 100
COLUMN = 9  # at the least: a score with its half interval, `100.0±10`, and the space beside it
FEW = 3  # targets; of more than these a table each is too long to read
SHOWN = 3  # settings under the published aggregates, beside `none` and `best`
NOTE = (
    "Mean over seeds ± half its interval, or the whole where 0 or 100 cuts it."
    "\nΔ: to none; * p < 0.05, ** p < 0.01 after Holm."
    " † a run predicts one class only. All languages:\n{page}"
)
GAINS = (
    "{what} minus that of none (its row: the score), over seeds; * p < 0.05, ** p < 0.01"
    "\nafter Holm; † a run predicts one class only. Intervals, languages:\n{page}"
)


FORMS = {"latex": main_table.latex, "csv": main_table.as_csv, "markdown": markdown.scores}


def show_scores(study: str | None, forms: Sequence[str]) -> None:
    """Print the main result of a study: for people, or in one of `FORMS`.

    Args:
        study: a compiled study; None: the one in use.

    Raises:
        UserError: two forms are asked for; the study is not compiled, or not aggregated.
    """
    if len(forms) > 1:
        named = " and ".join(f"--{form}" for form in forms)
        raise UserError(f"{named} are forms of one table. Mend: give one of them")
    params = design.load(study)
    if not forms:
        print_table(params)
        return
    results = load(params, paths.aggregated(params.study))
    print(FORMS[forms[0]](results), end="")


def print_table(params: Params, console: Console | None = None) -> None:
    """Print the summary of a study, at most 100 columns wide.

    Raises:
        UserError: the aggregate is missing.
    """
    console = console or Console()
    # A file or pipe has no width of its own.
    width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    console.width = width
    results = load(params, paths.aggregated(params.study))
    few = len(results.targets) <= FEW
    tables = (
        [target_table(results, target, width) for target in results.targets]
        if few
        else gain_tables(results, width)
    )
    for table in [*tables, *published_tables(results)]:
        console.print(table)
    page = paths.report(params.study) / "index.html"
    note = (NOTE if few else GAINS).format(page=page, what=headline_text(results).capitalize())
    console.print(note, style="dim", highlight=False)


def _table(title: str, columns: Sequence[str]) -> Table:
    """An empty table: setting, rows, then the columns."""
    table = titled(f"\n{title}")
    table.add_column("intermediate", no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    for number, name in enumerate(columns):
        style = "bold" if number == 0 else None
        table.add_column(name, justify="right", no_wrap=True, style=style)
    return table


def target_table(results: Results, target: str, width: int = WIDTH) -> Table:
    """Rows: settings. Columns: the headline, its difference to `none`, languages that fit."""
    languages = results.languages(target)
    headline, counted = results.headline(target), results.counted(target)
    widths = [_column(results, target, language) for language in (headline, *languages)]
    room = width - _names_width(results) - 6 - COLUMN * counted - 10
    ends = list(accumulate(widths))[1:]
    shown = [name for name, end in zip(languages, ends, strict=True) if end <= room]
    shown = shown or languages[:1]
    more = f"; {len(shown)} of {len(languages)} languages" if len(shown) < len(languages) else ""
    spec = results.params.targets[target]
    trained = f"fine-tuned in {spec.source_language}" if spec.training else "not fine-tuned"
    kind = "zero-shot" if headline == ZERO_SHOT else "mean"
    columns = [kind, *["expected"] * counted, "Δ none", *shown]
    table = _table(f"{target}  ({trained}{more})", columns)
    last = None
    for group in results.groups:
        row = results.row(target, headline, group["group"])
        if row is None:
            continue
        if last is not None and _name(group) != last:
            table.add_section()
        last = _name(group)
        cells = [results.row(target, language, group["group"]) for language in shown]
        truth = [_expected(row)] * counted
        table.add_row(last, _rows(group), _score(row), *truth, _delta(row), *map(_score, cells))
    return table


def _column(results: Results, target: str, language: str) -> int:
    """The room that the scores in one language ask for."""
    cells = [results.row(target, language, group["group"]) for group in results.groups]
    return max(COLUMN, *(1 + len(_score(row)) for row in cells))


def gain_tables(results: Results, width: int = WIDTH) -> list[Table]:
    """Settings x targets, the mean of targets first; as many tables as the width asks for."""
    targets = [ALL] * (ALL in results.columns) + results.targets
    column = max(9, 1 + max(len(target) for target in targets))
    fit = max(1, (width - _names_width(results) - 6) // column)
    count = -(-len(targets) // fit)
    length = -(-len(targets) // count)
    parts = [targets[start : start + length] for start in range(0, len(targets), length)]
    return [_gain_table(results, part, number) for number, part in enumerate(parts)]


def _gain_table(results: Results, targets: Sequence[str], number: int) -> Table:
    """One table of gains; a section per task and language."""
    title = "gain over no intermediate training" + (", continued" if number else "")
    table = _table(title, ["mean" if target == ALL else target for target in targets])
    last = None
    for group in results.groups:
        task = (group["task"], group["source_language"])
        if last is not None and task != last:
            table.add_section()
        last = task
        cells = [
            results.row(
                target, ZERO_SHOT if target == ALL else results.headline(target), group["group"]
            )
            for target in targets
        ]
        table.add_row(_name(group), _rows(group), *(_gain(row) for row in cells))
    return table


def _gain(row: Row | None) -> Text:
    """The difference, or the score where there is none."""
    if row is None:
        return Text("–", style="dim")
    dagger = "†" if row["collapsed"] else ""
    if row["delta"] is None:
        return Text(f"{row['mean']:.1f}{dagger.ljust(2)}")
    text = _delta(row)
    return Text(text.plain.rstrip() + dagger, style=text.style).append(
        " " * max(0, 2 - len(stars(row["p_holm"]) + dagger))
    )


def published_tables(results: Results) -> list[Table]:
    """Whole groups of each protocol: `none`, `best`, and the few best settings."""
    found = [
        row
        for row in results.benchmark
        if not row["run"] and row["level"] in (GROUP, WHOLE) and row["value"] is not None
    ]
    return [
        _published_table(results, name, [row for row in found if row["protocol"] == name])
        for name in dict.fromkeys(row["protocol"] for row in found)
    ]


def _published_table(results: Results, protocol: str, found: Sequence[Row]) -> Table:
    """Settings x groups of one protocol; the last column says which are best."""
    columns = list(dict.fromkeys(row["name"] for row in found))
    index = {(row["group"], row["name"]): row["value"] for row in found}
    deciding = [row for row in found if row["name"] == columns[-1]]
    plain = sorted(
        (row for row in deciding if row["method"] not in ("none", "best")),
        key=lambda row: -row["value"],
    )
    kept = {row["group"] for row in plain[:SHOWN]} | {"none", "best"}
    more = f"; the {SHOWN} best of {len(plain)} settings by {columns[-1]}"
    title = f"{protocols.get(protocol).title} as published, means over tasks"
    table = _table(title + (more if len(plain) > SHOWN else ""), columns)
    for group in results.groups:
        if group["group"] in kept:
            values = [index.get((group["group"], name)) for name in columns]
            texts = ["–" if value is None else f"{value:.1f}" for value in values]
            table.add_row(_name(group), _rows(group), *texts)
    return table


def _names_width(results: Results) -> int:
    return max(len(_name(group)) for group in results.groups) + 2


def _name(group: Row) -> str:
    if group["method"] in ("none", "best"):
        name = {"none": "none", "best": "best per target"}[group["method"]]
        return ", ".join(part for part in (name, group["variant"]) if part)
    method = "" if group["method"] == "single" else group["method"]
    parts = [f"{group['task']} {group['source_language']}", method, group["variant"]]
    return ", ".join(part for part in parts if part)


def _rows(group: Row) -> str:
    return "" if group["method"] in ("none", "best") else size_text(group["size"])


def _score(row: Row | None) -> str:
    if row is None:
        return "–"
    interval = spread(row, 0)
    value = f"{row['mean']:.1f}" + " " * (not interval.startswith("±"))
    return value + interval + ("†" if row["collapsed"] else "")


def _expected(row: Row) -> str:
    return "–" if row["expected"] is None else f"{row['expected']:.1f}"


def _delta(row: Row) -> Text:
    """Green up, orange down, dim where it is not significant; the sign says it without colour."""
    if row["delta"] is None:
        return Text("")
    mark = stars(row["p_holm"])
    style = "dim" if not mark else ("green" if row["delta"] > 0 else "yellow")
    return Text(signed(row["delta"]) + mark.ljust(2), style=style)
