"""The cloud task does what docs/clouds.md says: what one machine ran, another fetches.

The `run` of docker/skypilot.yaml is run as it is; a program that drops Docker's options stands for
Docker, and an S3-compatible server on loopback for the bucket.
"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import projects
import pytest
import servers
import yaml

pytestmark = pytest.mark.slow
DOCKER = """#!/bin/bash
# The command of `docker run`, here: all that follows the image.
while [ "$1" != "$IMAGE" ]; do shift; done
shift
exec "$@"
"""
CHECKSUMS = ("AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION")
KEYS = {"AWS_ACCESS_KEY_ID": "planted-access", "AWS_SECRET_ACCESS_KEY": "planted-secret"}


def launch(folder: Path, port: int) -> subprocess.CompletedProcess[str]:
    """What SkyPilot does on a machine that it has synced a clone to."""
    task = yaml.safe_load((projects.ROOT / "docker/skypilot.yaml").read_text("utf-8"))
    programs = folder.parent / "programs"
    programs.mkdir(exist_ok=True)
    (programs / "docker").write_text(DOCKER)
    (programs / "docker").chmod(0o755)
    given = {"IMAGE": "image", "REMOTE": "s3://lab/study", "STUDY": "small", **KEYS}
    given |= {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "HOME": str(folder.parent)}
    given |= dict.fromkeys(CHECKSUMS, "when_required")
    settings = projects.inside(folder, **given)
    settings["PATH"] = f"{programs}{os.pathsep}{settings['PATH']}"
    settings.pop("MLFLOW_TRACKING_URI", None)
    command = ["bash", "-c", task["run"]]
    return subprocess.run(
        command, cwd=folder, env=settings, capture_output=True, text=True, check=False
    )


def test_what_one_machine_ran_another_fetches(
    tmp_path: Path, new_study: Callable[[], dict[str, Any]]
) -> None:
    """Once what git holds has come home, a launch anew fetches all and runs nothing."""
    first = projects.make(tmp_path / "first/study", new_study())
    projects.commit(first, "nothing has run")
    with servers.s3(*KEYS.values(), buckets=["lab"]) as port:
        ran = launch(first, port)
        projects.commit(first, "what came home")
        second = tmp_path / "second/study"
        projects.run(tmp_path, "git", "clone", "-q", str(first), str(second))
        fetched = launch(second, port)
    for done in (ran, fetched):
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        assert not [key for key in KEYS.values() if key in done.stdout + done.stderr]
    assert len(projects.stages_run(ran.stdout)) == projects.STAGES
    assert projects.stages_run(fetched.stdout) == []
    page = "report/small/index.html"
    assert (second / page).read_bytes() == (first / page).read_bytes()


def test_a_study_that_fails_fails_the_task(
    tmp_path: Path, new_study: Callable[[], dict[str, Any]]
) -> None:
    """Else a machine would be given back as if all were well."""
    folder = projects.make(tmp_path / "broken/study", new_study(), machine="processes: 0\n")
    projects.commit(folder, "nothing has run")
    with servers.s3(*KEYS.values(), buckets=["lab"]) as port:
        done = launch(folder, port)
    assert done.returncode != 0
    assert "pushed" in done.stdout or "up to date" in done.stdout
