"""Runs in a real MLflow store (SQLite in a temporary folder), and what happens when it fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from xstilts.core import files, paths
from xstilts.core.errors import UserError
from xstilts.records import provenance, tracking, tracking_store

PARAMS = {"task": "mnli", "size": 1000, "seed": 1, "training": {"batch": 8}, "note": "x" * 7000}


def runs(root: Path) -> list[Any]:
    """All runs of stages of the study in the project's store, latest first."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{root}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("demo")
    found = client.search_runs([experiment.experiment_id]) if experiment else []
    return [run for run in found if run.data.tags["stage"] != "setting"]


def finished_stage(root: Path, key: str = "mnli-en-1000-s1") -> tuple[dict[str, Any], Path]:
    """A stage's output folder with a record, a table and weights."""
    folder = Path("results/transfer/demo") / key
    (root / folder).mkdir(parents=True)
    (root / folder / "scores.json").write_text("{}")
    (root / folder / "model.safetensors").write_bytes(b"weights")
    record: dict[str, Any] = {
        "stage": "transfer",
        "key": key,
        "study": "demo",
        "params": PARAMS,
        "inputs": {"data/x y*.parquet": "ab" * 32},
        "metrics": {"paraphrase.zero_shot": 61.5, "paraphrase.qab.accuracy": 63, "odd (name)": 1.0},
        "curves": {"loss": [[0, 2.0], [10, 1.0]], "lr": [[0, 0.1]]},
        "artifacts": ["scores.json", "model.safetensors"],
        "code": "cd" * 32,
    }
    files.write_json(root / folder / "record.json", record)
    return record, folder


def test_a_run_holds_what_the_stage_told(project: Path) -> None:
    """Params, live and recorded curves, metrics, tags and artifacts stand in the store."""
    record, folder = finished_stage(project)
    with tracking.track("transfer", record["key"], "demo", PARAMS) as tracker:
        for step in range(120):
            tracker.log(step, {"loss": 2.0 - step / 100})
        run_id = tracker.finish(record, folder)
    (run,) = runs(project)
    assert run.info.run_id == run_id
    assert run.info.experiment_id == tracker.experiment_id
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "transfer mnli-en-1000-s1"
    assert run.data.params["training.batch"] == "8"
    assert len(run.data.params["note"]) == 6000
    assert run.data.metrics["paraphrase.qab.accuracy"] == 63
    assert run.data.metrics["odd _name_"] == 1.0
    assert {"stage": "transfer", "task": "mnli", "size": "1000"}.items() <= run.data.tags.items()
    assert run.data.tags["input/data/x y_.parquet"] == "ab" * 32
    assert run.data.tags["sha256/model.safetensors"] == files.sha256_file(
        folder / "model.safetensors"
    )
    assert curve(project, run, "loss") == 120
    assert curve(project, run, "lr") == 1
    stored = {path.name for path in (project / "mlruns/artifacts").rglob("*") if path.is_file()}
    assert stored == {"record.json", "scores.json"}


@pytest.mark.parametrize("pulled", [True, False])
def test_a_clone_tells_of_a_run_what_it_has(project: Path, pulled: bool) -> None:
    """Records are in git; samples of predictions, and models, are where they were pulled."""
    record, folder = finished_stage(project)
    record["models"] = ["xnli"]
    if pulled:
        del record["models"]  # which tests/records/test_tracking_models.py has
        files.write_json(paths.predicted("demo", record["key"]) / "predictions-sample.json", [])
    with tracking.track("transfer", record["key"], "demo", PARAMS) as tracker:
        tracker.finish(record, folder)
    (run,) = runs(project)
    assert run.info.status == "FINISHED"
    stored = {path.name for path in (project / "mlruns/artifacts").rglob("*") if path.is_file()}
    sample = {"predictions-sample.json"} if pulled else set()
    assert stored == {"record.json", "scores.json"} | sample


def curve(root: Path, run: Any, name: str) -> int:
    """Number of points of a curve in the store."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{root}/mlruns/mlflow.db")
    return len(client.get_metric_history(run.info.run_id, name))


def test_failed_stage_is_failed_and_still_raises(project: Path) -> None:
    """A crash must not look finished, and the tracker must not swallow it."""

    def stage() -> None:
        with tracking.track("transfer", "k", "demo", {}) as tracker:
            tracker.log(1, {"loss": 1.0})
            raise UserError("no rows. Mend: fetch\nsecond line")

    with pytest.raises(UserError, match="no rows"):
        stage()
    (run,) = runs(project)
    assert run.info.status == "FAILED"
    assert run.data.tags["error"] == "UserError: no rows. Mend: fetch"
    assert run.data.metrics == {"loss": 1.0}, "points that still waited must be sent"


STAGE = """
import sys, time
from xstilts.records import tracking
with tracking.track("intermediate", "k", "demo", {}):
    try:
        print("open", flush=True)
        time.sleep(60)
    finally:
        print("cleaned", flush=True)
