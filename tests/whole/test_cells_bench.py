"""bench/cells.py brings a generated study to its end, and bench/README.md shows what is kept."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import projects
import pytest


@pytest.fixture
def cells(root: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """bench/cells.py, which is no package's, with the scripts beside it."""
    monkeypatch.syspath_prepend(root / "bench")
    return projects.script(root / "bench/cells.py")


def test_growth_is_the_exponent_of_each_doubling(cells: ModuleType) -> None:
    """2 is quadratic; of two measurements of one command the less disturbed one counts."""
    cpu = {10: 1.0, 20: 4.0, 40: 8.0}
    lines = [cells.Line("x", size, 1, 1, 0.0, used, 1.0) for size, used in cpu.items()]
    lines.append(cells.Line("x", 20, 1, 1, 0.0, 9.0, 1.0))
    assert cells.growth(lines) == {("x", False): [2.0, 1.0]}


def test_the_page_shows_the_kept_results(cells: ModuleType, root: Path) -> None:
    """A number that is typed is one that nobody measured: `python bench/cells.py --readme`."""
    page = (root / "bench/README.md").read_text(encoding="utf-8")
    shown = cells.markdown(*cells.read(cells.RESULTS))
    assert cells.table.update(page, shown, cells.MARK) == page


@pytest.mark.slow
def test_the_bench_runs_in_small(root: Path, tmp_path: Path) -> None:
    """Each command ends, and all cells are recorded: an hour of measuring is not to end early."""
    out = tmp_path / "cells.jsonl"
    command = [sys.executable, str(root / "bench/cells.py"), "--cells", "50", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert {line["runs"] for line in lines} == {5}
    names = {line["command"] for line in lines}
    assert {"xstilts study use small", "xstilts submit", "xstilts record", "dvc status"} <= names
    assert all(line["cpu"] > 0 and line["peak_mb"] > 1 for line in lines)
