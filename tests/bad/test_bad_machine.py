"""Machines and batches that do not fit, and inputs that are not there: told before work begins."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from xstilts import pipeline
from xstilts.core import params
from xstilts.core.errors import UserError
from xstilts.core.machine import Machine
from xstilts.training import engine, launch, state

Refused = Callable[..., str]
MACHINE = Path("machine.yaml")


def test_a_gpu_that_is_not_there_is_told(prepared: Path, refused: Refused) -> None:
    """Nothing falls back to a CPU for a week."""
    refused(
        lambda: MACHINE.write_text("device: cuda"),
        "pretrain",
        "machine.yaml: device: cuda, but no CUDA device is visible",
        CUDA_VISIBLE_DEVICES="",
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("offload: optimizer\nzero: 0", "`offload: optimizer` needs `zero: 1` or more"),
        ("offload: parameters\nzero: 2", "`offload: parameters` needs `zero: 3`, and it is 2"),
        ("activation_checkpointing: sometimes", "activation_checkpointing"),
    ],
)
def test_a_layout_that_cannot_be_is_told(
    prepared: Path, refused: Refused, text: str, says: str
) -> None:
    """Before DeepSpeed fails on it in words of its own."""
    refused(lambda: MACHINE.write_text(text), "pretrain", says)


def test_a_batch_that_processes_cannot_share_is_told_before_they_start(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line and exit code 2, and no half-started workers."""

    def start(*arguments: object) -> None:
        raise AssertionError("workers were started")

    monkeypatch.setattr(launch.subprocess, "Popen", start)
    monkeypatch.delenv(launch.MEETING, raising=False)
    MACHINE.write_text("processes: 3")
    with pytest.raises(UserError, match="batch of 8 cannot be shared by 3"):
        pipeline.run_stage("pretrain")


@pytest.mark.parametrize(("batch", "workers"), [(8, 3), (2, 4)])
def test_a_batch_is_shared_equally_or_refused(batch: int, workers: int) -> None:
    """An unequal share would be another batch than the study's."""
    training = params.Training(batch=batch, epochs=1, learning_rate=1.0)
    with pytest.raises(UserError, match=rf"batch of {batch} cannot be shared by {workers}.*Mend: "):
        engine.accumulation(training, Machine(), workers)


def test_missing_input_of_a_training_is_told(project: Path) -> None:
    """Somebody who starts a stage by hand before the one that it reads from."""
    missing = [Path("data/prepare/small/pretraining/world_text/mul.train.parquet")]
    with pytest.raises(UserError, match=r"mul.train.parquet is missing. Mend: "):
        state.folder("pretrain", {}, missing, Machine())


# Two workers, of which the second alone fails.
FAILING = """
import os, time
from xstilts.training.launch import tell
if os.environ["RANK"] == "1":
    tell("first.json: the disk is full. Mend: make room")
    tell("again")
    raise SystemExit(2)
time.sleep(60)
"""


def test_the_worker_that_fails_is_the_one_that_tells(capfd: pytest.CaptureFixture[str]) -> None:
    """Not worker 0 by rule: a disk may be full for another one only; one line for all of them."""
    assert launch.run_workers(2, [sys.executable, "-c", FAILING]) == 2
    assert capfd.readouterr().err == "xstilts: first.json: the disk is full. Mend: make room\n"
