"""A whole small study through DVC, as a user runs it: twice, shared, and in two processes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

BIN = str(Path(sys.executable).parent)
MADE = ("data", "models", "results", "report", ".dvc/cache", ".dvc/tmp", "statistics")


def run(folder: Path, *command: str) -> str:
    """Run a command in a project; what it printed, or a failure that shows it."""
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    environment |= {"DVC_SITE_CACHE_DIR": str(folder / ".dvc/site-cache")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (command, done.stdout[-3000:], done.stderr[-3000:])
    return done.stdout + done.stderr


def stages_run(said: str) -> list[str]:
    """Stages that `dvc repro` says it ran."""
    return [line for line in said.splitlines() if line.startswith("Running stage")]


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory,
    root: Path,
    new_study: Callable[[], dict[str, Any]],
) -> Path:
    """A small study, run to its end and committed."""
    folder = tmp_path_factory.mktemp("whole")
    shutil.copy(root / "dvc.yaml", folder)
    (folder / "src").symlink_to(root / "src")
    (folder / "studies").mkdir()
    (folder / "studies/small.yaml").write_text(yaml.safe_dump(new_study()))
    shutil.copy(root / ".gitignore", folder)
    run(folder, "git", "init", "-q")
    run(folder, "dvc", "init", "-q")
    (folder / "machine.yaml").write_text("threads: 1\n")
    run(folder, "xstilts", "study", "use", "small")
    assert len(stages_run(run(folder, "dvc", "repro"))) == 14
    run(folder, "git", "add", "-A")
    author = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    run(folder, "git", *author, "commit", "-qm", "small study")
    return folder


@pytest.mark.slow
def test_a_second_repro_runs_nothing(finished: Path) -> None:
    """What is done stays done; a stage that touched its own inputs would run for ever."""
    said = run(finished, "dvc", "repro")
    assert stages_run(said) == []
    assert "0 to run" in run(finished, "xstilts", "plan")


@pytest.mark.slow
def test_a_remote_brings_a_clone_to_a_state_with_nothing_to_run(
    finished: Path, tmp_path: Path
) -> None:
    """What a reader of the paper does: clone, pull, look, and trust."""
    run(finished, "dvc", "remote", "add", "-f", "--local", "-d", "lab", str(tmp_path / "remote"))
    run(finished, "dvc", "push")
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "-q", str(finished), str(clone))
    run(clone, "dvc", "remote", "add", "--local", "-d", "lab", str(tmp_path / "remote"))
    run(clone, "dvc", "pull")
    assert stages_run(run(clone, "dvc", "repro")) == []
    assert (clone / "report/index.html").read_bytes() == (
        finished / "report/index.html"
    ).read_bytes()
    added = run(clone, "xstilts", "sync")
    assert "runs added: 14" in added
    assert "runs added: 0" in run(clone, "xstilts", "sync")


@pytest.mark.slow
def test_all_deleted_and_run_again_gives_the_same_lock(finished: Path) -> None:
    """The promise of the kit: equal inputs, equal bytes, of every output of every stage."""
    before = (finished / "dvc.lock").read_bytes()
    for name in MADE:
        shutil.rmtree(finished / name)
    (finished / "dvc.lock").unlink()
    assert len(stages_run(run(finished, "dvc", "repro"))) == 14
    assert (finished / "dvc.lock").read_bytes() == before


@pytest.mark.slow
def test_two_processes_run_the_stages_that_train(finished: Path, tmp_path: Path) -> None:
    """`processes: 2` through the command line: one set of outputs, close to that of one process."""
    folder = tmp_path / "two"
    shutil.copytree(finished, folder, symlinks=True)
    (folder / "machine.yaml").write_text("threads: 1\nprocesses: 2\nzero: 2\n")
    kept = (folder / "models/pretrain/small/tokenizer.json").read_bytes()
    for name in ("models", "results"):
        shutil.rmtree(folder / name)
    run(folder, "xstilts", "pretrain")
    run(folder, "xstilts", "intermediate", "world_qa-qaa-40-s1")
    run(folder, "xstilts", "transfer", "world_qa-qaa-40-s1")
    assert (folder / "models/pretrain/small/tokenizer.json").read_bytes() == kept
    from xstilts import scores

    name = "results/transfer/small/world_qa-qaa-40-s1/scores.json"
    one, two = (scores.from_json(place / name) for place in (finished, folder))
    assert [row.cell for row in one] == [row.cell for row in two]
    assert not list(folder.glob(".state/*"))
