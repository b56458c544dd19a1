"""The facts of a run for a terminal of any width, a file or a pipe: nothing is cut."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from xstilts.results.scores import ZERO_SHOT

WIDTH = 100  # columns of a file or pipe, unless COLUMNS says otherwise
SHORT = 12  # characters of a sha256 where the whole one does not fit
WHOLE = 130  # columns from which it does
LISTED = 12  # files of one stage, or metrics, that are named; `--json` has all
FILES = 30  # of the run's own
LABEL, SCORE = 11, 8  # columns of a row's name and of a score with the space beside it
DAGGER = "† all predictions are of one class: the run has collapsed there"
Json = dict[str, Any]


def console() -> Console:
    """One that fits the terminal; of a pipe 100 columns."""
    plain = Console(highlight=False)
    if not plain.is_terminal and "COLUMNS" not in os.environ:
        plain.width = WIDTH
    return plain


def show(found: Json, out: Console) -> None:
    """Print everything, a section each; empty sections are left out."""
    with trimmed(out):
        _sections(found, out)


@contextmanager
def trimmed(out: Console) -> Iterator[None]:
    """Print what the body prints without the spaces that rich fills lines up with."""
    with out.capture() as captured:
        yield
    for line in captured.get().splitlines():
        out.file.write(f"{line.rstrip()}\n")


def _sections(found: Json, out: Console) -> None:
    out.print(Text(found["run"], style="bold"))
    _section(out, "", [_pairs(found["setting"])])
    _section(out, "scores", list(_scores(found["scores"], out.width)))
    _section(out, "metrics", _metrics(found["metrics"]))
    _section(out, "curves", _curves(found["curves"]))
    _section(out, "inputs", _inputs(found["inputs"], out.width))
    _section(out, "files", _outputs(found["outputs"]))
    _section(out, "made", [_pairs(_origin(found, out.width))])


def _section(out: Console, title: str, parts: Sequence[RenderableType]) -> None:
    if not parts:
        return
    if title:
        out.print()
        out.print(Text(title, style="bold"))
    for part in parts:
        out.print(Padding(part, (0, 0, 0, 2)))


def _grid(*justify: str) -> Table:
    """A table without lines whose cells wrap and are never cut."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for way in justify:
        table.add_column(justify=way, overflow="fold")  # type: ignore[arg-type]
    return table


def _pairs(pairs: dict[str, str]) -> Table:
    """Name and text, a line each."""
    table = _grid("left", "left")
    for name, text in pairs.items():
        table.add_row(Text(name, style="dim"), Text(text))
    return table