"""


@pytest.mark.parametrize(("number", "codes"), [(signal.SIGTERM, {143}), (signal.SIGINT, {130, -2})])
def test_stopped_stage_is_killed(project: Path, number: int, codes: set[int]) -> None:
    """SLURM and `docker stop` send SIGTERM: no eternal RUNNING, clean-up runs, true exit code."""
    source = str(Path(tracking.__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", STAGE],
        env=os.environ | {"PYTHONPATH": source},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert out == "cleaned\n"
    assert process.returncode in codes
    assert [run.info.status for run in runs(project)] == ["KILLED"]


def test_run_left_by_a_power_cut_is_closed(project: Path) -> None:
    """After `kill -9` nobody can close the run but the next one of the same stage and key."""
    dead = tracking.track("transfer", "k", "demo", {})
    dead.__enter__()
    with tracking.track("transfer", "k", "demo", {}):
        pass
    assert sorted(run.info.status for run in runs(project)) == ["FINISHED", "KILLED"]
    dead.__exit__(None, None, None)


@pytest.mark.parametrize("why", ["argument", "XSTILTS_TRACKING", "RANK"])
def test_null_tracker_leaves_no_trace(
    project: Path, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other ranks and untracked runs use the same calls; they must not touch the store."""
    if why != "argument":
        monkeypatch.setenv(why, {"RANK": "1"}.get(why, "off"))
    record, folder = finished_stage(project)
    with tracking.track("transfer", "k", "demo", {}, enabled=why != "argument") as tracker:
        tracker.log(1, {"loss": 1.0})
        assert tracker.finish(record, folder) is None
    assert runs(project) == []


def test_store_that_cannot_open_stops_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A broken database is one line on stderr, and the stage finishes."""
    (project / "mlruns/mlflow.db").write_bytes(b"this is no database" * 100)
    record, folder = finished_stage(project)
    with tracking.track("transfer", "k", "demo", {}) as tracker:
        tracker.log(1, {"loss": 1.0})
        assert tracker.finish(record, folder) is None
    assert capsys.readouterr().err.count("this stage is not in MLflow") == 1


def test_store_lost_on_the_way_stops_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The store dies after the run was opened: one warning; sync then makes the run whole."""
    record, folder = finished_stage(project)
    database = project / "mlruns/mlflow.db"
    with tracking.track("transfer", record["key"], "demo", PARAMS) as tracker:
        whole = database.read_bytes()
        database.write_bytes(b"no database any more" * 100)
        for step in range(200):
            tracker.log(step, {"loss": 1.0})
        assert tracker.finish(record, folder) is not None
        database.write_bytes(whole)
    assert capsys.readouterr().err.count("this stage is not in MLflow") == 1
    assert [run.info.status for run in runs(project)] == ["FAILED"], "half a run is not finished"
    assert tracking.sync("demo") == 1


def test_sync_rebuilds_the_store_once(project: Path) -> None:
    """After `git pull` and `dvc pull` the UI shows the study, with the times of the first run."""
    record, _ = finished_stage(project)
    provenance.write("demo", "transfer", record["key"], 1.7e9, 60.0, None, None, {}, code="")
    finished_stage(project, "other")
    assert tracking.sync("demo") == 2
    assert tracking.sync("demo") == 0, "a second sync must find every run"
    assert tracking.sync("another study") == 0
    run = next(run for run in runs(project) if run.data.tags["run"] == record["key"])
    assert (run.info.status, run.info.start_time) == ("FINISHED", int(1.7e12))
    assert run.info.end_time - run.info.start_time == 60_000
    assert run.data.metrics["paraphrase.zero_shot"] == 61.5
    assert curve(project, run, "loss") == 2


def test_sync_knows_a_live_run(project: Path) -> None:
    """A stage that was tracked while it ran must not appear twice."""
    record, folder = finished_stage(project)
    with tracking.track("transfer", record["key"], "demo", PARAMS) as tracker:
        tracker.finish(record, folder)
    assert tracking.sync("demo") == 0


def test_sync_failure_is_told(project: Path) -> None:
    """Unlike a stage, a user who asked for a sync must learn that it failed."""
    finished_stage(project)
    (project / "mlruns/mlflow.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(UserError, match="Mend"):
        tracking.sync("demo")


@pytest.mark.parametrize("there", [True, False])
def test_a_tag_that_another_process_sets_first_is_no_failure(there: bool) -> None:
    """Two stages of one kind end at once in a new store, and both tell it how to show them."""
    tags: dict[str, str] = {}

    def set_tag(number: str, name: str, value: str) -> None:
        tags.update({name: value} if there else {})
        raise OSError("UNIQUE constraint failed")

    experiment = SimpleNamespace(experiment_id="1", lifecycle_stage="active", tags=tags)
    client: Any = SimpleNamespace(
        get_experiment_by_name=lambda name: experiment,
        get_experiment=lambda number: experiment,
        set_experiment_tag=set_tag,
    )
    if there:
        tracking_store.show(client, "study", {"view": "x"})
    else:
        with pytest.raises(OSError, match="UNIQUE"):
            tracking_store.show(client, "study", {"view": "x"})
