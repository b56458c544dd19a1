"""The page: one HTML file with its style and figures inside, readable without a network.

The stage `report` asks `build` for the figures that the study calls for, `render` for index.html,
and `save` for the points that `dvc plots` draws.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from urllib.parse import quote

import matplotlib
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from xstilts.core import paths
from xstilts.core.files import write_json
from xstilts.report.data import SETTING, Results, Row, series_of
from xstilts.report.figure_lines import line_figures, scaling_figure
from xstilts.report.figure_maps import gains, heat_map
from xstilts.report.figure_panels import curves
from xstilts.report.runs_page import MLFLOW, runs_page_path
from xstilts.report.style import STYLE, Figure, inline
from xstilts.report.table import Table
from xstilts.report.words import finding, notes, support

_NUMBER = re.compile(r"[+−–]?[\d.,]*[KM]?")
PER_FIGURE = 9  # panels, one for each target and series; more than these: an overview first
SCALING = ("target", "language", *SETTING, "size", "mean", "low", "high")
DELTAS = ("target", "language", "group", *SETTING, "size", "delta", "delta_low", "delta_high")


def render(
    results: Results, figures: Sequence[tuple[Figure, str]], tables: Mapping[str, Table]
) -> str:
    """The text of index.html; `figures` come with their SVG."""
    drawn = [
        {
            "name": figure.name,
            "title": figure.title,
            "caption": figure.caption,
            "svg": Markup(inline(svg, figure.name, f"Figure: {figure.title}")),
        }
        for figure, svg in figures
    ]
    here = resources.files("xstilts.report")
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.globals["numeric"] = numeric
    template = environment.from_string((here / "page.html.j2").read_text(encoding="utf-8"))
    study = results.params.study
    text = template.render(
        params=results.params,
        style=Markup((here / "style.css").read_text(encoding="utf-8")),
        runs=len(results.params.transfer),
        targets=results.targets,
        finding=finding(results),
        support=support(results),
        notes=notes(results),
        scaling=[one for one in drawn if str(one["name"]).startswith("scaling")],
        lines={str(d["name"]).removeprefix("lines-"): d for d in drawn if "lines-" in d["name"]},
        maps=[one for one in drawn if str(one["name"]).startswith("languages-")],
        published=[table for name, table in tables.items() if name.startswith("benchmark-")],
        tables=tables,
        provenance="../../" + runs_page_path(study).as_posix(),
        mlflow=f"{MLFLOW}/#/experiments?experimentSearchFilter={quote(study)}",
        source=paths.aggregated(study).as_posix(),
    )
    return text + "\n"


def numeric(table: Table) -> list[bool]:
    """Which columns hold numbers alone, and are set flush right."""
    columns = [[row[place].text for row in table.rows] for place in range(len(table.header))]
    filled = ([text for text in texts if text] for texts in columns)
    return [bool(texts) and all(_NUMBER.fullmatch(text) for text in texts) for texts in filled]


def build(results: Results) -> list[Figure]:
    """All figures of a study: scaling first, then a heat map per target."""
    with matplotlib.rc_context(STYLE):
        return [*_scaling(results), *(heat_map(results, target) for target in results.targets)]


def _scaling(results: Results) -> Iterator[Figure]:
    """A panel for each target and series where these are few; otherwise by kinds of data."""
    series = [one for one in results.series() if one[0] != "shuffled"]
    scaled = [one for one in series if len(results.sizes(one)) > 1]
    if not series:
        return
    if len(series) * len(results.targets) <= PER_FIGURE:
        yield scaling_figure(results, series)
    elif scaled:
        yield from curves(results, series)
        yield from line_figures(results, scaled)
    elif any(True for _ in results.comparisons()):
        yield gains(results)


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
