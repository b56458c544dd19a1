"""What an edit, or another study, makes DVC run again in a real workspace; and what links share."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from projects import ROOT, entries, run, stages_run

pytestmark = pytest.mark.slow
TRAINED = {
    "pretrain@small",
    *(f"intermediate@small/world_qa-qaa-{size}-s1" for size in (10, 40)),
    *(f"transfer@small/{name}-s1" for name in ("none", "world_qa-qaa-10", "world_qa-qaa-40")),
}
# These follow a change of what scores: the score rows name the code that made them.
TOLD = {"aggregate@small", "report@small"}


@pytest.fixture
def own(finished: Path, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """The finished project with a copy of the source that may be edited: (folder, environment)."""
    folder = tmp_path / "own"
    shutil.copytree(finished, folder, symlinks=True)
    (folder / "src").unlink()
    cached = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", folder / "src", ignore=cached)
    return folder, {"PYTHONPATH": str(folder / "src")}


def ran(folder: Path, **environment: str) -> set[str]:
    """Stages that `dvc repro` runs, as DVC names them."""
    return {line.split("'")[1] for line in stages_run(run(folder, "dvc", "repro", **environment))}


def edit(folder: Path, module: str, old: str, new: str) -> None:
    """Replace text of a module that is there."""
    path = folder / "src/xstilts" / module
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def outputs(folder: Path) -> dict[str, Any]:
    """Stage -> hashes of its outputs, as dvc.lock has them."""
    lock = entries(folder)
    return {name: entry["outs"] for name, entry in lock.items()}


def test_an_edit_reruns_what_it_changes_and_nothing_else(
    own: tuple[Path, dict[str, str]],
) -> None:
    """Weeks of training hang on it: comments, an error text, and a change of the loop."""
    folder, environment = own
    before = outputs(folder)
    run(folder, sys.executable, "-m", "compileall", "-q", "src/xstilts/core")  # no code of ours
    assert ran(folder, **environment) == set(), "a copy of the source is the same source"

    edit(folder, "training/loop.py", '"""', '"""Edited. ')
    edit(folder, "core/params.py", "class Training(", "# A comment.\nclass Training(")
    assert ran(folder, **environment) == {"code"}

    edit(folder, "rows/read.py", "comes twice.", "stands there twice.")
    prepared = {name for name in before if name.startswith("prepare@")}
    assert len(prepared) == 4
    assert ran(folder, **environment) == {"code"} | prepared

    edit(folder, "training/loop.py", "LOG_POINTS = 100", "LOG_POINTS = 50 * 2")
    assert ran(folder, **environment) == {"code"} | TRAINED | TOLD
    now = outputs(folder)
    changed = {name for name in before if now[name] != before[name]}
    assert changed <= {"code"} | TOLD, "equal work has equal bytes, whatever code did it"


def test_two_studies_share_a_workspace(
    finished: Path, tmp_path: Path, new_study: Callable[[], dict[str, Any]]
) -> None:
    """Back at the first one nothing runs, and no line of its lock is lost."""
    folder = tmp_path / "two"
    shutil.copytree(finished, folder, symlinks=True)
    first = entries(folder)
    other = new_study() | {"study": "other", "intermediate": []}
    (folder / "studies/other.yaml").write_text(yaml.safe_dump(other))
    run(folder, "xstilts", "study", "use", "other")
    assert "0 done" in run(folder, "xstilts", "plan")
    assert "pretrain@other" in ran(folder)
    assert (folder / "report/other/index.html").is_file()
    both = entries(folder)
    assert {name: both.get(name) for name in first} == first
    run(folder, "xstilts", "study", "use", "small")
    assert ran(folder) == set()
    assert "0 to run" in run(folder, "xstilts", "plan")
    assert entries(folder) == both
    run(folder, "xstilts", "study", "use", "other")
    assert ran(folder) == set()


def test_a_checkpoint_lies_on_disk_once_and_no_stage_writes_into_the_cache(
    finished: Path, tmp_path: Path
) -> None:
    """Hundreds of checkpoints would fill a disk twice; a write through a link would spoil both."""
    folder = tmp_path / "linked"
    shutil.copytree(finished, folder, symlinks=True)
    shutil.rmtree(folder / ".dvc/cache")
    run(folder, "dvc", "commit", "-f")
    weights = folder / "models/intermediate/small/world_qa-qaa-40-s1/model.safetensors"
    cached = [path for path in (folder / ".dvc/cache").rglob("*") if path.is_file()]
    if not any(os.path.samefile(path, weights) for path in cached):
        pytest.skip("the file system here makes no links that can be told from copies")
    before = {path: path.read_bytes() for path in cached}
    run(folder, "xstilts", "intermediate", "world_qa-qaa-40-s1")
    run(folder, "xstilts", "transfer", "world_qa-qaa-40-s1")
    run(folder, "xstilts", "aggregate")
    assert {path: path.read_bytes() for path in cached} == before
    assert ran(folder) == set()
