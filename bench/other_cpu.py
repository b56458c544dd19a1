"""Whether another make of CPU gives the same bytes: a small study, run here and on emulated CPUs.

    python bench/other_cpu.py Haswell EPYC         half an hour; needs qemu-x86_64 (qemu-user)

Every stage of the emulated runs is started by QEMU, DVC itself is not. The study is the small one
of the tests: all nine stages, with dropout, in two threads. Kept results: bench/README.md.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import conftest
import projects
import yaml

PYTHON = Path(sys.executable)


def run_study(folder: Path, cpu: str, portable: bool) -> float:
    """Run the small study in a folder of its own; seconds. No `cpu` is the real one."""
    study = projects.crashing(conftest.small_study())
    projects.make(folder, study, f"threads: 2\nportable: {str(portable).lower()}\n")
    place = folder.parent / f"bin-{cpu}"
    if cpu:
        place.mkdir(exist_ok=True)
        program = place / "xstilts"
        program.write_text(f'#!/bin/sh\nexec qemu-x86_64 -cpu {cpu} {PYTHON} -m xstilts "$@"\n')
        program.chmod(0o755)
    began = time.monotonic()
    path = f"{place}:{projects.environment()['PATH']}"
    projects.run(folder, "dvc", "repro", PATH=path, OMP_NUM_THREADS="2")
    return time.monotonic() - began


def stages(folder: Path) -> dict[str, object]:
    """Stage -> its outputs' hashes."""
    lock = yaml.safe_load((folder / "dvc.lock").read_text())
    return {name: stage["outs"] for name, stage in lock["stages"].items()}


def main() -> None:
    """Run, compare each with the real CPU's outputs, print a table."""
    if shutil.which("qemu-x86_64") is None:
        sys.exit("qemu-x86_64 is not installed. Mend: install your system's qemu-user package")
    print("| portable | CPU | seconds | stages with equal bytes | first that differs |")
    print("|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as place:
        for portable in (False, True):
            here: dict[str, object] = {}
            for cpu in ("", *sys.argv[1:]):
                folder = Path(place) / f"{cpu or 'real'}-{portable}"
                seconds = run_study(folder, cpu, portable)
                found = stages(folder)
                here = here or found
                unlike = [name for name in here if found[name] != here[name]]
                equal = f"{len(here) - len(unlike)} of {len(here)}"
                first = unlike[0] if unlike else ""
                name = f"emulated {cpu}" if cpu else "this one"
                print(f"| {portable} | {name} | {seconds:.0f} | {equal} | {first} |", flush=True)


if __name__ == "__main__":
    main()
