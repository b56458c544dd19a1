"""`make` in a folder with a space in its name, as people's own folders have."""

import os
import shutil
import subprocess
from pathlib import Path

STUB = """#!/bin/sh
echo "$(basename "$0") $*" >>log
[ "$1 $2" != "-m venv" ] || for name in pip xstilts; do install -D "$0" "$3/bin/$name"; done
"""


def test_a_path_with_a_space_is_a_path(root: Path, tmp_path: Path) -> None:
    """Programs that only write down how they were called stand for Python and what it installs."""
    folder = tmp_path / "my own" / "repo"
    folder.mkdir(parents=True)
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(root / name, folder)
    python = tmp_path / "my own" / "python3"
    python.write_text(STUB)
    python.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    done = subprocess.run(
        ["make", "doctor", f"PYTHON={python}"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    called = [" ".join(line.split()[:2]) for line in (folder / "log").read_text().splitlines()]
    installs = ["pip install"] * 3
    assert called == ["python3 -c", "python3 -m", *installs, "xstilts doctor"]
