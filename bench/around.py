"""Lines of bench/speed.py around the training: starts, DVC, statistics, results on disk.

    python bench/around.py CELLS EXAMPLES TURNS     aggregate and report of a made-up study, as JSON

Each runs real commands in a small project of the control world (tests/projects.py), or the stages
on a made-up study (tests/fake_study.py).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import projects

HERE = Path(__file__).parent
Note = Callable[..., None]
PYTHON = sys.executable
BEFORE = ("fetch", "prepare", "check", "subsample", "pretrain")
RUN = """
import sys
sys.path.insert(0, {tests!r})
from xstilts.core import determinism, design, machine
determinism.prepare(machine.load_machine())
import projects
projects.run_stages(design.load(), {words!r})
"""
DIRECT = """
import sys, time
sys.path.insert(0, {tests!r})
import projects
from xstilts.core import design
loaded = design.load()
for _ in range(3):
    start = time.perf_counter()
    projects.run_stage(loaded, "subsample", {key!r})
    taken = time.perf_counter() - start
print(taken)
"""


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    turns: int
    cells: int  # of the made-up study that is aggregated
    examples: int  # of each cell
    seeds: int  # of the study that is planned; 0: the small one


FULL = Scale(turns=3, cells=2000, examples=200, seeds=2)
SMALL = Scale(turns=1, cells=100, examples=20, seeds=0)


@cache
def project(place: Path) -> Path:
    """The small study, run up to its base model."""
    import conftest

    folder = projects.make(place / "project", conftest.small_study(), "threads: 2\n")
    projects.run(folder, "xstilts", "code")
    projects.run(folder, PYTHON, "-c", RUN.format(tests=str(HERE.parent / "tests"), words=BEFORE))
    return folder


def until(folder: Path, command: Sequence[str], says: str) -> float:
    """Seconds from a process's start until it says so; it is left to end."""
    start, found = time.perf_counter(), 0.0
    running = projects.start(folder, *command)
    assert running.stdout
    said = ""
    for line in running.stdout:
        said += line
        if not found and re.search(says, line):
            found = time.perf_counter() - start
    if running.wait() or not found:
        raise RuntimeError(f"{command} ended without {says!r}:\n{said[-3000:]}")
    return found


def timed(folder: Path, *command: str) -> float:
    """Seconds of a whole process."""
    start = time.perf_counter()
    projects.run(folder, *command)
    return time.perf_counter() - start


def start(note: Note, scale: Scale, place: Path) -> None:
    """Process start to the first update, and to the help page."""
    folder = project(place)
    pairs = [("a b c", "d e f")] * 40
    (folder / "pairs.json").write_text(json.dumps(pairs))
    (run,) = (folder / "design/intermediate/small").glob("*-40-*.json")
    ways = {
        "kit": (["xstilts", "intermediate", f"small/{run.stem}"], r": 1/\d"),
        "trainer": (
            [PYTHON, str(HERE / "rivals.py"), "models/pretrain/small", "pairs.json"],
            "first",
        ),
    }
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(scale.turns):
        for way, (command, says) in ways.items():
            taken[way].append(until(folder, command, says))
    told: dict[str, Any] = {"more": False}
    title = "process start to the first update"
    note("start", title, "s", taken["kit"], "Trainer", taken["trainer"], **told)
    helped, bare = [], []
    for _ in range(scale.turns):
        helped.append(timed(folder, "xstilts", "--help"))
        bare.append(timed(folder, PYTHON, "-c", "import typer.rich_utils"))
    note("start", "xstilts --help", "s", helped, "python and typer", bare, **told)


def stage(note: Note, scale: Scale, place: Path) -> None:
    """A stage that does little, by DVC, by the command line, and as a function."""
    folder = project(place)
    key = next(iter(sorted((folder / "design/subsample/small").glob("*.json")))).stem
    direct = DIRECT.format(tests=str(HERE.parent / "tests"), key=key)
    taken: dict[str, list[float]] = {"dvc": [], "command": [], "function": []}
    for _ in range(scale.turns):
        dvc = ("dvc", "repro", "-q", "-f", "-s", f"subsample@small/{key}")
        taken["dvc"].append(timed(folder, *dvc))
        taken["command"].append(timed(folder, "xstilts", "subsample", f"small/{key}"))
        taken["function"].append(float(projects.run(folder, PYTHON, "-c", direct).split()[-1]))
    titles = {"dvc": "subsample by dvc repro", "command": "subsample by the command line"}
    for way, title in titles.items():
        told = {"more": False}
        note("stage", title, "s", taken[way], "the function", taken["function"], **told)


