"""machine.yaml's `cluster`: what a job asks for, and one clear line where that cannot be."""

from pathlib import Path

import pytest

from xstilts.core.cluster import Cluster
from xstilts.core.errors import UserError
from xstilts.core.machine import load_machine

GIVEN = {
    "partition": "gpu",
    "gpus": 1,
    "hours": 8,
    "stages": {"prepare": {"partition": "cpu", "cells_per_job": 20}, "record": {"hours": 1}},
}


def test_a_stage_asks_for_what_is_its_own_and_the_rest_in_common() -> None:
    """Only what is given for a stage replaces; what does not train needs no GPU."""
    cluster = Cluster.model_validate(GIVEN)
    trained, prepared = cluster.asked("transfer"), cluster.asked("prepare")
    assert (trained.partition, trained.gpus, trained.cells_per_job) == ("gpu", 1, 1)
    assert (prepared.partition, prepared.gpus, prepared.cells_per_job) == ("cpu", 0, 20)
    assert prepared.hours == 8
    assert cluster.asked("record").hours == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cluster: {stages: {tranfer: {hours: 1}}}", "`stages` has no 'tranfer'"),
        ("cluster: {time: 4}", "cluster.time: unknown key"),
        ("cluster: {hours: 04:00:00}", "cluster.hours"),
        ("cluster: {cells_per_job: 0}", "cluster.cells_per_job"),
    ],
)
def test_what_cannot_be_is_one_line(
    text: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt stage would run with what it must not have."""
    monkeypatch.chdir(tmp_path)
    Path("machine.yaml").write_text(text)
    with pytest.raises(UserError, match=r"machine\.example\.yaml") as error:
        load_machine()
    assert says in str(error.value)


def test_the_example_is_what_is_read(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People copy it."""
    monkeypatch.chdir(tmp_path)
    text = (root / "machine.example.yaml").read_text(encoding="utf-8")
    Path("machine.yaml").write_text(text.replace("  # ", "  "))  # with what it only names, too
    cluster = load_machine().cluster
    assert cluster.container == "apptainer exec --nv kit.sif"
    assert cluster.asked("prepare").cells_per_job == 20
    unnamed = [name for name in Cluster.model_fields if f"{name}:" not in text]
    assert not unnamed
