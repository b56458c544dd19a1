"""The job script of SLURM, run here: what it asks of SLURM for a job that has more to do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from xstilts.commands.submit import script, slurm
from xstilts.commands.submit.job import MORE
from xstilts.commands.submit.ledger import Submission
from xstilts.core.machine import Machine

COMMANDS = {"squeue": "echo RUNNING", "scontrol": "", "sleep": ""}


def written(command: str) -> Path:
    """The script of an array of three, which runs a command."""
    submission = Submission("s", "small", "slurm", {}, [], [], {})
    name = {"name": "s-transfer", "array": "0-2", "dependency": "", "log": "transfer-%a.log"}
    values = {"machine": Machine(), "command": command, **name}
    return script.written(slurm.TEMPLATE, submission, "transfer", "transfer", values)


@pytest.mark.parametrize(
    ("facts", "called"),
    [
        ({"JOB_ID": "13", "ARRAY_JOB_ID": "12", "ARRAY_TASK_ID": "0"}, "12_0"),
        ({"JOB_ID": "12", "ARRAY_JOB_ID": "12", "ARRAY_TASK_ID": "2"}, "12_2"),
        ({"JOB_ID": "31"}, "31"),
    ],
)
def test_a_job_that_has_more_to_do_queues_itself_alone(
    facts: dict[str, str], called: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task of an array that starts last has as its own number that of the whole array."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(script, "FOLDER", root / "cluster")
    for name, does in COMMANDS.items():
        Path(name).write_text(f'#!/bin/sh\necho {name} "$@" >>said\n{does}\n')
        Path(name).chmod(0o755)
    known = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    known |= {f"SLURM_{name}": value for name, value in facts.items()}
    known["PATH"] = f"{tmp_path}:{known['PATH']}"
    command = ["bash", "-u", str(written(f"bash -c 'exit {MORE}'"))]  # a site may set -u, too
    assert subprocess.run(command, env=known, check=False).returncode == MORE
    asked, queued = Path("said").read_text().splitlines()[:2]
    assert asked == f"squeue --noheader --jobs={called} --format=%T"
    assert queued == f"scontrol requeue {called}"
