"""What a study of 10,000 cells costs its user: each command's time and memory, and how they grow.

    python bench/cells.py                              1,250, 2,500, 5,000 and 10,000 cells
    python bench/cells.py --cells 1250 --flat          with all stages in one dvc.yaml, to compare
    python bench/cells.py --out FILE                   keep the lines; --show FILE: print the table
    python bench/cells.py --readme                     the table of the kept lines into README.md

Studies are generated (cells_study.py) in projects of their own and brought to their end by the
commands that a user gives, with stubs for SLURM's. A cell is a run x target x language, ten a run;
nothing is trained. Each command is a process, measured as the kernel accounts for it and for what
it starts: CPU seconds, the figure to compare where other work shares the cores, seconds of the
clock, and resident memory at its most. Growth is the base-2 logarithm of the ratio of CPU seconds
from one number of cells to its double: 1 is linear, 2 quadratic.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import cells_study
import projects
import table

HERE = Path(__file__).parent
STUDIES = (1250, 2500, 5000, 10_000)
RESULTS = HERE / "results/cells.jsonl"
MARK = "cells"  # of the table in bench/README.md
STUBS = HERE.parent / "tests/commands/submit/conftest.py"
# A process's memory at its most is never less than that of the one that started it: a small one.
ACCOUNT = """
import json, os, sys, time
began = time.monotonic()
child = os.fork()
if not child:
    os.execvp(sys.argv[2], sys.argv[2:])
_, status, used = os.wait4(child, 0)
told = time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
with open(sys.argv[1], "w") as out:
    json.dump(told, out)
