"""The stages of a study as DVC sees them: which there are, what each reads, which would run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from xstilts.core import flow, paths
from xstilts.core.errors import UserError
from xstilts.core.params import Params

LOCK = Path("dvc.lock")


def cells(loaded: Params) -> int:
    """Scores to be made: runs x targets x languages."""
    return sum(
        len(loaded.targets[target].languages)
        for run in loaded.transfer.values()
        for target in run.targets
    )


def keys(loaded: Params, word: str) -> list[str]:
    """The runs of a stage."""
    if word in flow.SINGLE:
        return [loaded.study]
    return list(getattr(loaded, word))


def stage_name(loaded: Params, word: str, key: str) -> str:
    """A stage as DVC names it."""
    return word if word in flow.SINGLE else f"{word}@{key}"


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
    return [stage_name(loaded, word, key) for word in flow.WORDS for key in keys(loaded, word)]


def _subset(loaded: Params, rows: str) -> str:
    """The key of `subsample` whose file or folder a run reads."""
    path = Path(rows)
    return path.name if path.name in loaded.subsample else path.parent.name


def to_run(loaded: Params, changed: set[str]) -> set[str]:
    """Stages that `dvc repro` would run: those changed, and all that read from them."""
    pending: set[str] = set()
    for word in flow.WORDS:  # in the order of the flow, so one pass is enough
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


def status() -> dict[str, list[Any]]:
    """`dvc status`: stage -> what of it has changed."""
    program = shutil.which("dvc", path=str(Path(sys.executable).parent)) or shutil.which("dvc")
    if program is None:
        raise UserError("dvc is not installed. Mend: `make install`, then `. .venv/bin/activate`")
    asked = subprocess.run(
        [program, "status", "--json"], capture_output=True, text=True, check=False
    )
    if asked.returncode != 0:
        reason = (asked.stderr.strip().splitlines() or ["no message"])[0]
        raise UserError(f"`dvc status` failed: {reason}. Mend: run it by hand to see more")
    found: dict[str, list[Any]] = json.loads(asked.stdout)
    return found
