"""The page of where and when runs were made: `provenance/<study>/runs.html`, outside DVC and git.

The report must have equal bytes for equal work, so times, hosts and MLflow ids are not on it. This
page has them; `pipeline` calls `write(study)` after each stage that a study has one of: the last
one is `report`, which links here. Any part may be missing.
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
from xstilts.records import provenance

MLFLOW = "http://127.0.0.1:5000"
LEFT_OUT = ("stage", "key", "study", "mlflow_run_id", "mlflow_experiment_id")
LONG = 90  # characters of a value that are shown; the whole is in its title
HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Runs of study {study}</title><style>{style}
td, tbody th {{ vertical-align: top; }}
tr:target {{ background: var(--plate); }} main {{ margin-top: 2rem; }}
td ul {{ white-space: normal; min-width: 16rem; margin: 0; padding: 0; list-style: none; }}
td ul {{ font-size: .84rem; color: var(--soft); }}
</style></head><body><header><p class="kicker">Study <code>{study}</code></p>
<h1>Where and when its runs were made</h1>
<p class="description">Read from the files beside this page. Links to MLflow work while
<code>mlflow ui</code> runs. The results are in <a href="{report}">the report</a>.</p></header>
<main>
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
    stages = {word: _read(paths.provenance(study, word, "x").parent) for word in flow.WORDS}
    stages = {word: found for word, found in stages.items() if found}
    if stages:
        parts.append(_cost(stages))
    else:
        parts.append("<p>No stage of this study has run on this machine.</p>")
    # `transfer` is what the report links to, so it comes first; sorting keeps the others in order.
    for word in sorted(stages, key=lambda word: word != "transfer"):
        parts.append(_section(word, stages[word]))
    parts.append("</main>")
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


def _cost(stages: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """What the stages took, and on what; energy as far as the machines told it."""
    rows, whole, work, told = [], 0.0, 0.0, 0.0
    for word, found in stages.items():
        took = [_number(content.get("seconds")) for content in found.values()]
        processes = [provenance.workers(_part(content, "machine")) for content in found.values()]
        busy = sum(one * count for one, count in zip(took, processes, strict=True))
        joules = sum(
            _number(value)
            for content in found.values()
            for value in _part(content, "joules").values()
        )
        most = max((_peak(content) for content in found.values()), default=0.0)
        whole, work, told = whole + sum(took), work + busy, told + joules
        places = sorted({_hardware(_part(content, "hardware")) for content in found.values()})
        place = "; ".join(filter(None, places))
        rows.append(_cost_row(word, len(found), sum(took), busy, joules, most, place))
    runs = sum(map(len, stages.values()))
    rows.append(_cost_row("together", runs, whole, work, told, 0.0, ""))
    names = ("stage", "runs", "time", "processes × time", "energy", "peak memory", "on")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    return _table("Cost", head, "\n".join(rows))


def _cost_row(
    stage: str, runs: int, seconds: float, busy: float, joules: float, most: float, place: str
) -> str:
    energy = f"{joules / 3.6e6:.3g} kWh" if joules else "not told"
    memory = f"{most / 1e9:.3g} GB" if most else ""
    cells = (str(runs), _duration(seconds), _duration(busy), energy, memory, place)
    return (
        f'<tr><th scope="row">{stage}</th>'
        + "".join(f"<td>{escape(c)}</td>" for c in cells)
        + "</tr>"
    )


def _peak(content: Mapping[str, Any]) -> float:
    """The most memory that a process of a run had: of its GPU, where it had one."""
    told = _part(content, "peak_bytes")
    return _number(told.get("gpu")) or _number(told.get("process"))


def _number(value: Any, otherwise: float = 0.0) -> float:
    return float(value) if isinstance(value, int | float) else otherwise


def _part(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = content.get(name)
    return found if isinstance(found, dict) else {}


def _hardware(found: Mapping[str, Any]) -> str:
    """`2 × NVIDIA H100`, or the processor with its cores."""
    gpus = found.get("gpus") or []
    if gpus:
        return ", ".join(f"{gpus.count(name)} × {name}" for name in sorted(set(gpus)))
    return f"{found.get('cpu')}, {found.get('cores')} cores" if found.get("cpu") else ""


def _duration(seconds: float) -> str:
    """`9 s`, `2 min 5 s`, `3 h 20 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _table(title: str, head: str, rows: str) -> str:
    """A section with a table that can be scrolled, by keyboard too."""
    return (
        f'<section><h2>{title}</h2>\n<div class="scroll" tabindex="0" role="region"'
        f' aria-label="{title}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table></div></section>"
    )


def _section(stage: str, found: Mapping[str, Mapping[str, Any]]) -> str:
    """One stage: a row per key."""
    rows = "\n".join(_row(stage, key, content) for key, content in found.items())
    head = '<th scope="col">key</th><th scope="col">MLflow run</th><th scope="col">made</th>'
    return _table(stage, head, rows)


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
