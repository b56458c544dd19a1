"""What a study is and what of it is done: `xstilts study use`, `study list` and `plan`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from xstilts import files, params, paths, stages
from xstilts.compiler import compile_study
from xstilts.errors import UserError
from xstilts.params import Params
from xstilts.study import read_study

HEAD = "# Compiled from {source} by `xstilts study use {name}`; edit that file, not this one.\n"


def compiled(name: str) -> str:
    """The text of params.yaml for a study."""
    source = paths.study_file(name)
    content = compile_study(read_study(name), source)
    body = yaml.dump(content, Dumper=_NoAliases, sort_keys=False, allow_unicode=True, width=100)
    return HEAD.format(source=source, name=name) + body


class _NoAliases(yaml.SafeDumper):
    """Repeats values instead of `*id001`: the file is read by people and by DVC's templates."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def use(name: str) -> None:
    """Compile a study into params.yaml, whole or not at all."""
    files.write_bytes(paths.PARAMS, compiled(name).encode())
    loaded = params.load()
    Console().print(
        f"params.yaml is now the study [bold]{name}[/]: {len(loaded.transfer)} runs, "
        f"{cells(loaded)} cells. Next: `xstilts plan`, then `dvc repro`.",
        highlight=False,
    )


def show_studies() -> None:
    """Names and titles of studies/, the one in use marked."""
    used = params.load().study if paths.PARAMS.exists() else None
    table = Table("", "study", "title", box=None)
    for path in sorted(paths.STUDIES.glob("*.yaml")):
        study = read_study(path.stem)
        table.add_row("*" if path.stem == used else "", path.stem, study.title)
    Console().print(table)


def cells(loaded: Params) -> int:
    """Scores to be made: runs x targets x languages."""
    return sum(
        len(loaded.targets[target].languages)
        for run in loaded.transfer.values()
        for target in run.targets
    )


def keys(loaded: Params, word: str) -> list[str]:
    """The runs of a stage."""
    if word in stages.SINGLE:
        return [loaded.study]
    return list(getattr(loaded, word))


def stage_name(loaded: Params, word: str, key: str) -> str:
    """A stage as DVC names it."""
    return word if word in stages.SINGLE else f"{word}@{key}"


def needs(loaded: Params, word: str, key: str) -> list[str]:
    """Stages, as DVC names them, whose outputs a stage reads directly."""
    made = {spec.out: f"prepare@{name}" for name, spec in loaded.prepare.items()}
    if word == "prepare":
        return [f"fetch@{Path(loaded.prepare[key].fetched).name}"]
    if word == "subsample":
        return [made[str(Path(loaded.subsample[key].rows).parent)]]
    if word == "pretrain":
        return [made[corpus.rows] for corpus in loaded.pretrain.corpora]
    if word == "intermediate":
        spec = loaded.intermediate[key]
        chosen = [made[str(Path(spec.validation).parent)]] if spec.validation else []
        return [f"subsample@{Path(spec.rows).parent.name}", "pretrain", *chosen]
    if word == "transfer":
        targets = [made[spec.out] for spec in loaded.prepare.values() if spec.role == "targets"]
        trained = [f"intermediate@{key}"] if key in loaded.intermediate else []
        return [*targets, *trained, "pretrain"]
    if word == "aggregate":
        return [f"transfer@{name}" for name in loaded.transfer]
    return ["aggregate"] if word == "report" else []


def to_run(loaded: Params, changed: set[str]) -> set[str]:
    """Stages that `dvc repro` would run: those changed, and all that read from them."""
    pending: set[str] = set()
    for word in stages.WORDS:  # in the order of the flow, so one pass is enough
        for key in keys(loaded, word):
            name = stage_name(loaded, word, key)
            if name in changed or pending & set(needs(loaded, word, key)):
                pending.add(name)
    return pending


def changed_stages() -> set[str]:
    """Stages that DVC finds changed or not yet run.

    Raises:
        UserError: DVC is not there or cannot read the project.
    """
    program = shutil.which("dvc", path=str(Path(sys.executable).parent)) or shutil.which("dvc")
    if program is None:
        raise UserError("dvc is not installed. Mend: `make install`, then `. .venv/bin/activate`")
    asked = subprocess.run(
        [program, "status", "--json"], capture_output=True, text=True, check=False
    )
    if asked.returncode != 0:
        lines = asked.stderr.strip().splitlines() or ["no message"]
        raise UserError(f"`dvc status` failed: {lines[-1]}. Mend: run it by hand to see more")
    return set(json.loads(asked.stdout))


def show_plan() -> None:
    """Print stages with counts, then the runs with their state."""
    loaded = params.load()
    pending = to_run(loaded, changed_stages())
    console = Console()
    report = loaded.report
    console.print(f"[bold]{loaded.study}[/]: {report.title}", highlight=False)
    console.print(f"source {report.source}; {_base(loaded)}", highlight=False)
    table = Table("stage", "all", "done", "would run", box=None, padding=(0, 2))
    for word in stages.WORDS:
        names = {stage_name(loaded, word, key) for key in keys(loaded, word)}
        todo = len(names & pending)
        table.add_row(word, str(len(names)), str(len(names) - todo), str(todo))
    console.print(table)
    console.print(_runs(loaded, pending))
    console.print(_targets(loaded))
    total, todo = cells(loaded), _cells_to_run(loaded, pending)
    console.print(
        f"{len(loaded.transfer)} runs, {total} cells (run x target x language): "
        f"{total - todo} done, {todo} to run with `dvc repro`.",
        highlight=False,
    )


def _base(loaded: Params) -> str:
    """One line on phase i."""
    spec = loaded.pretrain
    if spec.architecture is None:
        return f"model {spec.model} at {spec.revision}"
    shape = spec.architecture
    return f"model: XLM-R from scratch, {shape.layers} layers x {shape.hidden}"


def _runs(loaded: Params, pending: set[str]) -> Table:
    """A row per run: what it is and what of it is done."""
    table = Table(box=None, padding=(0, 2))
    table.add_column("run", no_wrap=True)  # ids are there to be copied
    for name in ("method", "rows", "seed", "intermediate", "transfer"):
        table.add_column(name)
    for run, spec in loaded.transfer.items():
        second = "-"
        if run in loaded.intermediate:
            second = "to run" if f"intermediate@{run}" in pending else "done"
        third = "to run" if f"transfer@{run}" in pending else "done"
        table.add_row(run, spec.method, str(spec.size), str(spec.seed), second, third)
    return table


def _targets(loaded: Params) -> Table:
    """A row per target: where it is trained and scored."""
    table = Table("target", "kind", "trained in", "scored in", "protocol", box=None, padding=(0, 2))
    for name, spec in loaded.targets.items():
        trained = spec.source_language if spec.training else "(not trained)"
        table.add_row(name, spec.kind, trained, " ".join(spec.languages), spec.protocol)
    return table


def _cells_to_run(loaded: Params, pending: set[str]) -> int:
    """Cells of the runs that are not done."""
    return sum(
        len(loaded.targets[target].languages)
        for run, spec in loaded.transfer.items()
        if f"transfer@{run}" in pending
        for target in spec.targets
    )
