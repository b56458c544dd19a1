"""`xstilts submit --engine hq` on a HyperQueue server of its own ends as a sequential run."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import projects
import pytest

pytestmark = pytest.mark.slow

SERVER = """
import sys, time
from hyperqueue.cluster import LocalCluster, WorkerConfig
with LocalCluster(sys.argv[1], WorkerConfig(cores=2)):
    sys.stdin.read()
"""
RUN = "world_qa-qaa-10-s1"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Path]:
    """The folder of a server with a worker of two cores; it ends with this test's end of a pipe."""
    folder = tmp_path / "server"
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=projects.environment(XSTILTS_TRACKING="off"),
        cwd=folder,
    ) as process:
        while not (folder / "hq-current").exists():
            assert process.poll() is None
            time.sleep(0.1)
        yield folder
        process.communicate(timeout=30)


def test_hyperqueue_ends_with_the_same_lock(
    finished: Path, server: Path, tmp_path: Path, new_study: Callable[[], dict[str, Any]]
) -> None:
    """A cell fails on the way and holds up what reads from it; the rest is submitted again."""
    folder = projects.make(tmp_path / "project", new_study())
    shutil.copytree(projects.ROOT / "cluster", folder / "cluster")
    taken = folder / f"models/intermediate/small/.{RUN}.lock"
    taken.parent.mkdir(parents=True)
    submit = ("xstilts", "submit", "--engine", "hq")
    with taken.open("w") as handle:  # as if another process ran this cell
        fcntl.flock(handle, fcntl.LOCK_EX)
        projects.run(folder, *submit, HQ_SERVER_DIR=str(server))
        said = projects.run(folder, *submit, HQ_SERVER_DIR=str(server))
        assert "to submit 0, " in said
        found = until_recorded(folder, server)
    assert {one["name"] for one in found["cells"] if one["state"] != "done"} == {
        *(f"intermediate@small/{RUN}", f"transfer@small/{RUN}"),
        *("aggregate@small", "report@small"),
    }
    projects.run(folder, *submit, HQ_SERVER_DIR=str(server))
    assert until_recorded(folder, server)["counts"]["done"] == projects.STAGES - 1
    assert projects.entries(folder) == projects.entries(finished)
    assert not projects.stages_run(projects.run(folder, "dvc", "repro"))


def until_recorded(folder: Path, server: Path) -> dict[str, Any]:
    """The status of the last submission, when it is in dvc.lock."""
    for _ in range(240):
        said = projects.run(folder, "xstilts", "status", "--json", HQ_SERVER_DIR=str(server))
        found: dict[str, Any] = json.loads(said)
        if found["recorded"] and not found["counts"]["waiting"]:
            return found
        time.sleep(1)
    raise AssertionError(said)
