"""bench/gpu.py measures all that it names, in small on the CPU."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_gpu_bench_runs_in_small(root: Path, tmp_path: Path) -> None:
    """A GPU is lent by the hour: what it is to do must have run before."""
    out = tmp_path / "gpu.jsonl"
    command = [sys.executable, str(root / "bench/gpu.py"), "--small", "--turns", "1"]
    done = subprocess.run(
        [*command, "--out", str(out)], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert [record["equal"] for record in records if "equal" in record] == [True, True]
    ways = {
        (record["what"], record["task"], record.get("way"))
        for record in records[1:]
        if "task" in record
    }
    for task in ("nli", "qa"):
        for what in ("train", "predict", "profile"):
            assert {(what, task, way) for way in ("kit", "trainer")} <= ways
    assert all(one["kernels_per_update"] > 0 for one in records if one["what"] == "profile")
    assert all(record["device"] and record["torch"] for record in records)