sys.exit(os.waitstatus_to_exitcode(status))
"""
FLAT = """
import sys
from xstilts.study import dvc_files
dvc_files.LARGE = sys.maxsize
from xstilts.cli import main
main()
"""


@dataclass(frozen=True)
class Line:
    """One command on one study.

    Attributes:
        command: as a table names it.
        runs, stages: of the study, `code` among them.
        seconds: by the clock.
        cpu: seconds of all cores together.
        peak_mb: resident memory of the largest of its processes.
        flat: whether all stages were in one dvc.yaml.
    """

    command: str
    cells: int
    runs: int
    stages: int
    seconds: float
    cpu: float
    peak_mb: float
    flat: bool = False


class Project:
    """A project with a generated study, SLURM's stubs first on PATH, and the lines measured so far.

    Args:
        folder: made here.
        out: where lines are kept; None: nowhere.
    """

    def __init__(self, folder: Path, cells: int, flat: bool, out: Path | None) -> None:
        self.folder, self.cells, self.flat, self.out = folder, cells, flat, out
        self.common = table.machine()
        projects.make(folder, cells_study.study(cells))
        (folder / "cluster").symlink_to(HERE.parent / "cluster")
        self.runs = len(list((folder / "design/transfer/small").iterdir()))
        stubs, self.bin = projects.script(STUBS), folder.parent / "bin"
        self.bin.mkdir(exist_ok=True)
        for name, text in (("sbatch", stubs.SBATCH), ("squeue", stubs.SQUEUE)):
            (self.bin / name).write_text(f"#!{sys.executable} -I\n{text}")
            (self.bin / name).chmod(0o755)
        if flat:
            self.run(sys.executable, "-c", FLAT, "study", "use", "small")
        self.stages = (
            1
            + sum(
                len(list((folder / f"design/{word}/small").iterdir()))
                for word in ("fetch", "prepare", "subsample", "intermediate", "transfer")
            )
            + len(("check", "pretrain", "aggregate", "report"))
        )

    def run(self, *command: str) -> str:
        """A command that is not measured; what it printed."""
        return projects.run(self.folder, *command, PATH=self.path)

    @property
    def path(self) -> str:
        """PATH with the stubs."""
        return f"{self.bin}:{projects.environment()['PATH']}"

    def timed(self, *command: str, title: str = "") -> str:
        """Measure a command and keep its line; what it printed.

        Raises:
            RuntimeError: it failed.
        """
        log, used = self.folder.parent / "log", self.folder.parent / "used"
        with log.open("w") as told:
            process = subprocess.run(
                [sys.executable, "-SIc", ACCOUNT, str(used), *command],
                cwd=self.folder,
                env=projects.inside(self.folder, PATH=self.path),
                stdout=told,
                stderr=told,
                check=False,
            )
        if process.returncode:
            raise RuntimeError(f"{command} failed:\n{log.read_text()[-3000:]}")
        measured = json.loads(used.read_text())
        shape = (self.cells, self.runs, self.stages)
        name = title or " ".join(command)
        line = Line(name, *shape, *(round(value, 2) for value in measured), self.flat)
        took = f"{line.cpu:8.1f} s CPU {line.seconds:8.1f} s {line.peak_mb:6.0f} MB"
        print(f"{self.cells:6} {took}  {name}", flush=True)
        if self.out:
            with self.out.open("a", encoding="utf-8") as kept:
                kept.write(json.dumps(asdict(line) | {"machine": self.common}) + "\n")
        return log.read_text()

    def finished_jobs(self) -> None:
        """Run the submitted jobs, as bench/cells_study.py does; SLURM forgets them."""
        self.run(sys.executable, str(HERE / "cells_study.py"))
        (self.folder / "jobs").write_text("")

    def mark(self, *names: str) -> None:
        """Cells whose commands were given by hand, as their jobs would have marked them."""
        given = "import sys, cells_study; cells_study.mark_named(sys.argv[1:])"
        code = f"import sys; sys.path.insert(0, {str(HERE)!r}); {given}"
        self.run(sys.executable, "-c", code, *names)


def measure(project: Project) -> None:
    """A study from its file to its report, by the commands of its user."""
    project.timed("xstilts", "study", "use", "small")
    project.timed("xstilts", "plan")
    project.timed("xstilts", "submit")
    project.timed("xstilts", "status", title="xstilts status, all in the queue")
    project.finished_jobs()
    project.timed("xstilts", "status", title="xstilts status, all done")
    project.timed("xstilts", "track", "sync")
    project.timed("xstilts", "track", "sync", title="xstilts track sync, nothing new")
    project.timed("xstilts", "aggregate")
    project.timed("xstilts", "report")
    project.timed("xstilts", "scores")
    project.mark("aggregate@small", "report@small")
    recorded(project)


def recorded(project: Project) -> None:
    """All into dvc.lock; then what reads it."""
    said = project.timed("xstilts", "record")
    assert f"cells recorded in dvc.lock: {project.stages - 1}; " in said, said
    project.timed("dvc", "status")
    said = project.timed("dvc", "repro", title="dvc repro, nothing changed")
    assert not projects.stages_run(said)
    assert "to submit 0," in project.timed("xstilts", "submit", title="xstilts submit, all done")
    project.timed("xstilts", "plan", title="xstilts plan, all done")
    one_stage(project)


def one_stage(project: Project) -> None:
    """What DVC takes to run one stage; most of its own part is a lock that is read and written."""
    key = "world_qa-qaa-s1"
    grouped = f"pipelines/small/{key}/dvc.yaml"
    file = f"{grouped}:" if (project.folder / grouped).exists() else ""
    stage = f"{file}subsample@small/{key}"
    project.timed("xstilts", "subsample", f"small/{key}", title="xstilts subsample KEY")
    project.timed(
        "dvc", "repro", "-s", stage, title="dvc repro -s, that subsample, nothing changed"
    )
    project.timed("dvc", "repro", "-f", "-s", stage, title="dvc repro -s -f, that subsample")


def flat(project: Project) -> None:
    """The same records where DVC has all stages in one dvc.yaml and dvc.lock."""
    project.run("xstilts", "submit")
    project.finished_jobs()
    project.timed("xstilts", "record")
    project.timed("dvc", "status")
    one_stage(project)


def growth(lines: Sequence[Line]) -> dict[tuple[str, bool], list[float]]:
    """Command -> exponents of its CPU seconds, a doubling of cells each.

    Args:
        lines: of several numbers of cells; of a command that was measured twice there the least.
    """
    cpu: dict[tuple[str, bool], dict[int, float]] = {}
    for line in lines:
        known = cpu.setdefault((line.command, line.flat), {})
        known[line.cells] = min(line.cpu, known.get(line.cells, math.inf))
    return {
        key: [
            math.log2(some[more] / some[few]) / math.log2(more / few)
            for few, more in pairwise(sorted(some))
        ]
        for key, some in cpu.items()
    }


def name_of(command: str, flat: bool) -> str:
    """A command as a table has it: what is said of it stands behind a comma."""
    given, *said = command.split(", ")
    return ", ".join([f"`{given}`", *said, *["one dvc.yaml"] * flat])


def markdown(lines: Sequence[Line], told: dict[str, Any]) -> str:
    """CPU seconds of each command and number of cells, how they grow, and the most memory."""
    studies = {line.cells: line for line in sorted(lines, key=lambda line: line.cells)}
    head = [
        f"{one.cells:,} cells, {one.runs:,} runs, {one.stages:,} stages" for one in studies.values()
    ]
    rows = [("CPU seconds", *head, "growth", "by the clock at most", "peak MB")]
    rows.append(("---",) * len(rows[0]))
    for (command, flat), exponents in growth(lines).items():
        own = [one for one in lines if (one.command, one.flat) == (command, flat)]
        cpu = [
            min((one.cpu for one in own if one.cells == cells), default=None) for cells in studies
        ]
        grown = ", ".join(f"{one:.2f}" for one in exponents)
        slowest, peak = max(one.seconds for one in own), max(one.peak_mb for one in own)
        shown = ("" if one is None else f"{one:,.0f}" if one >= 10 else f"{one:.1f}" for one in cpu)
        rows.append((name_of(command, flat), *shown, grown, f"{slowest:,.0f}", f"{peak:,.0f}"))
    text = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    where = (
        f"{told['cores']} cores of {told['cpu']}, DVC {told['dvc']}, commit {told['commit'][:7]}"
    )
    return f"{text}\n\nMeasured on {where}.\n"


def read(path: Path) -> tuple[list[Line], dict[str, Any]]:
    """The lines of a file, and the machine of the first."""
    kept = [json.loads(one) for one in path.read_text(encoding="utf-8").splitlines()]
    machines = [one.pop("machine") for one in kept]
    return [Line(**one) for one in kept], machines[0]


def update_readme() -> None:
    """Write the table of the kept lines into bench/README.md."""
    page = HERE / "README.md"
    text = table.update(page.read_text(encoding="utf-8"), markdown(*read(RESULTS)), MARK)
    page.write_text(text, encoding="utf-8")


def main() -> None:
    """Measure in temporary folders, one study after another; or show what is kept."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=STUDIES)
    parser.add_argument("--flat", action="store_true", help="all stages in one dvc.yaml")
    parser.add_argument("--out", type=Path, help="add the lines to this file")
    parser.add_argument(
        "--show", type=Path, help="print the table of such a file, and measure nothing"
    )
    parser.add_argument("--readme", action="store_true", help="write the table of the kept lines")
    asked = parser.parse_args()
    if asked.readme:
        update_readme()
    elif asked.show:
        print(markdown(*read(asked.show)), end="")
    else:
        for cells in asked.cells:
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place).resolve() / "project"
                project = Project(folder, cells, asked.flat, asked.out and asked.out.absolute())
                (flat if asked.flat else measure)(project)


if __name__ == "__main__":
    main()
