"""`xstilts plan`: stages, runs, targets, costs, and what stands in the way of running them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from xstilts import tasks
from xstilts.benchmarks import seen
from xstilts.commands import graph, power
from xstilts.commands.estimate import CORE_FLOPS, FLOPS, Estimate, Rate
from xstilts.commands.obstacles import obstacles
from xstilts.commands.peaks import Peaks
from xstilts.commands.tables import plain
from xstilts.core import design, files, flow, paths
from xstilts.core.errors import UserError
from xstilts.core.params import Intermediate, Params
from xstilts.study import dvc_files

MANY = 40  # runs, from which a line each says less than a line a task
WIDTH = 100  # columns that the tables need
SHOWN = 12  # languages that are named; more are counted
DAYS = 7  # on a CPU; who would wait for longer has a GPU
CORES = f"assumed: {CORE_FLOPS:.2g} FLOP/s a core"


def show(
    loaded: Params,
    pending: set[str],
    flops: float | None = None,
    seed_sd: float | None = None,
) -> None:
    """Print the plan.

    Args:
        pending: stages, as DVC names them, that `dvc repro` would run.
        flops: sustained operations a second of one GPU, for the hours; None: see estimate.py.
        seed_sd: points between seeds, for the smallest gain; None: see power.py.
    """
    console = Console(highlight=False, width=max(Console().width, WIDTH))
    estimate = Estimate(loaded, flops)
    report = loaded.report
    console.print(f"[bold]{loaded.study}[/]: {escape(report.title)}", soft_wrap=True)
    console.print(f"source {report.source}; {_base(loaded)}", soft_wrap=True, markup=False)
    console.print(_stages(loaded, pending, estimate))
    many = len(loaded.transfer) > MANY
    console.print((_grouped if many else _runs)(loaded, pending, estimate))
    console.print(_targets(loaded, estimate))
    cells = graph.cells(loaded)
    waiting = [run for run in loaded.transfer if _waits(loaded, "transfer", run, pending)]
    todo = graph.cells(loaded, waiting)
    console.print(
        f"{len(loaded.transfer)} runs, {cells} cells (run x target x language): "
        f"{cells - todo} done, {todo} to run with `dvc repro`.",
        soft_wrap=True,
    )
    gains, rest = power.table(loaded, estimate, seed_sd)
    if gains is not None:
        console.print(gains)
    console.print(rest, soft_wrap=True, markup=False)
    for line in [*_costs(loaded, estimate), Peaks(loaded).line()]:
        console.print(line, soft_wrap=True)
    for line in [*seen.lines(loaded), *_obstacles(loaded)]:
        console.print(line, soft_wrap=True, markup=False)


def _waits(loaded: Params, word: str, run: str, pending: set[str]) -> bool:
    """Whether `dvc repro` would run a run's stage."""
    return graph.stage_name(loaded.study, word, run) in pending


def _base(loaded: Params) -> str:
    """One line on phase i."""
    spec = loaded.pretrain
    if spec.architecture is None:
        line = f"model {spec.model} at {spec.revision or 'no known commit'}"
        return f"{line}; {_kept(loaded)}" if spec.texts else line
    shape = spec.architecture
    return f"model: XLM-R from scratch, {shape.layers} layers x {shape.hidden}"


def _kept(loaded: Params) -> str:
    """What a study keeps of its model's vocabulary, in numbers once phase i has run."""
    path = paths.pretrained(loaded.study) / "record.json"
    found = files.read_json(path)["metrics"] if path.exists() else {}
    if "vocabulary.published" not in found:
        return "of its vocabulary, the pieces that the study's texts use (disk: as for the whole)"
    pieces, published = found["vocabulary"], found["vocabulary.published"]
    kept = f"{pieces:,.0f} of {published:,.0f} pieces and {found['parameters']:,.0f} weights"
    return f"{kept} are kept (disk: as for the whole)"


def _hours(hours: float) -> str:
    """Hours with as many digits as they deserve."""
    if hours == 0:
        return "-"
    if hours < 0.01:
        return "<0.01"
    return f"{hours:,.2f}" if hours < 10 else f"{hours:,.0f}"


