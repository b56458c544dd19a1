"""bench/speed.py measures all that it names, in small, and README.md shows what is kept."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import projects
import pytest

LINES = {"train", "peak", "predict", "engine", "bits", "memory", "disk", "tokens"}
AROUND = {"start", "stage", "statistics", "plan", "result"}


@pytest.fixture(scope="module")
def table(root: Path) -> ModuleType:
    """bench/table.py, which is no package's."""
    return projects.script(root / "bench/table.py")


def test_a_ratio_above_one_says_that_the_kit_is_better(table: ModuleType) -> None:
    """Turned round, the table would praise what is slow."""
    rate = table.Line("train", "t", "examples/s", [30.0, 20.0, 90.0], "Trainer", [10.0, 10.0, 30.0])
    assert rate.ratios == [3.0, 2.0, 3.0]
    assert rate.cells()[-2:] == ("3.00", "2.00 to 3.00")
    time = table.Line("start", "t", "s", [2.0], "Trainer", [6.0], more=False)
    assert time.ratios == [3.0]


def test_the_readme_shows_the_kept_results(table: ModuleType, root: Path) -> None:
    """A number that is typed is one that nobody measured: `python bench/speed.py --readme`."""
    page = (root / "README.md").read_text(encoding="utf-8")
    assert table.update(page, table.markdown(table.RESULTS)) == page


def test_what_is_kept_is_shown(table: ModuleType, tmp_path: Path) -> None:
    """Lines of one sort stand together, whichever encoder was measured first."""
    path, common = tmp_path / "speed.jsonl", table.machine()
    for shape in ("small", "real"):
        for name in ("train", "memory"):
            line = table.Line(name, name, "MB", [1.0], "Trainer", [2.0], shape, more=False)
            table.write(path, line, common)
    shown = table.markdown(path).splitlines()
    assert [row.split(" | ")[0] for row in shown[2:6]] == [
        *("| train, 4 x 256", "| train, 12 x 384"),
        *("| memory, 4 x 256", "| memory, 12 x 384"),
    ]
    assert common["commit"][:7] in shown[-1]
    assert common["cpu"] in shown[-1]


@pytest.mark.slow
def test_the_speed_bench_runs_in_small(root: Path, tmp_path: Path) -> None:
    """A quarter of an hour on a quiet machine is not to end in a traceback."""
    out = tmp_path / "speed.jsonl"
    command = [sys.executable, str(root / "bench/speed.py"), "--small", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert {record["line"] for record in records} == LINES | AROUND
    tasks = {record["title"] for record in records if record["line"] == "train"}
    assert len(tasks) == 5
    for record in records:
        assert all(value > 0 for value in [*record["kit"], *record["theirs"]]), record
        assert not record["rival"] or len(record["kit"]) == len(record["theirs"]), record
        assert record["machine"]["commit"]
        assert record["title"] in done.stdout
