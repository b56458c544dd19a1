"""`xstilts repro`: several stages at a time end as `dvc repro` does, whatever happens meanwhile."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import projects
import pytest
import yaml
from projects import entries, run, stages_run

pytestmark = pytest.mark.slow


def test_side_by_side_ends_with_the_same_lock(
    finished: Path, tmp_path: Path, new_study: Callable[[], dict[str, Any]]
) -> None:
    """Interrupted on the way, then gone on with; after it `dvc repro` has nothing to do."""
    folder = projects.make(tmp_path / "project", new_study())
    first = projects.start(folder, "xstilts", "repro", "--jobs", "2")
    while not (folder / "models/pretrain/small").exists() and first.poll() is None:
        time.sleep(0.1)
    first.send_signal(signal.SIGTERM)
    said, _ = first.communicate(timeout=60)
    assert first.returncode == 128 + signal.SIGTERM, said
    assert "fetch@small/world--nouns" in entries(folder), "what was done is recorded"
    run(folder, "xstilts", "repro", "--jobs", "2")
    assert entries(folder) == entries(finished)
    assert not stages_run(run(folder, "dvc", "repro"))
    assert "0 stages ran" in run(folder, "xstilts", "repro")


def test_a_stage_that_fails_is_shown_and_the_rest_is_recorded(
    tmp_path: Path, new_study: Callable[[], dict[str, Any]]
) -> None:
    """One line at the end, exit code 2; nothing that follows is begun."""
    folder = projects.make(tmp_path / "project", new_study())
    blocked = folder / "data/prepare/small/targets"
    blocked.parent.mkdir(parents=True)
    blocked.write_text("in the way")
    done = projects.start(folder, "xstilts", "repro", "--jobs", "2")
    said, _ = done.communicate(timeout=120)
    assert done.returncode == 2, said
    last = said.strip().splitlines()[-1]
    assert last.startswith("xstilts: prepare@small/")
    assert "Mend: see the lines above" in last
    assert "fetch@small/world--nouns" in entries(folder)
    blocked.unlink()
    run(folder, "xstilts", "repro", "--jobs", "2")
    assert os.path.exists(folder / "report/small/index.html")


def ran(said: str) -> set[str]:
    """The stages that `xstilts repro` says it ran."""
    return {line.rpartition(": ")[0] for line in said.splitlines() if line.endswith(" s")}


def test_a_clone_goes_on_with_what_git_holds(finished: Path, tmp_path: Path) -> None:
    """Without data, weights, or a remote: scores are not made again; what a new run reads is."""
    folder = tmp_path / "clone"
    run(tmp_path, "git", "clone", "-q", str(finished), str(folder))
    (folder / "machine.yaml").write_text("threads: 1\n")
    again = ("xstilts", "repro", "--jobs", "2", "--allow-missing")
    assert not ran(run(folder, *again))
    lock = yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))
    lost = ("transfer@small/world_qa-qaa-40-s1", "aggregate@small", "report@small")
    for name in lost:  # as a study is of which some runs are done
        del lock["stages"][name]
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock))
    said = run(folder, *again, "world_qa-qaa-40-s1")
    made = ran(said)
    assert {"pretrain@small", "intermediate@small/world_qa-qaa-40-s1", lost[0]} <= made
    assert not [name for name in made if name.startswith("transfer") and name != lost[0]]
    assert not {"intermediate@small/world_qa-qaa-10-s1", *lost[1:]} & made
    assert ran(run(folder, *again)) == set(lost[1:])
    assert entries(folder) == entries(finished)


def test_a_name_of_no_stage_is_refused(finished: Path) -> None:
    """Before anything runs, with the nearest."""
    done = projects.start(finished, "xstilts", "repro", "none-s9")
    said, _ = done.communicate(timeout=60)
    assert done.returncode == 2
    assert "has no run 'none-s9'. Mend: the nearest are none-s1" in " ".join(said.split())


def test_dvc_goes_on_after_a_failed_cell_with_k(
    tmp_path: Path, new_study: Callable[[], dict[str, Any]]
) -> None:
    """`dvc repro -k` runs what does not read from it; the next run does the rest alone."""
    folder = projects.make(tmp_path / "project", new_study())
    run_id = "world_qa-qaa-10-s1"
    taken = folder / f"models/intermediate/small/.{run_id}.lock"
    taken.parent.mkdir(parents=True)
    with taken.open("w") as handle:  # as if another process ran this cell
        fcntl.flock(handle, fcntl.LOCK_EX)
        first = projects.start(folder, "dvc", "repro", "-k")
        said, _ = first.communicate(timeout=300)
    assert first.returncode, said
    done = entries(folder)
    assert "transfer@small/world_qa-qaa-40-s1" in done
    assert f"transfer@small/{run_id}" not in done
    again = stages_run(run(folder, "dvc", "repro"))
    assert [line.split("'")[1] for line in again] == [
        *(f"intermediate@small/{run_id}", f"transfer@small/{run_id}"),
        *("aggregate@small", "report@small"),
    ]
