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

from xstilts import files, params, paths, pins, stages
from xstilts.compiler import compile_study
from xstilts.errors import UserError
from xstilts.params import Params
from xstilts.study import read_study

LOCK = Path("dvc.lock")
HEAD = "# Compiled from {source} by `xstilts study use {name}`; edit that file, not this one.\n"


def compiled(name: str) -> str:
    """The text of params.yaml for a study."""
    source = paths.study_file(name)
    content = compile_study(read_study(name), source, pins.load())
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
    if word == "check":
        return list(made.values())
    if word == "subsample":
        folder = str(Path(loaded.subsample[key].reads).parent)
        return [made[folder]] if folder in made else list(made.values())
    if word == "pretrain":
        return [made[corpus.rows] for corpus in loaded.pretrain.corpora]
    if word == "intermediate":
        spec = loaded.intermediate[key]
        folder = str(Path(spec.watch).parent)
        chosen = [made[folder]] if folder in made else []
        return [f"subsample@{_subset(loaded, spec.rows)}", "pretrain", "check", *chosen]
    if word == "transfer":
        targets = [made[spec.out] for spec in loaded.prepare.values() if spec.role == "targets"]
        trained = [f"intermediate@{key}"] if key in loaded.intermediate else []
        return [*targets, *trained, "pretrain", "check"]
    if word == "aggregate":
        return [f"transfer@{name}" for name in loaded.transfer]
    return ["aggregate", "check"] if word == "report" else []


def every_stage(loaded: Params) -> list[str]:
    """All stages, as DVC names them, in the order of the flow."""
    return [stage_name(loaded, word, key) for word in stages.WORDS for key in keys(loaded, word)]


def _subset(loaded: Params, rows: str) -> str:
    """The key of `subsample` whose file or folder a run reads."""
    path = Path(rows)
    return path.name if path.name in loaded.subsample else path.parent.name


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


def ever_run(study: str) -> bool:
    """Whether dvc.lock holds any stage of a study."""
    if not LOCK.exists():
        return False
    try:
        locked = yaml.load(LOCK.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) or {}
        found = [stage.get("params", {}) for stage in locked.get("stages", {}).values()]
    except (yaml.YAMLError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{LOCK} is no valid YAML ({reason}). Mend: take it from git") from error
    return any(one.get(str(paths.PARAMS), {}).get("study") == study for one in found)


def show_plan(flops: float | None = None) -> None:
    """Print stages with counts, runs with their state, costs, and what stands in the way.

    Args:
        flops: sustained operations a second of one GPU, for the hours.

    Raises:
        UserError: params.yaml or dvc.lock cannot be read; DVC is not there.
    """
    from xstilts import overview  # late: it reads this module

    loaded = params.load()
    # `dvc status` reads every stage, which takes long where there are hundreds of them to run
    changed = changed_stages() if ever_run(loaded.study) else set(every_stage(loaded))
    overview.show(loaded, to_run(loaded, changed), flops)
