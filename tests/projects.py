"""A small study in a folder of its own, and `dvc repro` in it as a process group of its own."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from xstilts.commands.graph import keys
from xstilts.core import determinism
from xstilts.core.flow import WORDS
from xstilts.core.params import Params
from xstilts.core.progress import Observe

ROOT = Path(__file__).parents[1]
BIN = str(Path(sys.executable).parent)
# States are saved as often as may be, so that kills meet half-written ones.
OFTEN = "threads: 1\nmicro_batch: 4\nsave_seconds: 0.01\nsave_share: 1\n"
STEPS = 60
STAGES = 16  # of the small study, `code` included
# Planted: none may be found in what a study leaves behind.
SECRETS = {
    name: f"planted-{number}-{name.lower().replace('_', '-')}"
    for number, name in enumerate(
        (
            *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HF_TOKEN"),
            *("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "WANDB_API_KEY"),
        )
    )
}


def script(path: Path) -> ModuleType:
    """A script of the repository that is no package's, as a module."""
    spec = importlib.util.spec_from_file_location(f"script_{path.stem}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def environment(**more: str) -> dict[str, str]:
    """What a stage needs, and nothing of this machine's user."""
    # Tests in this process have set what a stage sets for itself.
    kept = {k: v for k, v in os.environ.items() if k not in determinism.X86 | determinism.CUDA}
    kept |= {"PATH": f"{BIN}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    return kept | {"GIT_CONFIG_GLOBAL": os.devnull, "PYTHONUNBUFFERED": "1"} | more


def inside(folder: Path, **more: str) -> dict[str, str]:
    """`environment` for a project, whose DVC keeps its notes in the project."""
    return environment(**({"DVC_SITE_CACHE_DIR": str(folder / ".dvc/site-cache")} | more))


def run(folder: Path, *command: str, **more: str) -> str:
    """Run a command in a project; what it printed, or a failure that shows it."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=inside(folder, **more),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (command, done.stdout[-3000:], done.stderr[-3000:])
    return done.stdout + done.stderr


def start(folder: Path, *command: str) -> subprocess.Popen[str]:
    """A command of a project, not waited for."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=inside(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def make(folder: Path, study: dict[str, Any], machine: str = "threads: 1\n") -> Path:
    """A git and DVC project with one study, compiled, nothing run."""
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "dvc.yaml", folder)
    shutil.copy(ROOT / ".gitignore", folder)
    shutil.copy(ROOT / "references.yaml", folder)
    shutil.copy(ROOT / "claims.yaml", folder)
    (folder / "src").symlink_to(ROOT / "src")
    (folder / "studies").mkdir()
    (folder / "studies/small.yaml").write_text(yaml.safe_dump(study))
    run(folder, "git", "init", "-q")
    run(folder, "dvc", "init", "-q")
    for name in (".dvcignore", ".dvc/config"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "machine.yaml").write_text(machine)
    run(folder, "xstilts", "study", "use", "small")
    return folder


def run_stages(loaded: Params, words: Sequence[str] = WORDS) -> None:
    """Run every key of some stages in this process, in the order given."""
    for word in words:
        for key in keys(loaded, word):
            run_stage(loaded, word, key)


def run_stage(loaded: Params, word: str, key: str) -> None:
    """Run one stage in this process, without a lock or a tracker."""
    import_module(f"xstilts.stages.{word}").run(loaded, key, Observe(quiet=True))


def entries(folder: Path) -> dict[str, Any]:
    """dvc.lock without its order, which follows what ended first."""
    lock: dict[str, Any] = yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))
    return lock["stages"]


def stages_run(said: str) -> list[str]:
    """Stages that `dvc repro` says it ran."""
    return [line for line in said.splitlines() if line.startswith("Running stage")]


def commit(folder: Path, message: str) -> None:
    """Commit all that git does not ignore."""
    author = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    run(folder, "git", "add", "-A")
    run(folder, "git", *author, "commit", "-qm", message)


def crashing(study: dict[str, Any]) -> dict[str, Any]:
    """The small study with updates enough for a kill to fall between and inside them."""
    study["pretrain"]["scratch"]["training"]["steps"] = STEPS
    study["training"] = {"batch": 8, "steps": STEPS, "learning_rate": 1e-3, "max_length": 64}
    return study


class Repro:
    """One `dvc repro` with its children, all in a process group that can be killed at once."""

    def __init__(
        self, folder: Path, log: Path | None = None, given: Sequence[str] = (), **more: str
    ) -> None:
        self.log = log or folder / ".repro.log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                ["dvc", "repro", *given],
                cwd=folder,
                env=inside(folder, **more),
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        """All that it printed so far."""
        return self.log.read_text(errors="replace")

    def stage(self) -> str:
        """The stage that runs now, as DVC names it; '' before the first."""
        lines = [line for line in self.said().splitlines() if line.startswith("Running stage '")]
        return lines[-1].split("'")[1] if lines else ""

    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal to the whole group and wait until all of it is gone."""
        os.killpg(self.process.pid, number)
        self.process.wait()
        for _ in range(2000):
            try:
                os.killpg(self.process.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.01)
        raise AssertionError("a process of the group is still there")

    def finish(self, seconds: float = 600) -> str:
        """Wait for the end; what it printed, or a failure that shows it."""
        self.process.wait(seconds)
        assert self.process.returncode == 0, self.said()[-4000:]
        return self.said()
