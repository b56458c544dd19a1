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
    """A launch after one that failed goes on from the bucket, and one after that runs nothing."""

    def machine(name: str) -> Path:
        folder = projects.make(tmp_path / name / "study", new_study())
        projects.commit(folder, "nothing has run")
        return folder

    with servers.s3(*KEYS.values(), buckets=["lab"]) as port:
        broken = machine("first")
        (broken / "machine.yaml").write_text("processes: 0\n")  # rows are made without reading it
        first = launch(broken, port)
        second = launch(finished := machine("second"), port)
        third = launch(fetched := machine("third"), port)
    ran = [len(projects.stages_run(done.stdout)) for done in (first, second, third)]
    print("stages run by three machines:", ran)
    assert first.returncode != 0
    for done in (second, third):
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert 0 < ran[1] < projects.STAGES
    assert ran[2] == 0
    for name in ("dvc.lock", "report/small/index.html"):
        assert (fetched / name).read_bytes() == (finished / name).read_bytes()
    said = "".join(done.stdout + done.stderr for done in (first, second, third))
    assert not [key for key in KEYS.values() if key in said]
