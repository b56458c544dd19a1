"""The page: one HTML file with its style and figures inside, readable without a network."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from xstilts import paths
from xstilts.report.drawing import Figure, inline
from xstilts.report.finding import finding, support
from xstilts.report.notes import notes
from xstilts.report.results import Results
from xstilts.report.runs_page import MLFLOW, runs_page_path
from xstilts.report.table import Table

_NUMBER = re.compile(r"[+−–]?[\d.,]*[KM]?")


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
        provenance="../" + runs_page_path(study).as_posix(),
        mlflow=f"{MLFLOW}/#/experiments?experimentSearchFilter={quote(study)}",
        source=paths.aggregated(study).as_posix(),
    )
    return text + "\n"


def numeric(table: Table) -> list[bool]:
    """Which columns hold numbers alone, and are set flush right."""
    columns = [[row[place].text for row in table.rows] for place in range(len(table.header))]
    filled = ([text for text in texts if text] for texts in columns)
    return [bool(texts) and all(_NUMBER.fullmatch(text) for text in texts) for texts in filled]
