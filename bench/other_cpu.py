"""Whether another make of CPU, or another number of threads, gives the same bytes.

    python bench/other_cpu.py Haswell Skylake-Client EPYC      all stages of a small study
    python bench/other_cpu.py --short Haswell EPYC             three minutes

Needs qemu-x86_64 (qemu-user). The study is the small one of the tests, all nine stages in one
process (tests/study_bits.py); the short form is a few updates under every kind of head
(tests/training_bits.py). Kept results: bench/README.md.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import projects

TESTS = Path(projects.__file__).parent


def run(script: Path, cpu: str, threads: int) -> dict[str, str]:
    """Stage or kind of head -> hash of what it made. No `cpu` is the real one."""
    emulator = ["qemu-x86_64", "-cpu", cpu] if cpu else []
    command = [*emulator, sys.executable, str(script), str(threads)]
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
    script = TESTS / ("training_bits.py" if short else "study_bits.py")
    cpus = [name for name in sys.argv[1:] if not name.startswith("--")]
    runs = [("", 2), ("", 1), *([] if short else [("", 3)]), *((name, 2) for name in cpus)]
    print("| CPU | threads | seconds | equal bytes | first that differs |")
    print("|---|---|---|---|---|", flush=True)
    here: dict[str, str] = {}
    differ = False

    def timed(on: tuple[str, int]) -> tuple[dict[str, str], float]:
        began = time.monotonic()
        return run(script, *on), time.monotonic() - began

    with ThreadPoolExecutor(2) as pool:
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
