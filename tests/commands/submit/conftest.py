"""SLURM's commands as scripts on PATH that keep a list of jobs in a file, and run none."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

# A line of `jobs` is what squeue would print of a job: name|number in its array|state|reason.
SBATCH = """
import pathlib, re, sys
if pathlib.Path("refused").exists() and pathlib.Path(sys.argv[-1]).name == "check.sbatch":
    sys.exit("sbatch: error: QOSMaxSubmitJobPerUserLimit")
text = pathlib.Path(sys.argv[-1]).read_text()
given = dict(re.findall(r"(?m)^#SBATCH --([a-z-]+)=(.*)$", text))
numbers = []
for part in given.get("array", "").partition("%")[0].split(","):
    first, _, last = part.partition("-")
    numbers += range(int(first), int(last or first) + 1) if part else ["N/A"]
with open("jobs", "a") as out:
    for number in numbers:
        out.write(f"{given['job-name']}|{number}|PENDING|Priority\\n")
with open("accepted", "a") as out:
    out.write(sys.argv[-1] + "\\n")
print(len(open("accepted").readlines()))
"""
SQUEUE = """
import pathlib, sys
names = next(one for one in sys.argv if one.startswith("--name="))[7:].split(",")
if pathlib.Path("down").exists():
    sys.exit("slurm_load_jobs error: Unable to contact slurm controller")
path = pathlib.Path("jobs")
for line in path.read_text().splitlines() if path.exists() else []:
    if line.split("|")[0] in names:
        print(line)
"""


@pytest.fixture
def slurm(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the stubs, first on PATH; the working folder gets cluster/."""
    folder = tmp_path / ".stubs"
    folder.mkdir()
    for name, text in (("sbatch", SBATCH), ("squeue", SQUEUE)):
        path = folder / name
        path.write_text(f"#!{sys.executable}\n{text}")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    shutil.copytree(root / "cluster", Path("cluster"))
    return folder


@pytest.fixture
def studied(project: Path, root: Path, slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small study in a DVC project, nothing run, with stubs for SLURM."""
    from dvc.repo import Repo

    for name in (".dvcignore", ".gitignore", "references.yaml", "claims.yaml"):
        shutil.copy(root / name, name)
    (project / "src").symlink_to(root / "src")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(project / ".dvc/site-cache"))
    Repo.init(no_scm=True)
