"""The page of where and when runs were made: `provenance/<study>/runs.html`, outside DVC and git.

The report must have equal bytes for equal work, so times, hosts and MLflow ids are not on it. This
page has them; `pipeline` calls `write(study)` after each stage. Any part may be missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from xstilts.core import flow, paths
from xstilts.core.files import write_bytes

MLFLOW = "http://127.0.0.1:5000"
LEFT_OUT = ("stage", "key", "study", "mlflow_run_id", "mlflow_experiment_id")
LONG = 90  # characters of a value that are shown; the whole is in its title
HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Runs of study {study}</title><style>{style}
td {{ white-space: normal; }} td, tbody th {{ vertical-align: top; }}
tr:target {{ background: var(--plate); }}
td ul {{ margin: 0; padding: 0; list-style: none; font-size: .84rem; color: var(--soft); }}
</style></head><body><header><p class="kicker">Study <code>{study}</code></p>
<h1>Where and when its runs were made</h1>
<p class="description">Read from the files beside this page. Links to MLflow work while
<code>mlflow ui</code> runs. The results are in <a href="{report}">the report</a>.</p></header>
"""


def runs_page_path(study: str) -> Path:
    """`provenance/<study>/runs.html`."""
    return paths.provenance(study, "x", "x").parent.parent / "runs.html"


def write(study: str) -> Path:
    """Write the page anew from the provenance files that there are; returns its path."""
    target = runs_page_path(study)
    style = (resources.files("xstilts.report") / "style.css").read_text(encoding="utf-8")
    back = "../" * (len(target.parts) - 1) + (paths.report(study) / "index.html").as_posix()
    parts = [HEAD.format(study=escape(study), style=style, report=back)]
    # `transfer` is what the report links to, so it comes first; sorting keeps the others in order.
    for stage in sorted(flow.WORDS, key=lambda word: word != "transfer"):
        found = _read(paths.provenance(study, stage, "x").parent)
        if found:
            parts.append(_section(stage, found))
    if len(parts) == 1:
        parts.append("<p>No stage of this study has run on this machine.</p>")
    write_bytes(target, ("\n".join(parts) + "\n</body></html>\n").encode())
    return target


def _read(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Readable provenance files of one stage: key -> content."""
    found: dict[str, Mapping[str, Any]] = {}
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            content = {"unreadable": str(path)}
        found[path.stem] = content if isinstance(content, dict) else {"unreadable": str(path)}
    return found


def _section(stage: str, found: Mapping[str, Mapping[str, Any]]) -> str:
    """One stage: a row per key."""
    rows = "\n".join(_row(stage, key, content) for key, content in found.items())
    return (
        f"<h2>{stage}</h2>\n<table><thead><tr><th>key</th><th>MLflow run</th><th>made</th></tr>"
        f"</thead><tbody>\n{rows}\n</tbody></table>"
    )


def _row(stage: str, key: str, content: Mapping[str, Any]) -> str:
    """Key, link to MLflow, and everything else that the file says."""
    anchor = key if stage == "transfer" else f"{stage}-{key}"
    run, experiment = content.get("mlflow_run_id"), content.get("mlflow_experiment_id")
    link = f"<code>{escape(str(run))}</code>" if run else "–"
    if run and experiment:  # files of version 0.1.0 do not say in which experiment the run is
        address = f"{MLFLOW}/#/experiments/{experiment}/runs/{run}"
        link = f'<a href="{escape(address)}">{link}</a>'
    facts = "".join(_fact(name, content[name]) for name in sorted(content) if name not in LEFT_OUT)
    return (
        f'<tr id="{escape(anchor)}"><th scope="row"><code>{escape(key)}</code></th>'
        f"<td>{link}</td><td><ul>{facts}</ul></td></tr>"
    )


def _fact(name: str, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    short = text if len(text) <= LONG else text[: LONG - 1] + "…"
    return f'<li title="{escape(text)}">{escape(name)}: {escape(short)}</li>'
