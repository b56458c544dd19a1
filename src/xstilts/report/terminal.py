"""The table at the end of `make demo`: settings x languages, per target, in 100 columns."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from xstilts import params as parameters
from xstilts import paths
from xstilts.errors import UserError
from xstilts.report.results import Results, Row, load, signed, size_text, stars
from xstilts.summary import ZERO_SHOT

WIDTH = 100
COLUMN = 9  # of a score with its half interval, `100.0±10`, and the space beside it
NOTE = (
    "Mean over seeds ± half its interval. Δ: to none; * p < 0.05, ** p < 0.01 after Holm."
    "\n† a run predicts one class only. All languages: report/index.html"
)


def print_table(study: str, console: Console | None = None) -> None:
    """Print the summary of a study, one table per target, at most 100 columns wide.

    Raises:
        UserError: params.yaml is of another study, or the aggregate is missing.
    """
    params = parameters.load()
    if params.study != study:
        raise UserError(
            f"params.yaml is of study {params.study}, not {study}."
            f" Mend: compile it with `xstilts study use {study}`"
        )
    console = console or Console()
    # A file or pipe has no width of its own.
    width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    console.width = width
    results = load(params, paths.aggregated(study))
    for target in results.targets:
        console.print(target_table(results, target, width))
    console.print(NOTE, style="dim", highlight=False)


def target_table(results: Results, target: str, width: int = WIDTH) -> Table:
    """Rows: settings. Columns: zero-shot mean, its difference to `none`, languages that fit."""
    languages = results.languages(target)
    names = max(len(_name(group)) for group in results.groups) + 2
    shown = languages[: max(1, (width - names - 6 - COLUMN - 10) // COLUMN)]
    headline = results.headline(target)
    more = f"; {len(shown)} of {len(languages)} languages" if len(shown) < len(languages) else ""
    spec = results.params.targets[target]
    trained = f"fine-tuned in {spec.source_language}" if spec.training else "not fine-tuned"
    title = f"\n{target}  ({trained}{more})"
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("intermediate", no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    kind = "zero-shot" if headline == ZERO_SHOT else "mean"
    for name in (kind, "Δ none", *shown):
        style = "bold" if name == kind else None
        table.add_column(name, justify="right", no_wrap=True, style=style)
    last = None
    for group in results.groups:
        row = results.row(target, headline, group["group"])
        if row is None:
            continue
        if last is not None and _name(group) != last:
            table.add_section()
        last = _name(group)
        cells = [results.row(target, language, group["group"]) for language in shown]
        table.add_row(last, _rows(group), _score(row), _delta(row), *map(_score, cells))
    return table


def _name(group: Row) -> str:
    if group["method"] == "none":
        return "none"
    tail = "" if group["method"] == "single" else f", {group['method']}"
    return f"{group['task']} {group['source_language']}{tail}"


def _rows(group: Row) -> str:
    return "" if group["method"] == "none" else size_text(group["size"])


def _score(row: Row | None) -> str:
    if row is None:
        return "–"
    half = (row["high"] - row["low"]) / 2
    return f"{row['mean']:.1f}±{half:.0f}" + ("†" if row["collapsed"] else "")


def _delta(row: Row) -> Text:
    """Green up, orange down, dim where it is not significant; the sign says it without colour."""
    if row["delta"] is None:
        return Text("")
    mark = stars(row["p_holm"])
    style = "dim" if not mark else ("green" if row["delta"] > 0 else "yellow")
    return Text(signed(row["delta"]) + mark.ljust(2), style=style)