def _scores(targets: Sequence[Json], width: int) -> Iterator[RenderableType]:
    """A table per target, in as many parts as its languages need."""
    label = max((len(name) for one in targets for name in one["other_metrics"]), default=0)
    label = max(label + 1, LABEL)
    fit = max(1, (width - 4 - label) // SCORE)  # zero-shot takes two columns more
    for number, one in enumerate(targets):
        where = one["trained_in"]
        trained = f"fine-tuned in {where}" if where else "not fine-tuned"
        about = f"  {one['metric']}, {trained}, {one['protocol']}; guessing {one['chance']:.1f}"
        yield Text("\n" * bool(number) + one["target"], style="bold").append(about, "not bold dim")
        columns = list(_columns(one))
        for start in range(0, len(columns), fit):
            yield _block(columns[start : start + fit], label)
    if any(cell["collapsed"] for one in targets for cell in one["languages"]):
        yield Text(f"\n{DAGGER}", style="dim")


def _columns(target: Json) -> Iterator[dict[str, str]]:
    """Row name -> text of each column: zero-shot first, then languages."""
    metric, others = target["metric"], target["other_metrics"]
    if target[ZERO_SHOT] is not None:
        yield _column(ZERO_SHOT, metric, target[ZERO_SHOT], "", target["expected"])
    for cell in target["languages"]:
        mark = "†" if cell["collapsed"] else ""
        more = {name: f"{values[cell['language']]:.1f}" for name, values in others.items()}
        yield _column(cell["language"], metric, cell["value"], mark, cell["expected"]) | more


def _column(
    head: str, metric: str, value: float, mark: str, expected: float | None
) -> dict[str, str]:
    counted = {} if expected is None else {"expected": f"{expected:.1f}"}
    return {"": head, metric: f"{value:.1f}{mark}", **counted}


def _block(columns: Sequence[dict[str, str]], label: int) -> Table:
    """Columns side by side."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True, min_width=label - 1)
    for _ in columns:
        table.add_column(justify="right", no_wrap=True, min_width=SCORE - 1)
    for name in dict.fromkeys(name for column in columns for name in column):
        style = "dim" if name in ("", "expected") else ""
        texts = [column.get(name, "") for column in columns]
        table.add_row(name, *texts, style=style)
    return table


def _metrics(metrics: dict[str, float]) -> list[RenderableType]:
    """What a stage without scores counted."""
    table = _grid("left", "right")
    for name, value in list(metrics.items())[:LISTED]:
        table.add_row(name, f"{value:,.0f}" if value == round(value) else f"{value:.6g}")
    if len(metrics) > LISTED:
        table.add_row(Text(f"and {len(metrics) - LISTED} more: --json", style="dim"))
    return [table] if metrics else []


def _curves(curves: dict[str, Json]) -> list[RenderableType]:
    """Where each curve began and ended."""
    table = _grid("left", "left")
    for name, curve in list(curves.items())[:LISTED]:
        (_, first), (step, last) = curve["from"], curve["to"]
        table.add_row(name, f"{first:.4g} to {last:.4g} in {step:,} updates")
    if len(curves) > LISTED:
        table.add_row(Text(f"and {len(curves) - LISTED} more: --json", style="dim"))
    return [table] if curves else []


def _inputs(inputs: Sequence[Json], width: int) -> list[RenderableType]:
    """Files by the stage that made them: sha256, name."""
    makers = list(dict.fromkeys(one["made_by"] for one in inputs))
    shown: list[RenderableType] = []
    for maker in makers[:LISTED]:
        some = [one for one in inputs if one["made_by"] == maker]
        folder = _folder([one["path"] for one in some])
        about = maker or "no stage: files of the repository"
        shown.append(Text(about).append(f"  {folder}", "dim"))
        table = _grid("left", "left", "left")
        for one in some[:LISTED]:
            gone = "" if one["here"] else Text("not here", style="yellow")
            sha = Text(_sha(one["sha256"], width), style="cyan")
            table.add_row(sha, Text(one["path"].removeprefix(folder)), gone)
        shown.append(Padding(table, (0, 0, 0, 2)))
        if len(some) > LISTED:
            shown.append(Text(f"  and {len(some) - LISTED} more: --json", style="dim"))
    if len(makers) > LISTED:
        shown.append(Text(f"and of {len(makers) - LISTED} more stages: --json", style="dim"))
    return shown


def _folder(names: Sequence[str]) -> str:
    """The folder that holds all of some files, with its slash; "" for the project's own."""
    shared = os.path.commonpath([Path(name).parent for name in names])
    return "" if shared in ("", ".") else f"{shared}/"


def _sha(sha: str, width: int) -> str:
    """The whole of a sha256 where there is room."""
    return sha if width >= WHOLE else sha[:SHORT]


def _outputs(outputs: Sequence[Json]) -> list[RenderableType]:
    """Files with their sizes, and what they hold together."""
    folder = _folder([one["path"] for one in outputs])
    table = _grid("right", "left")
    shown = outputs if len(outputs) <= FILES else outputs[: FILES - 1]
    for one in shown:
        table.add_row(size(one["bytes"]), Text(one["path"].removeprefix(folder)))
    if len(shown) < len(outputs):
        rest = sum(one["bytes"] for one in outputs[len(shown) :])
        more = f"in {len(outputs) - len(shown)} more: --json"
        table.add_row(size(rest), Text(more, style="dim"))
    total = size(sum(one["bytes"] for one in outputs))
    held = f"{total} in {_count(len(outputs), 'file', 'files')}"
    return [Text(folder), Padding(table, (0, 0, 0, 2)), Text(held, style="dim")]


def size(count: int) -> str:
    """Bytes in the unit that people read."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= step:
            return f"{count / step:,.1f} {unit}"
    return f"{count} B"


def _origin(found: Json, width: int) -> dict[str, str]:
    """When, where, how long and with what it ran."""
    origin, tracked = found["provenance"], {"MLflow": _tracked(found["mlflow"])}
    if origin is None:
        return {"": "when and where it ran is not known: its provenance is not here", **tracked}
    hardware, software, git = origin["hardware"], origin["software"], origin["git"]
    gpus = ", ".join(hardware["gpus"]) or "no GPU"
    processes = _count(software["processes"], "process", "processes")
    if (nodes := software.get("nodes", 1)) > 1:
        processes += f" on {nodes} nodes"
    threads = _count(software["threads"], "thread", "threads")
    versions = [f"{name} {told}" for name, told in software["packages"].items() if told]
    dirty = " and changes that are not committed" if git.get("dirty") else ""
    return {
        "when": f"{origin['started'][:19].replace('T', ' ')} UTC, {_time(origin['seconds'])}",
        "where": f"{hardware['cpu']}, {hardware['cores']} cores, {gpus}; {software['system']}",
        "as": f"{processes}, {threads}",
        "with": ", ".join([f"Python {software['python']}", *versions]),
        "image": origin.get("image") or "none",
        "commit": f"{git.get('commit') or 'not in git'}{dirty}",
        "code": f"sha256 {_sha(origin['code'], width)}",
        **tracked,
    }


def _tracked(mlflow: Json | None) -> str:
    if mlflow is None:
        return "not tracked; `xstilts track sync` makes its run"
    if mlflow["in_store"]:
        return f"run {mlflow['run_id']}; `xstilts ui` shows it"
    return f"run {mlflow['run_id']} when it ran; not in the store here (`xstilts track sync`)"


def _count(number: int | None, one: str, many: str) -> str:
    """2 threads; the number of threads may not be told."""
    if number is None:
        return f"{many} not told"
    return f"{number} {one if number == 1 else many}"


def _time(seconds: float) -> str:
    """9.2 s, 12 min 5 s, 3 h 20 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    return f"{hours} h {left} min" if hours else f"{minutes} min {rest} s"
