"""Source, DVC remote, MLflow store, DVC's own cache and git, there and not there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from xstilts.commands.doctor import places
from xstilts.commands.doctor.finding import Finding, public
from xstilts.commands.obstacles import Obstacle
from xstilts.records import provenance

SECRET = "s3cr3t"


def test_no_study_in_use_is_told(only: Any) -> None:
    """The first thing after a clone of another's branch."""
    only(places.source(), "warning", "xstilts study use")


def test_a_hub_that_answers_anything_is_there(
    monkeypatch: pytest.MonkeyPatch, server: str, only: Any, study: Any
) -> None:
    """A mirror of the hub may forbid its front page."""
    study(fetch={"a": SimpleNamespace(source="hub")})
    monkeypatch.setattr(places, "obstacles", lambda _: [])
    monkeypatch.setenv("HF_ENDPOINT", server.replace("//", f"//me:{SECRET}@"))
    assert SECRET not in only(places.source(), "failed", "does not answer").text
    monkeypatch.setenv("HF_ENDPOINT", server)
    only(places.source(), "ok", "answers")


def test_a_hub_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, closed: int, only: Any, study: Any
) -> None:
    """No network, or a proxy that was not set; or offline by wish."""
    study(fetch={"a": SimpleNamespace(source="hub")})
    monkeypatch.setattr(places, "obstacles", lambda _: [])
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed}")
    only(places.source(), "failed", "does not answer", "mirror:<dir>")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    only(places.source(), "warning", "HF_HUB_OFFLINE")


def test_obstacles_of_the_plan_are_lines(monkeypatch: pytest.MonkeyPatch, study: Any) -> None:
    """A missing mirror stops a study; what the study itself leaves out does not."""
    study(fetch={"a": SimpleNamespace(source="mirror:/x")})
    found = [
        Obstacle("xnli", "there is no folder /x", "copy"),
        Obstacle("mlqa", "there is no folder /x", "copy"),
        Obstacle("ccg", "left out of the study: y", "z"),
    ]
    monkeypatch.setattr(places, "obstacles", lambda _: found)
    states = [(one.state, one.text.split(":")[0]) for one in places.source()]
    assert states == [("failed", "xnli, mlqa"), ("warning", "ccg")]
    monkeypatch.setattr(places, "obstacles", lambda _: found[2:])
    assert places.source()[-1].state == "ok"


@pytest.fixture
def dvc(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Finding]]:
    """dvc("s3://b", endpointurl="..."): the finding for a default remote; dvc(): for none."""

    def probe(url: str = "", **options: str) -> list[Finding]:
        lines = ["core.remote=store", f"remote.store.url={url}"] if url else []
        lines += [f"remote.store.{name}={value}" for name, value in options.items()]
        done = SimpleNamespace(returncode=0, stdout="\n".join(lines), stderr="")
        with monkeypatch.context() as patch:
            patch.setattr(places.subprocess, "run", lambda *a, **k: done)
            return places.remote()

    return probe


def test_remotes_that_are_there(dvc: Any, server: str, tmp_path: Path, only: Any) -> None:
    """A folder, S3 and HTTP that ask for credentials, SSH on a port of its own; or one unknown."""
    port = server.rpartition(":")[2]
    for url, options in (
        (str(tmp_path), {}),
        ("../", {}),
        ("s3://bucket/x", {"endpointurl": server}),
        (f"{server}/store", {}),
        (f"ssh://me@127.0.0.1:{port}/store", {}),
        ("ssh://127.0.0.1/store", {"port": port}),
        ("gs://bucket", {}),
    ):
        Path(".dvc").mkdir(exist_ok=True)
        only(dvc(url, **options), "ok", "store: ")


def test_remotes_that_are_not_there(dvc: Any, closed: int, only: Any) -> None:
    """Each says which, and none prints a password."""
    there = f"127.0.0.1:{closed}"
    for url, options in (
        (f"http://me:{SECRET}@{there}/x?key={SECRET}", {}),
        (f"ssh://me:{SECRET}@{there}/x", {}),
        ("s3://bucket", {"endpointurl": f"http://{there}", "secret_access_key": SECRET}),
    ):
        one = only(dvc(url, **options), "failed", "store: ", "dvc remote")
        assert SECRET not in f"{one.text} {one.mend}"
    only(dvc(), "warning", "outputs stay on this machine")
    only(dvc("/no/such/folder"), "warning", "no folder /no/such/folder", "dvc push")


def test_the_real_dvc_tells_its_default_remote(tmp_path: Path, only: Any) -> None:
    """What `dvc config --list` prints is not documented in detail."""
    program = Path(sys.executable).parent / "dvc"
    for command in (
        ["init", "-q", "--no-scm"],
        ["remote", "add", "-q", "-d", "mine", str(tmp_path)],
    ):
        subprocess.run([program, *command], check=True, capture_output=True)
    only(places.remote(), "ok", f"mine: {tmp_path}")


def test_mlflow_stores(
    monkeypatch: pytest.MonkeyPatch, server: str, closed: int, only: Any
) -> None:
    """A stage goes on without one, so a store that is not there is a warning."""
    only(places.store(), "ok", "mlruns/mlflow.db (made by the first run)")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    only(places.store(), "ok", "answers")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:{SECRET}@127.0.0.1:{closed}")
    assert SECRET not in only(places.store(), "warning", "xstilts track sync").text
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////no/such/mlflow.db")
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        only(places.store(), "warning", "/no/such/mlflow.db may not be written")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"postgresql://me:{SECRET}@host/db")
    assert SECRET not in only(places.store(), "ok", "not looked at").text
    monkeypatch.setenv("XSTILTS_TRACKING", "off")
    only(places.store(), "ok", "XSTILTS_TRACKING")


def test_dvcs_site_cache_must_be_private(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, only: Any
) -> None:
    """DVC unpickles what lies there (CVE-2025-69872)."""
    only(places.site_cache(), "warning", "DVC_SITE_CACHE_DIR is not set")
    place = tmp_path / "site"
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(place))
    only(places.site_cache(), "ok", "first use")
    place.mkdir(mode=0o755)
    only(places.site_cache(), "ok", "private")
    place.chmod(0o777)
    only(places.site_cache(), "failed", "may write there", "CVE-2025-69872")
    place.chmod(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    only(places.site_cache(), "failed", "others own")


@pytest.mark.parametrize(
    ("git", "state", "words"),
    [
        ({"commit": None, "dirty": None}, "warning", "XSTILTS_COMMIT"),
        ({"commit": "a" * 40, "dirty": None}, "ok", "by XSTILTS_COMMIT"),
        ({"commit": "a" * 40, "dirty": True}, "warning", "code or study differs"),
        ({"commit": "a" * 40, "dirty": False}, "ok", "commit aaaaaaaa"),
    ],
)
def test_a_run_should_have_a_commit(
    monkeypatch: pytest.MonkeyPatch, git: Any, state: str, words: str, only: Any
) -> None:
    """A result that no commit names cannot be run again."""
    monkeypatch.setattr(provenance, "git_state", lambda: git)
    only(places.repository(), state, words)


def test_urls_lose_what_may_be_secret() -> None:
    """Doctor's lines are pasted into public reports."""
    assert public(f"https://me:{SECRET}@host:1/a?b={SECRET}#c") == "https://host:1/a"
    assert public("../store") == "../store"
