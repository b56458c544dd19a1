"""Whether another make of CPU, or another number of threads, gives the same bytes.

    python bench/other_cpu.py Haswell Skylake-Client EPYC      half an hour
    python bench/other_cpu.py --short Haswell EPYC             three minutes

Needs qemu-x86_64 (qemu-user). The study is the small one of the tests: all nine stages, with
dropout; QEMU starts every stage of the emulated runs, DVC itself is not emulated. The short form is
tests/training_bits.py: a few updates
under every kind of head. Kept results: bench/README.md.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import conftest
import projects
import yaml

PYTHON = Path(sys.executable)
UPDATES = Path(projects.__file__).with_name("training_bits.py")


def study(folder: Path, cpu: str, threads: int) -> dict[str, object]:
    """Stage -> its outputs' hashes; the study is run in `folder`. No `cpu` is the real one."""
    projects.make(folder, projects.crashing(conftest.small_study()), f"threads: {threads}\n")
    place = folder.parent / f"bin-{cpu}"
    if cpu:
        place.mkdir(exist_ok=True)
        program = place / "xstilts"
        program.write_text(f'#!/bin/sh\nexec qemu-x86_64 -cpu {cpu} {PYTHON} -m xstilts "$@"\n')
        program.chmod(0o755)
    path = f"{place}:{projects.environment()['PATH']}"
    projects.run(folder, "dvc", "repro", PATH=path)
    lock = yaml.safe_load((folder / "dvc.lock").read_text())
    return {name: stage["outs"] for name, stage in lock["stages"].items()}


def updates(_: Path, cpu: str, threads: int) -> dict[str, object]:
    """Kind of head -> hash of the weights after a few updates."""
    emulator = ["qemu-x86_64", "-cpu", cpu] if cpu else []
    command = [*emulator, str(PYTHON), str(UPDATES), str(threads)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=projects.environment(), check=False
    )
    if done.returncode:
        sys.exit(done.stderr)
    return dict(line.split() for line in done.stdout.splitlines())


def main() -> int:
    """Run, compare each with the first run's outputs, print a table; 1 where bytes differ."""
    if shutil.which("qemu-x86_64") is None:
        sys.exit("qemu-x86_64 is not installed. Mend: install your system's qemu-user package")
    short = "--short" in sys.argv
    way = updates if short else study
    cpus = [name for name in sys.argv[1:] if not name.startswith("--")]
    runs = [("", 2), ("", 1), *([] if short else [("", 3)]), *((name, 2) for name in cpus)]
    print("| CPU | threads | seconds | equal bytes | first that differs |")
    print("|---|---|---|---|---|", flush=True)
    here: dict[str, object] = {}
    differ = False

    def timed(run: tuple[str, int]) -> tuple[dict[str, object], float]:
        began = time.monotonic()
        return way(Path(place) / "-".join(map(str, run)), *run), time.monotonic() - began

    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(2 if short else 1) as pool:
        for (cpu, threads), (found, seconds) in zip(runs, pool.map(timed, runs), strict=True):
            here = here or found
            unlike = [name for name in here if found[name] != here[name]]
            differ |= bool(unlike)
            name = f"emulated {cpu}" if cpu else "this one"
            counts, first = f"{len(here) - len(unlike)} of {len(here)}", "".join(unlike[:1])
            print(f"| {name} | {threads} | {seconds:.0f} | {counts} | {first} |", flush=True)
    return int(differ)


if __name__ == "__main__":
    sys.exit(main())
