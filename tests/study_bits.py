"""Hashes of what each stage of a small study makes: `python study_bits.py THREADS [DEVICE]`.

All nine stages, with dropout, in this process, without git, DVC and MLflow. Equal lines are equal
bits; bench/other_cpu.py runs it on emulated CPUs, and DEVICE `cuda` on a GPU.
"""

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    from xstilts.core import determinism
    from xstilts.core.machine import Machine

    determinism.prepare(Machine(threads=int(sys.argv[1])))
    sys.modules["mlflow"] = None  # type: ignore[assignment]  # only DeepSpeed asks for it

import conftest
import projects
import yaml

from xstilts.commands import use
from xstilts.core import design, paths
from xstilts.records import code


def made(folder: Path) -> str:
    """A hash of all files of a folder and their names."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(str(path.relative_to(folder)).encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def main() -> None:
    """Print a line a stage, as soon as it is done."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "project"
        (folder / "studies").mkdir(parents=True)
        (folder / "studies/small.yaml").write_text(yaml.safe_dump(conftest.small_study()))
        for name in ("dvc.yaml", "references.yaml", "claims.yaml"):
            shutil.copy(projects.ROOT / name, folder)
        device = sys.argv[2] if len(sys.argv) > 2 else "auto"
        (folder / "machine.yaml").write_text(f"threads: {sys.argv[1]}\ndevice: {device}\n")
        os.chdir(folder)
        with contextlib.redirect_stdout(sys.stderr):
            use.use("small")
        loaded = design.load()
        code.write()
        for word in projects.WORDS:
            for key in projects.keys(loaded, word):
                projects.run_stage(loaded, word, key)
                print(f"{word}@{key} {made(paths.output(loaded, word, key))}", flush=True)
        os.chdir("/")


if __name__ == "__main__":
    main()