def _count(rows: int | None) -> str:
    return "?" if rows is None else f"{rows:,}"


def _stages(loaded: Params, pending: set[str], estimate: Estimate) -> Table:
    """A row per stage: how often, what is done, what it costs."""
    table = plain("stage", "all", "done", "would run", "GPU hours")
    for word in flow.WORDS:
        keys = graph.keys(loaded, word)
        names = {graph.stage_name(loaded.study, word, key) for key in keys}
        todo = len(names & pending)
        hours = _hours(estimate.hours(word, keys)) if word in flow.TRAINED else "-"
        table.add_row(word, str(len(names)), str(len(names) - todo), str(todo), hours)
    return table


def _runs(loaded: Params, pending: set[str], estimate: Estimate) -> Table:
    """A row per run: what it is and what of it is done."""
    table = plain()
    table.add_column("run", no_wrap=True)  # ids are there to be copied
    for name in ("method", "rows", "seed", "hours", "intermediate", "transfer"):
        table.add_column(name)
    for run, spec in loaded.transfer.items():
        second, hours = "-", estimate.hours("transfer", [run])
        rows: int | None = 0
        if run in loaded.intermediate:
            second = "to run" if _waits(loaded, "intermediate", run, pending) else "done"
            rows = estimate.run_rows(run)
            hours += estimate.hours("intermediate", [run])
        third = "to run" if _waits(loaded, "transfer", run, pending) else "done"
        table.add_row(run, spec.method, _count(rows), str(spec.seed), _hours(hours), second, third)
    return table


