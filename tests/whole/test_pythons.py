"""Every Python that the kit supports makes the same bytes. `make pythontest` (10 minutes, 12 GB).

Not with the slow tests: each Python gets an environment of its own, `.venv-<version>`, which is
kept. Versions are looked for on PATH and among those of pyenv.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import projects
import pytest
import yaml
from projects import ROOT, run, stages_run

pytestmark = pytest.mark.pythons
VERSIONS = ("3.11", "3.12", "3.13")


def interpreter(version: str) -> str | None:
    """A Python of this version, or None."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = sorted(pyenv.glob(f"{version}.*/bin/python"))
    return str(found[-1]) if found else shutil.which(f"python{version}")


def environment(version: str, python: str) -> Path:
    """The programs of a Python with the locked packages, made once."""
    place = ROOT / f".venv-{version}"
    stamp = place / "installed"
    if not stamp.exists():
        subprocess.run([python, "-m", "venv", "--clear", place], check=True)
        pip = [place / "bin/pip", "install", "--quiet", "--no-deps"]
        locked = [*pip, "--require-hashes", "-r"]
        if subprocess.run([*locked, ROOT / "docker/torch-cpu.lock"], check=False).returncode:
            subprocess.run([*locked, ROOT / "docker/torch-cuda.lock"], check=True)
        subprocess.run([*locked, ROOT / "requirements.lock"], check=True)
        subprocess.run([*pip, "-e", ROOT], check=True)
        subprocess.run([place / "bin/pip", "check"], check=True)
        stamp.touch()
    return place / "bin"


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory, new_study: Callable[[], Any]) -> Path:
    """The small study under this Python."""
    folder = projects.make(tmp_path_factory.mktemp("known") / "project", new_study())
    run(folder, "dvc", "repro")
    return folder


@pytest.mark.parametrize("version", VERSIONS)
def test_the_small_study_has_the_same_lock(
    version: str, tmp_path: Path, known: Path, new_study: Callable[[], Any]
) -> None:
    """Compiled, hashed and run there; whatever a Python does otherwise must not reach a result."""
    python = interpreter(version)
    if python is None:
        pytest.skip(f"there is no Python {version} on PATH or among pyenv's versions")
    path = {"PATH": f"{environment(version, python)}:{os.environ['PATH']}"}
    folder = projects.make(tmp_path / "project", new_study())
    run(folder, "xstilts", "study", "use", "small", **path)
    run(folder, "xstilts", "repro", "--jobs", "2", **path)
    assert not stages_run(run(folder, "dvc", "repro", **path))
    locks = [yaml.safe_load((one / "dvc.lock").read_text()) for one in (folder, known)]
    assert locks[0] == locks[1]