def statistics(note: Note, scale: Scale, place: Path) -> None:
    """`aggregate` and `report` of a study with many cells."""
    asked = [str(one) for one in (scale.cells, scale.examples, scale.turns)]
    command = [PYTHON, str(HERE / "around.py"), *asked]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    cells, told = f"{found['cells']:,} cells", {"more": False}
    note(
        "statistics", f"aggregate, {cells}", "s", found["aggregate"],
        "reading its inputs", found["read"], **told,
    )  # fmt: skip
    note("statistics", f"report, {cells}", "s", found["report"])


def plan(note: Note, scale: Scale, place: Path) -> None:
    """`xstilts plan` of a study of as many cells, nothing of which was run."""
    folder = project(place) if not scale.seeds else place / "planned"
    if scale.seeds:
        import dvc_cost

        projects.make(folder, dvc_cost.study(scale.seeds))
    ours, theirs, said = [], [], ""
    for _ in range(min(scale.turns, 2)):
        begun = time.perf_counter()
        said = projects.run(folder, "xstilts", "plan")
        ours.append(time.perf_counter() - begun)
        theirs.append(timed(folder, "dvc", "status"))
    cells = re.search(r"([\d,]+) cells", said)
    title = f"xstilts plan, {int(cells[1].replace(',', '')):,} cells" if cells else "xstilts plan"
    note("plan", title, "s", ours, "dvc status", theirs, more=False)


def result(note: Note, scale: Scale, place: Path) -> None:
    """What a transfer run leaves on the disk."""
    from harness import size

    folder = project(place)
    projects.run(folder, "xstilts", "transfer", "small/none-s1")
    folders = (folder / "results" / word / "small/none-s1" for word in ("transfer", "predictions"))
    kept = sum(map(size, folders)) / 1e6
    scores = json.loads((folder / "results/transfer/small/none-s1/scores.json").read_text())
    rows = len(scores["rows"])
    note("result", f"results of a transfer run, {rows} score rows", "MB", [kept])


LINES: dict[str, Callable[[Note, Scale, Path], None]] = {
    "start": start,
    "stage": stage,
    "statistics": statistics,
    "plan": plan,
    "result": result,
}


def aggregated(cells: int, examples: int, turns: int) -> dict[str, Any]:
    """Seconds of both stages on a made-up study in the working folder, and of bare reading."""
    import fake_study

    from xstilts.core.progress import Observe
    from xstilts.stages import aggregate, report

    runs = max(1, cells // 10 // 22)  # 22 runs a seed, two targets in five languages
    sizes = [1000 * 2**number for number in range(10)]
    study = fake_study.params({"facts": sizes, "order": sizes}, seeds=tuple(range(1, runs + 1)))
    fake_study.write(study, examples)
    quiet, found = Observe(quiet=True), {"read": [], "aggregate": [], "report": []}
    ways: dict[str, Callable[[], Any]] = {
        "read": read_all,
        "aggregate": lambda: aggregate.run(study, "fake", quiet),
        "report": lambda: report.run(study, "fake", quiet),
    }
    for turn in range(1 + turns):
        for way, work in ways.items():
            begun = time.perf_counter()
            work()
            if turn:
                found[way].append(time.perf_counter() - begun)
    return {**found, "cells": len(study.transfer) * 10}


def read_all() -> None:
    """Every file that `aggregate` reads, by the libraries alone."""
    import pyarrow.parquet as pq

    for folder in Path("results/transfer/fake").iterdir():
        json.loads((folder / "scores.json").read_text(encoding="utf-8"))
        pq.read_table(folder / "examples.parquet")


def main() -> None:
    """Aggregate in a folder that goes."""
    numbers = [int(one) for one in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as place:
        for name in ("references.yaml", "claims.yaml"):
            shutil.copy(projects.ROOT / name, place)
        os.chdir(place)
        print(json.dumps(aggregated(*numbers)))
        os.chdir(HERE)


if __name__ == "__main__":
    main()
