"""A finished study shared by SSH, S3 and HTTP: a clone pulls it, runs nothing, and has all of it.

The servers are real and on loopback: OpenSSH's sshd, an S3-compatible server, a static web server.
"""

import functools
import getpass
import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import servers
from projects import SECRETS, run, stages_run

pytestmark = pytest.mark.slow


def clone_of(project: Path, folder: Path) -> Path:
    """A fresh clone, with nothing that git does not hold."""
    run(folder, "git", "clone", "-q", str(project), "clone")
    return folder / "clone"


def pulled_runs_nothing(project: Path, clone: Path, **environment: str) -> None:
    """What a reader of the paper does: pull, look, and trust."""
    print(run(clone, "dvc", "pull", **environment).splitlines()[-1])
    assert stages_run(run(clone, "dvc", "repro", **environment)) == []
    for name in ("report/small/index.html", "results/aggregate/small/scores.parquet"):
        assert (clone / name).read_bytes() == (project / name).read_bytes()


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A real sshd on loopback that takes one key: (port, key file)."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if program is None or shutil.which("ssh-keygen") is None:
        pytest.skip("there is no OpenSSH server here (Debian: apt-get install openssh-server)")
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(command, check=True)
    port = servers.free_port()
    settings = tmp_path / "sshd_config"
    settings.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nPidFile none\n"
        f"AuthorizedKeysFile {tmp_path}/user.pub\nStrictModes no\nPasswordAuthentication no\n"
        "UsePAM no\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n"
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen(
        [program, "-D", "-e", "-f", str(settings)], stderr=(tmp_path / "sshd.log").open("wb")
    )
    try:
        servers.wait_for(port)
        yield port, tmp_path / "user"
    finally:
        server.terminate()
        server.wait()


def add_remote(project: Path, url: str, **options: str) -> None:
    """The default remote, in .dvc/config.local, which git ignores."""
    run(project, "dvc", "remote", "add", "-f", "--local", "-d", "lab", url)
    for name, value in options.items():
        run(project, "dvc", "remote", "modify", "--local", "lab", name, value)


def test_ssh(finished: Path, sshd: tuple[int, Path], tmp_path: Path) -> None:
    """A lab's own server."""
    port, key = sshd
    url = f"ssh://{getpass.getuser()}@127.0.0.1:{port}{tmp_path}/store"
    options = {"keyfile": str(key), "allow_agent": "false"}
    add_remote(finished, url, **options)
    print(run(finished, "dvc", "push").splitlines()[-1])
    clone = clone_of(finished, tmp_path)
    add_remote(clone, url, **options)
    pulled_runs_nothing(finished, clone)


@pytest.fixture
def s3() -> Iterator[str]:
    """An S3-compatible server on loopback with a bucket: its address."""
    keys = SECRETS["AWS_ACCESS_KEY_ID"], SECRETS["AWS_SECRET_ACCESS_KEY"]
    with servers.s3(*keys, buckets=["lab"]) as port:
        yield f"http://127.0.0.1:{port}"


def test_s3(finished: Path, s3: str, tmp_path: Path) -> None:
    """An object store; its keys come from the environment alone."""
    # Newer clients send checksums that some S3-compatible stores refuse.
    rules = {"AWS_REQUEST_CHECKSUM_CALCULATION": "when_required"}
    environment = {**SECRETS, **rules, "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required"}
    add_remote(finished, "s3://lab/study", endpointurl=s3)
    print(run(finished, "dvc", "push", "--run-cache", **environment).splitlines()[-1])
    clone = clone_of(finished, tmp_path)
    add_remote(clone, "s3://lab/study", endpointurl=s3)
    pulled_runs_nothing(finished, clone, **environment)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A static web server: (address, the folder that it shows)."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    folder = tmp_path / "public"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()


def test_http(finished: Path, web: tuple[str, Path], tmp_path: Path) -> None:
    """A read-only mirror: a folder remote shown by any web server. It has no run-cache."""
    address, folder = web
    add_remote(finished, str(folder))
    print(run(finished, "dvc", "push").splitlines()[-1])
    clone = clone_of(finished, tmp_path)
    add_remote(clone, address)
    pulled_runs_nothing(finished, clone)
    run(clone, "dvc", "pull", "--run-cache")
    assert not list((clone / ".dvc/cache/runs").glob("*")), "DVC has learnt it: tell the README"


def store(project: Path) -> dict[str, Any]:
    """What an MLflow store says of each finished run: params, metrics, curves, artifacts."""
    code = """
import json, sys, hashlib, pathlib
from mlflow import MlflowClient
client = MlflowClient("sqlite:///mlruns/mlflow.db")
out = {}
for one in client.search_experiments():
    for run in client.search_runs([one.experiment_id], max_results=1000):
        if run.info.status != "FINISHED":
            continue
        name = run.data.tags["xstilts.run_key"]
        assert name not in out, "two finished runs of one record"
        root = pathlib.Path("mlruns/artifacts", run.info.artifact_uri.split(":/", 1)[1].lstrip("/"))
        files = {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
                 for path in root.rglob("*") if path.is_file()}
        curves = {m: [[p.step, p.value] for p in client.get_metric_history(run.info.run_id, m)]
                  for m in run.data.metrics}
        out[name] = {"params": run.data.params, "curves": curves, "artifacts": files,
                     "stage": run.data.tags["stage"],
                     "datasets": sorted(one.dataset.digest for one in run.inputs.dataset_inputs)}
print("STORE" + json.dumps(out, sort_keys=True))
"""
    said = run(project, sys.executable, "-c", code, MLFLOW_DISABLE_TELEMETRY="true")
    import json

    line = next(line for line in said.splitlines() if line.startswith("STORE"))
    found: dict[str, Any] = json.loads(line.removeprefix("STORE"))
    return found


def test_a_clone_rebuilds_the_tracking_store_from_records(finished: Path, tmp_path: Path) -> None:
    """Same runs, params, metrics, curves and artifacts as were logged live; once and for all."""
    folder = tmp_path / "remote"
    add_remote(finished, str(folder))
    run(finished, "dvc", "push")
    clone = clone_of(finished, tmp_path)
    add_remote(clone, str(folder))
    run(clone, "dvc", "pull")
    live = store(finished)
    stages = sum(one["stage"] != "setting" for one in live.values())
    assert stages < len(live), "settings are made when the scores are joined"
    assert f"runs added: {stages}" in run(clone, "xstilts", "track", "sync")
    assert store(clone) == live
    assert "runs added: 0" in run(clone, "xstilts", "track", "sync")
    assert store(clone) == live


def test_no_secret_reaches_a_log_a_record_or_the_tracker(finished: Path) -> None:
    """The study ran with these in its environment; nothing that is kept or shared holds them."""
    add_remote(finished, "s3://lab/study", secret_access_key=SECRETS["AWS_SECRET_ACCESS_KEY"])
    checked = 0
    for path in finished.rglob("*"):
        local = path.name == "config.local" and path.parent.name == ".dvc"
        if not path.is_file() or local or "src" in path.relative_to(finished).parts[:1]:
            continue
        content, checked = path.read_bytes(), checked + 1
        for name, secret in SECRETS.items():
            assert secret.encode() not in content, f"{name} is in {path}"
    assert checked > 100
    assert "config.local" in (finished / ".dvc/.gitignore").read_text()
