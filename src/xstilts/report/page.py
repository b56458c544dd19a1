"""The page: one HTML file with its style and figures inside, readable without a network.

The stage `report` asks `build` for the figures that the study calls for, `render` for index.html,
and `save` for the points that `dvc plots` draws.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from xstilts.core import paths
from xstilts.core.files import write_json
from xstilts.report import figure_axes
from xstilts.report.data import SETTING, Results, Row, series_of
from xstilts.report.figure_gains import language_figure, setting_figure
from xstilts.report.figure_panels import Figure, page_keys, page_panels
from xstilts.report.figure_size import size_figures
from xstilts.report.notes import notes
from xstilts.report.runs_page import MLFLOW, runs_page_path
from xstilts.report.table import Table
from xstilts.report.words import answer, support

_CODE = re.compile("`([^`]+)`")
_NUMBER = re.compile(r"[+−–]?[\d.,]*[KM]?")
NOT_RUN = "not run"  # a verdict: the study lacks the rows
SCALING = ("target", "language", *SETTING, "size", "mean", "low", "high")
DELTAS = ("target", "language", "group", *SETTING, "size", "delta", "delta_low", "delta_high")


def build(results: Results) -> list[Figure]:
    """The figures of a study: the key figure, or one for each sort of data; gain by language."""
    return list(_figures(results))


def _figures(results: Results) -> Iterator[Figure]:
    yield from figure_axes.build(results)
    series = [one for one in results.series() if one[0] not in ("shuffled", "best")]
    if not series:
        return
    scaled = any(len(results.sizes(one)) > 1 for one in series)
    if scaled:
        yield from size_figures(results, series)
    elif any(True for _ in results.comparisons()):
        yield setting_figure(results)
    yield language_figure(results, series)


def render(results: Results, figures: Sequence[Figure], tables: Mapping[str, Table]) -> str:
    """The text of index.html."""
    here = resources.files("xstilts.report")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals |= {"numeric": numeric, "breakable": breakable, "prose": prose}
    template = environment.from_string((here / "page.html.j2").read_text(encoding="utf-8"))
    drawn = [_drawn(figure) for figure in figures]
    text = template.render(
        params=results.params,
        style=Markup((here / "style.css").read_text(encoding="utf-8")),
        runs=len(results.params.transfer),
        targets=results.targets,
        answer=answer(results),
        support=support(results),
        notes=notes(results),
        key_figures=[one for one in drawn if one["name"] != "languages"],
        language_figures=[one for one in drawn if one["name"] == "languages"],
        languages=_named(tables, "languages-"),
        published=[*_named(tables, "comparison-"), *_named(tables, "benchmark-")],
        incomparable=_named(tables, "incomparable-"),
        tables=tables,
        not_run=_rows(tables.get("claims"), lambda verdict: verdict == NOT_RUN),
        answered=_rows(tables.get("claims"), lambda verdict: verdict != NOT_RUN),
        provenance="../../" + runs_page_path(results.params.study).as_posix(),
        mlflow=f"{MLFLOW}/#/experiments?experimentSearchFilter={quote(results.params.study)}",
        source=paths.aggregated(results.params.study).as_posix(),
    )
    return text + "\n"


def _named(tables: Mapping[str, Table], start: str) -> list[Table]:
    return [table for name, table in tables.items() if name.startswith(start)]


def _rows(claims: Table | None, wanted: Callable[[str], bool]) -> Table | None:
    """The table of claims with some of its verdicts; None where there is no such claim."""
    rows = [row for row in claims.rows if wanted(row[1].text)] if claims else []
    return replace(claims, rows=rows) if claims and rows else None


def _drawn(figure: Figure) -> dict[str, Any]:
    """What the page shows of a figure."""
    return {
        "name": figure.name,
        "title": figure.title,
        "caption": figure.caption,
        "panels": [Markup(svg) for svg in page_panels(figure)],
        "marks": [(Markup(svg), words) for svg, words in page_keys(figure)],
    }


def numeric(table: Table) -> list[bool]:
    """Which columns hold numbers alone, and are set flush right."""
    columns = [[row[place].text for row in table.rows] for place in range(len(table.header))]
    filled = ([text for text in texts if text] for texts in columns)
    return [bool(texts) and all(_NUMBER.fullmatch(text) for text in texts) for texts in filled]


def breakable(name: str) -> Markup:
    """A name that may be broken after an underscore, where a phone has no room for it."""
    return Markup("_<wbr>").join(name.split("_"))


def prose(text: str) -> Markup:
    """A study's own words; what stands between backticks is code, as in its file."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def scaling_rows(results: Results) -> list[Row]:
    """Score by size; `series` names a line: target, language, task and method."""
    rows = [row for row in results.summary if row["method"] != "none" and row["size"]]
    return [_series(row) | {name: row[name] for name in SCALING} for row in rows]


def delta_rows(results: Results) -> list[Row]:
    """Difference to `none` by group."""
    rows = [row for row in results.summary if row["delta"] is not None]
    return [{name: row[name] for name in (*DELTAS, "p_holm")} for row in rows]


def _series(row: Row) -> Row:
    method, task, source, variant = series_of(row)
    parts = (row["target"], row["language"], task, source, method, variant)
    return {"series": " ".join(part for part in parts if part)}


def save(results: Results, folder: Path) -> None:
    """Write scaling.json and deltas.json."""
    write_json(folder / "scaling.json", scaling_rows(results))
    write_json(folder / "deltas.json", delta_rows(results))
