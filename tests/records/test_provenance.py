"""What provenance files may say and must not say, and how records become MLflow's plain values."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from xstilts.records import provenance, tracking_view


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project root as the working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_file_tells_time_machine_and_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reviewer finds when, how long and on what a stage ran under the one known path."""
    monkeypatch.setenv("XSTILTS_IMAGE_DIGEST", "sha256:abc")
    started = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    path = provenance.write(
        "demo",
        "transfer",
        "none-s1",
        started,
        1.5,
        "run1",
        "7",
        {"zero": 2},
        code="c0de",
        peak_bytes={"process": 7},
    )
    assert path == Path("provenance/demo/transfer/none-s1.json")
    found = json.loads(path.read_text())
    assert found["started"] == "2026-01-02T03:04:05.000+00:00"
    assert (found["seconds"], found["mlflow_run_id"]) == (1.5, "run1")
    assert found["peak_bytes"] == {"process": 7}
    assert found["code"] == "c0de", "no output tells it"
    assert found["mlflow_experiment_id"] == "7"
    assert (found["image"], found["machine"]) == ("sha256:abc", {"zero": 2})
    assert found["hardware"]["cpu"]
    assert found["hardware"]["cores"] >= 1
    assert found["software"]["packages"]["mlflow"]


def test_file_is_fit_to_publish(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of this kind are committed: no user, host, foreign path or secret may slip in."""
    monkeypatch.setenv("HF_TOKEN", "hf_leak")
    machine = {
        "micro_batch": 8,
        "hostname": "node7",
        "api_key": "leak",
        "cache": "/home/leak/cache",
        "launch": "--hostfile=/etc/leak",
        "nested": {"user": "leak", "workers": [1, "~/leak"]},
    }
    path = provenance.write("demo", "pretrain", "demo", 0.0, 1.0, None, None, machine, code="")
    text = path.read_text()
    assert not [word for word in ("leak", "node7", str(Path.cwd())) if word in text]
    assert json.loads(text)["machine"] == {"micro_batch": 8, "nested": {"workers": [1]}}


def test_git_state_sees_code_and_not_the_lock_file(project: Path) -> None:
    """`dvc repro` itself rewrites dvc.lock: only changed code may call a commit dirty."""

    def git(*words: str) -> None:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", *who, *words], check=True, capture_output=True)

    assert provenance.git_state() == {"commit": None, "dirty": None}
    git("init")
    (project / "src").mkdir()
    (project / "src/a.py").write_text("1")
    (project / "dvc.lock").write_text("1")
    git("add", ".")
    git("commit", "-m", "first")
    (project / "dvc.lock").write_text("2")
    clean = provenance.git_state()
    assert len(clean["commit"]) == 40
    assert clean["dirty"] is False
    (project / "src/b.py").write_text("untracked module")
    assert provenance.git_state()["dirty"] is True


def test_an_image_without_git_tells_its_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its Dockerfile hands it over; `unknown`, the build argument's default, is no commit."""
    for told, expected in (("a" * 40, "a" * 40), ("unknown", None), ("", None)):
        monkeypatch.setenv("XSTILTS_COMMIT", told)
        assert provenance.git_state() == {"commit": expected, "dirty": None}


def test_what_decides_bits_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two machines that differ in a last digit are told apart by this, and by nothing else."""
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    Path("machine.yaml").write_text("threads: 3\n")
    found = json.loads(
        provenance.write("demo", "fetch", "x", 0.0, 1.0, None, None, {}, code="").read_text()
    )
    assert found["bits"]["MKL_CBWR"] == "COMPATIBLE"
    assert found["bits"]["threads"] > 0


def test_records_of_every_stage_are_found() -> None:
    """The check's record is with the statistics, since its own output never changes."""
    for place, study in (("statistics/s/check", "s"), ("results/x", "s"), ("data/y", "other")):
        folder = Path(place)
        folder.mkdir(parents=True)
        (folder / "record.json").write_text(json.dumps({"study": study}))
    assert [str(folder) for folder, _ in tracking_view.records("s")] == [
        "statistics/s/check",
        "results/x",
    ]


def test_final_metric_wins_over_its_own_curve() -> None:
    """MLflow's table shows the highest step: a final value at step 0 would be hidden."""
    record = {"metrics": {"loss": 0.5, "f1": 80.0}, "curves": {"loss": [[0, 2.0], [9, 0.7]]}}
    points = tracking_view.points(record, without=set())
    assert points[-2:] == [("loss", 0.5, 9), ("f1", 80.0, 0)]
    assert tracking_view.points(record, without={("loss", 0), ("loss", 9)}) == points[-2:]


def test_run_key_changes_with_what_was_done() -> None:
    """`sync` must make a new run for another result, and none for the same work."""
    record = {"stage": "s", "key": "k", "params": {"a": 1}, "inputs": {"x": "1"}, "metrics": {}}
    others = [record, record | {"inputs": {}}, record | {"metrics": {"f1": 1.0}}, dict(record)]
    assert len({tracking_view.run_key(other) for other in others}) == 3


def test_params_are_flat_text() -> None:
    """MLflow's params are text; numbers and lists must be readable and searchable."""
    nested = {"training": {"batch": 8}, "langs": ["en"], "name": "x", "none": None, "empty": {}}
    assert tracking_view.flat(nested) == {
        "training.batch": "8",
        "langs": '["en"]',
        "name": "x",
        "none": "null",
        "empty": "{}",
    }


def test_view_puts_the_average_first() -> None:
    """The printed link must open on the best run and not on a metric of one language."""
    _, text = tracking_view.view("transfer", ["a.zero_shot", "a.qab", "average.zero_shot"])
    state = json.loads(text)
    assert state["orderByKey"] == "metrics.`average.zero_shot`"
    scores = ["metrics.`average.zero_shot`", "metrics.`a.zero_shot`"]
    assert state["selectedColumns"] == [*scores, "attributes.`Dataset`"]