def _grouped(loaded: Params, pending: set[str], estimate: Estimate) -> Table:
    """A row per task, method, language and variant; under each size its runs and what is left."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for run, spec in loaded.intermediate.items():
        key = (spec.task, spec.method, spec.language, spec.variant)
        groups.setdefault(key, []).append(run)
    sizes = _ordered(spec.size for spec in loaded.intermediate.values())
    table = plain()
    for name in ("task", "method", "in", "variant"):
        table.add_column(name, no_wrap=True)
    for name in (*map(_short, sizes), "rows", "hours"):
        table.add_column(name, justify="right")
    for group, runs in groups.items():
        specs = [loaded.intermediate[run] for run in runs]
        row = [_cell(loaded, runs, specs, size, pending) for size in sizes]
        most = [estimate.run_rows(run) for run in runs]
        rows = None if None in most else max(count for count in most if count is not None)
        hours = estimate.hours("intermediate", runs) + estimate.hours("transfer", runs)
        table.add_row(*group, *row, _count(rows), _hours(hours))
    bare: dict[str, list[str]] = {}
    for run, other in loaded.transfer.items():
        if run not in loaded.intermediate:
            bare.setdefault(other.variant, []).append(run)
    blank = [""] * len(sizes)
    for variant, runs in bare.items():
        about = ("none", f"{len(runs)} runs", "", variant)
        table.add_row(*about, *blank, "0", _hours(estimate.hours("transfer", runs)))
    table.caption = "Under a size: runs (seeds); a/b: a of b are left. rows: of the largest run."
    return table


def _short(size: int | str) -> str:
    """1000 -> 1K."""
    whole = isinstance(size, int) and size % 1000 == 0
    return f"{int(size) // 1000}K" if whole else str(size)


def _ordered(sizes: Iterable[int | str]) -> list[int | str]:
    """Each size once, the smallest first, `all` last."""
    return sorted(set(sizes), key=lambda size: (isinstance(size, str), size))


def _cell(
    loaded: Params,
    runs: list[str],
    specs: list[Intermediate],
    size: int | str,
    pending: set[str],
) -> str:
    """Runs of one size, and how many of them are left where some are done."""
    found = [run for run, spec in zip(runs, specs, strict=True) if spec.size == size]
    left = [
        run
        for run in found
        if any(_waits(loaded, word, run, pending) for word in ("intermediate", "transfer"))
    ]
    if not found:
        return ""
    return str(len(found)) if len(left) == len(found) else f"{len(left)}/{len(found)}"


def _targets(loaded: Params, estimate: Estimate) -> Table:
    """A row per target: where it is trained and scored."""
    names = ("target", "kind", "trained in", "scored in", "rows", "protocol")
    table = plain()
    for name in names:
        table.add_column(name, no_wrap=name != "scored in")
    for name, spec in loaded.targets.items():
        trained = spec.source_language if spec.training else "(not trained)"
        before = f" after {', '.join(one.task for one in spec.before)}" if spec.before else ""
        rows = _count(estimate.evaluated(spec))
        languages = _languages(spec.languages)
        table.add_row(name, spec.kind, trained + before, languages, rows, spec.protocol)
    table.caption = "\n".join(_releases(loaded))
    return table


def _languages(codes: list[str]) -> str:
    """Their codes, or where they are many, how many."""
    return f"{len(codes)} languages" if len(codes) > SHOWN else " ".join(codes)


def _releases(loaded: Params) -> Iterator[str]:
    """Which release the rows of a target are of, where its source has several."""
    for name, spec in loaded.targets.items():
        released = tasks.load(name).released(spec.languages)
        texts = [f"{release} in {_languages(listed)}" for release, listed in released.items()]
        if texts:
            yield f"{name}: {', '.join(texts)}."


def _costs(loaded: Params, estimate: Estimate) -> list[str]:
    """Hours and disk, with what they rest on."""
    if estimate.size is None:
        return [f"The size of {loaded.pretrain.model} is not known, so its hours are not, either."]
    used: dict[Rate, list[str]] = {}
    for word in flow.TRAINED:
        if estimate.hours(word, graph.keys(loaded, word)):
            used.setdefault(estimate.rate(word), []).append(word)
    total = sum(estimate.hours(word, graph.keys(loaded, word)) for word in flow.TRAINED)
    rates = ", ".join(
        f"{rate.flops:.2g} FLOP/s in {' and '.join(words)} ({rate.known})"
        for rate, words in used.items()
    )
    parts = estimate.disk()
    keeper = "DVC, as the study is large" if dvc_files.large(loaded) else "git"
    made = ", ".join(f"{name} {_bytes(count)}" for name, count in parts.items())
    unknown = f"; without {', '.join(estimate.uncounted())}, whose rows are not known yet"
    made += unknown if estimate.uncounted() else ""
    return [
        f"Estimated {_hours(total)} GPU hours, from 6 operations a token and weight in training, 2 "
        f"in scoring, mean tokens of an example by kind (kinds/spec.py), and {rates}."
        f"{_on_cores(estimate, used)}",
        f"Estimated disk {_bytes(sum(parts.values()))}: {made}. The scores, with what each example "
        f"adds to them, belong to {keeper}.",
    ]


def _on_cores(estimate: Estimate, used: Mapping[Rate, Sequence[str]]) -> str:
    """What a study takes on the CPU that is here, where that is days at most and none was timed."""
    cores = os.cpu_count() or 1
    hours = estimate.core_hours() / cores
    if hours > DAYS * 24 or any(rate.flops != FLOPS for rate in used):
        return ""
    return f" On the {cores} CPU cores of this machine {_hours(hours)} hours ({CORES})."


def _bytes(count: float) -> str:
    """Bytes in the unit that people read."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 1e3:,.1f} kB"


def _obstacles(loaded: Params) -> list[str]:
    """What cannot run here: one line each."""
    found = obstacles(loaded)
    if not found:
        return ["Every stage can start: all data is pinned or at hand."]
    head = f"Cannot run as it is ({len(found)}):"
    return [head, *(f"  {one.what}: {one.why}. Mend: {one.mend}" for one in found)]


def show_plan(flops: float | None = None, seed_sd: float | None = None) -> None:
    """Print stages with counts, runs with their state, costs, and what stands in the way.

    Args:
        flops: sustained operations a second of one GPU, for the hours.
        seed_sd: points between seeds, for the smallest gain.

    Raises:
        UserError: the study is not compiled; DVC is not there or cannot read the project; `flops`
            are none.
    """
    if flops is not None and not 0 < flops < math.inf:
        raise UserError(f"--flops {flops:g}: no rate of a GPU. Mend: give one above 0, as 1e14")
    loaded = design.load()
    show(loaded, graph.pending(loaded), flops, seed_sd)
