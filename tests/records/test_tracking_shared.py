"""One tracking server for several people: a real one on loopback, and clones that know it alone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow_store import finished

from xstilts.core import files
from xstilts.records import provenance, tracking, tracking_store

pytestmark = pytest.mark.slow
SEEDS = {1: 60.0, 2: 62.0}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address."""
    store = tmp_path_factory.mktemp("server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).parent / "mlflow"), "server", "--workers", "1"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{store}/mlflow.db"]
    command += ["--artifacts-destination", str(store / "artifacts")]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    process = subprocess.Popen(
        command,
        env=os.environ | quiet,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + 90
    while socket.socket().connect_ex(("127.0.0.1", port)) != 0:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def git(folder: Path, *words: str) -> str:
    """What git says."""
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)
    return done.stdout.decode().strip()


@pytest.fixture
def study(server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A study that no other test knows."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.delenv("XSTILTS_TRACKING", raising=False)
    monkeypatch.delenv("RANK", raising=False)
    return str(request.node.name)


@pytest.fixture
def clone(tmp_path: Path, study: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """clone(name): go to the repository, or a clone of it at a commit of its own."""

    def go(name: str) -> Path:
        folder, first = tmp_path / name, tmp_path / "ada"
        if not folder.exists():
            if name == "ada":
                folder.mkdir()
                git(folder, "init", "-q")
            else:
                git(tmp_path, "clone", "-q", str(first), str(folder))
            git(folder, "commit", "-q", "--allow-empty", "-m", name)
        monkeypatch.chdir(folder)
        return folder

    return go


def ran(study: str, shift: float = 0.0) -> None:
    """Seeds of a setting, and what joins and shows them, as finished stages of this clone."""
    for seed, value in SEEDS.items():
        key = f"mnli-en-10-s{seed}"
        record, folder = finished(key, seed, value + shift, study=study)
        provenance.write(study, "transfer", key, 1.7e9, 1.0, None, None, {}, code="")
    for stage, folder in (("aggregate", "results/aggregate"), ("report", "report")):
        made = record | {"stage": stage, "key": study, "params": {}, "metrics": {"mean": shift}}
        files.write_json(Path(folder) / study / "record.json", made)
        provenance.write(study, stage, study, 1.7e9, 1.0, None, None, {}, code="")
    verdict = "reproduced" if shift else "undecided"
    claims = {"helps": {"claim_sha256": "c", "verdict": verdict}}
    files.write_json(Path(f"report/{study}.claims.json"), {"claims": claims})


def seen(study: str) -> list[dict[str, Any]]:
    """All runs of a study on the server, as far as a person could mix them up."""
    client = tracking_store.open_store()
    place = client.get_experiment_by_name(study)
    assert place is not None
    found = client.search_runs([place.experiment_id], max_results=1000)
    return sorted(
        (
            {
                **{"id": run.info.run_id, "stage": run.data.tags["stage"]},
                **{"commit": run.data.tags.get("mlflow.source.git.commit")},
                **{"claim": run.data.tags.get("claim.helps")},
                **{"parent": run.data.tags.get("mlflow.parentRunId")},
                **{"score": run.data.metrics.get("average.zero_shot")},
            }
            for run in found
        ),
        key=lambda one: one["id"],
    )


def test_a_clone_of_the_same_results_adds_nothing(study: str, clone: Any) -> None:
    """Bob has pulled what Ada ran: her runs are his, as often as either of them syncs."""
    ada = clone("ada")
    ran(study)
    git(ada, "add", "-fA")
    git(ada, "commit", "-qm", "results")
    assert tracking.sync(study) == 4
    before = seen(study)
    clone("bob")
    assert tracking.sync(study) == 0
    clone("ada")
    assert tracking.sync(study) == 0
    assert seen(study) == before


def test_two_people_with_other_results_keep_each_others(study: str, clone: Any) -> None:
    """Runs, settings and verdicts stay with whose they are, whoever syncs last, and how often."""
    clone("ada")
    ran(study)
    assert tracking.sync(study) == 4
    hers = seen(study)
    clone("bob")
    ran(study, shift=10)
    assert tracking.sync(study) == 4
    both = seen(study)
    assert [one for one in both if one in hers] == hers
    for name in ("ada", "bob", "ada"):
        clone(name)
        assert tracking.sync(study) == 0
        assert seen(study) == both
    settings = {one["id"]: one["score"] for one in both if one["stage"] == "setting"}
    assert sorted(settings.values()) == [61.0, 71.0]
    for one in both:
        if one["stage"] == "transfer":
            assert abs(settings[one["parent"]] - one["score"]) == 1
        if one["stage"] == "report":
            mine = one["commit"] == provenance.git_state()["commit"]
            assert one["claim"] == ("undecided" if mine else "reproduced")


def test_the_same_result_at_another_commit_is_a_run_of_its_own(study: str, clone: Any) -> None:
    """A run is unique by its study, its record and its commit: who asks for a commit sees it."""
    commits = set()
    for name in ("ada", "bob"):
        clone(name)
        ran(study)
        assert tracking.sync(study) == 4
        commits.add(provenance.git_state()["commit"])
    transfers = [one for one in seen(study) if one["stage"] == "transfer"]
    assert {one["commit"] for one in transfers} == commits
    assert len(transfers) == 4
    assert len({one["parent"] for one in transfers}) == 1, "equal results are one row of means"
    for name in ("ada", "bob"):
        clone(name)
        assert tracking.sync(study) == 0


def test_a_setting_follows_its_own_clone_alone(study: str, clone: Any) -> None:
    """Bob adds a seed to what Ada ran: his mean stands beside hers until she has pulled it."""
    ada = clone("ada")
    ran(study)
    git(ada, "add", "-fA")
    git(ada, "commit", "-qm", "results")
    tracking.sync(study)
    bob = clone("bob")
    finished("mnli-en-10-s3", 3, 64.0, study=study)
    provenance.write(study, "transfer", "mnli-en-10-s3", 1.7e9, 1.0, None, None, {}, code="")
    git(bob, "add", "-fA")
    git(bob, "commit", "-qm", "another seed")
    assert tracking.sync(study) == 1
    means = [one["score"] for one in seen(study) if one["stage"] == "setting"]
    assert sorted(means) == [61.0, 62.0]
    git(clone("ada"), "pull", "-q", "--no-rebase", str(bob))
    assert tracking.sync(study) == 0
    (one,) = (one for one in seen(study) if one["stage"] == "setting")
    assert one["score"] == 62.0
    assert {run["parent"] for run in seen(study) if run["stage"] == "transfer"} == {one["id"]}


def test_clones_that_sync_at_once_agree_in_the_end(study: str, clone: Any) -> None:
    """Both have found nothing and written all: the next sync of either leaves one of each."""
    ada = clone("ada")
    ran(study)
    git(ada, "add", "-fA")
    git(ada, "commit", "-qm", "results")
    bob = clone("bob")
    code = f"from xstilts.records import tracking; print(tracking.sync({study!r}))"
    both = [subprocess.Popen([sys.executable, "-c", code], cwd=place) for place in (ada, bob)]
    assert [one.wait(120) for one in both] == [0, 0]
    assert tracking.sync(study) == 0
    stages = [one["stage"] for one in seen(study)]
    assert sorted(stages) == ["aggregate", "report", "setting", "transfer", "transfer"]


def test_a_live_run_says_who_ran_it(
    study: str, clone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tags.mlflow.user = 'ada'` finds a person's runs on a server; one's own file has none."""
    monkeypatch.setenv("LOGNAME", "ada")
    clone("ada")
    with tracking.track("transfer", "k", study, {}):
        pass
    client = tracking_store.open_store()
    place = client.get_experiment_by_name(study)
    assert place is not None
    (run,) = client.search_runs([place.experiment_id], "tags.`mlflow.user` = 'ada'")
    assert run.data.tags["run"] == "k"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with tracking.track("transfer", "k", study, {}):
        pass
    client = tracking_store.open_store()
    place = client.get_experiment_by_name(study)
    assert place is not None
    (run,) = client.search_runs([place.experiment_id])
    assert "mlflow.user" not in run.data.tags
