"""Which node this is, and how a stage starts on the others; what goes wrong there is one line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch

from xstilts import pipeline
from xstilts.core.errors import UserError
from xstilts.core.machine import Machine
from xstilts.training import launch, meeting, nodes
from xstilts.training.engine import Workers
from xstilts.training.nodes import Node

TWO = Machine(nodes=2, processes=4)
JOB = {"SLURM_JOB_ID": "31", "SLURM_JOB_NUM_NODES": "2"}
STEP = {
    **{"SLURM_STEP_NUM_NODES": "2", "SLURM_STEP_NUM_TASKS": "2"},
    **{"SLURM_STEP_NODELIST": "gpu[007-008]", "SLURM_NODEID": "1"},
}
HAND = {"NODE_RANK": "1", "MASTER_ADDR": "first"}
WORKER = {
    **{"RANK": "0", "WORLD_SIZE": "8", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "4"},
    **{"MASTER_ADDR": "first", "MASTER_PORT": "1"},
}
Told = Callable[..., None]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """told(NAME="value"): an environment in which a launcher has said that and nothing else."""
    known = (*STEP, *JOB, *HAND, *WORKER, launch.MEETING, nodes.LOCKED)
    for name in known:
        monkeypatch.delenv(name, raising=False)

    def tell(**facts: str) -> None:
        for name, value in facts.items():
            monkeypatch.setenv(name, value)

    return tell


@pytest.mark.parametrize(
    ("facts", "node"),
    [
        (HAND, Node(1, "first", 29_500)),
        (HAND | {"MASTER_PORT": "7"}, Node(1, "first", 7)),
        (JOB | STEP, Node(1, "gpu007", 20_031)),
        (JOB | STEP | HAND | {"NODE_RANK": "0"}, Node(0, "first", 20_031)),
        (JOB, None),
    ],
)
def test_a_node_knows_which_one_it_is(told: Told, facts: dict[str, str], node: Node | None) -> None:
    """By what a person says, else by SLURM; None is a job's first node, which starts the others."""
    told(**facts)
    assert nodes.here(TWO) == node


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({}, "asks for 2 nodes, and this stage was started on one"),
        ({"SLURM_JOB_ID": "31"}, "this SLURM job has 1"),
        (JOB | STEP | {"SLURM_STEP_NUM_TASKS": "8"}, "srun started 8 tasks on 2 nodes"),
        (HAND | {"NODE_RANK": "2"}, "NODE_RANK is '2'"),
        (JOB | STEP | {"SLURM_STEP_NODELIST": ""}, "SLURM_STEP_NODELIST is ''"),
    ],
)
def test_a_node_that_cannot_know_says_so(told: Told, facts: dict[str, str], says: str) -> None:
    """Not by training alone what two nodes were to train."""
    told(**facts)
    with pytest.raises(UserError, match=rf"{says}.*Mend: "):
        nodes.here(TWO)


@pytest.mark.parametrize(
    ("hosts", "first"),
    [
        ("gpu[003-005,9],cpu1", "gpu003"),
        ("gpu[9,11-12]-ib", "gpu9-ib"),
        ("one", "one"),
        ("one,two", "one"),
        ("n-1-[2-3]", "n-1-2"),
    ],
)
def test_the_first_of_slurms_hosts(hosts: str, first: str) -> None:
    """Inside of a container there is no scontrol to ask."""
    assert nodes._first(hosts) == first


def test_a_job_starts_its_other_nodes(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """One task a node, which may use all of its cores; one that fails ends the others."""
    monkeypatch.setattr(nodes.shutil, "which", lambda name: name)
    command = nodes.by_srun(TWO, ["x"])
    assert command[:5] == ["srun", "--nodes", "2", "--ntasks", "2"]
    assert {"--cpu-bind=none", "--kill-on-bad-exit=1"} <= set(command)
    monkeypatch.setattr(nodes.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match=r"srun is not here.*Mend: "):
        nodes.by_srun(TWO, ["x"])


def test_other_nodes_take_no_lock(told: Told, tmp_path: Path) -> None:
    """One process holds it for all: the first node's, or whoever called srun."""
    output, lock = tmp_path / "out", tmp_path / ".out.lock"
    told()
    for node, there in ((None, True), (Node(0, "a", 1), True), (Node(1, "a", 1), False)):
        with pipeline._lock(output, "it", node):
            assert lock.exists() is there
    told(**WORKER)  # by torchrun, which holds none
    with pipeline._lock(output, "it", None):
        assert lock.exists()
    told(RANK="1")
    with pipeline._lock(output, "it", None):
        assert not lock.exists()


@pytest.mark.parametrize(
    ("facts", "network"),
    [
        ({}, False),
        ({"MASTER_ADDR": "a", "MASTER_PORT": "1"}, False),
        (WORKER, True),
        (WORKER | {launch.MEETING: "store"}, True),
        (WORKER | {launch.MEETING: "store", "LOCAL_WORLD_SIZE": "8"}, False),
    ],
)
def test_workers_of_one_node_meet_in_a_file(
    told: Told, facts: dict[str, str], network: bool
) -> None:
    """Whatever else the environment has kept of a launcher: a job's prologue may set some of it."""
    told(**facts)
    assert launch.by_network() is network


def test_a_launcher_that_disagrees_with_machine_yaml_is_refused(told: Told) -> None:
    """Batch, memory and ZeRO stage are reckoned with the workers that machine.yaml says."""
    told(**WORKER)
    nodes.check("transfer", True, TWO)
    with pytest.raises(UserError, match=r"8 workers were started.*1 nodes with 2 .*Mend: "):
        nodes.check("transfer", True, Machine(processes=2))
    with pytest.raises(UserError, match=r"report runs in one process.*Mend: "):
        nodes.check("report", False, TWO)


def test_a_batch_is_shared_by_all_nodes(
    told: Told, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3 nodes with a process each are 3 processes, which cannot share 8 examples."""
    Path("machine.yaml").write_text("nodes: 3")
    with pytest.raises(UserError, match="batch of 8 cannot be shared by 3"):
        pipeline.run_stage("pretrain")


def test_worker_0_alone_looks_for_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a network disk who looks too early is told for a while that there is none."""
    cpu, asked = torch.device("cpu"), []
    monkeypatch.setattr(
        torch.distributed,
        "broadcast_object_list",
        lambda found, source: found.append(found.pop() or 7),
    )
    assert Workers(0, 2, cpu).first(lambda: asked.append("first") or 5) == 5
    assert Workers(1, 2, cpu).first(lambda: asked.append("second") or 5) == 7
    assert asked == ["first"]


def test_an_address_of_this_machine_needs_no_interface() -> None:
    """Gloo finds it by itself; and a name that nobody knows is for the meeting to tell."""
    assert nodes.interface("127.0.0.1") is None
    assert nodes.interface("no.such.host.invalid") is None


# The first of two workers fails; the other waits in torch's C++ code, and hears no signal.
DEAF = """
import os, signal, time
if os.environ["RANK"] == "0":
    raise SystemExit(3)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(60)
"""


def test_a_worker_that_hears_nothing_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits for a node which is gone would keep the job and its GPUs."""
    monkeypatch.setattr(launch, "GRACE", 0.5)
    assert launch.run_workers(2, [sys.executable, "-c", DEAF]) == 3


def test_a_worker_of_torchrun_tells_its_line(
    told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has no meeting, in whose folder workers note which of them has told."""
    told(**WORKER)
    launch.tell("the disk is full")
    assert capsys.readouterr().err == "xstilts: the disk is full\n"


def test_a_launcher_need_not_say_how_many_workers_a_node_has(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DeepSpeed's does not: all workers would count as one node's, and none would watch another."""
    told(**WORKER)
    monkeypatch.delenv("LOCAL_WORLD_SIZE")
    monkeypatch.setattr(meeting, "_join", lambda machine: Mock())
    monkeypatch.setattr(meeting, "_see_that_all_are_alike", lambda machine, code: None)
    with meeting.of_nodes(TWO, "code"):
        assert launch.on_this_node(8) == 4
        assert list(meeting.Pulse(Mock()).seen) == [1]


# A worker whose peers are silent, and whose main thread waits for them as in torch's C++ code.
LEFT = """
import time
from xstilts.training import meeting

class Store:
    clone = lambda self: self
    set = lambda self, key, beat: None
    check = lambda self, keys: False

meeting.EVERY = 0.1
meeting.Pulse(Store()).start()
time.sleep(20)
"""


@pytest.mark.parametrize("errors", ["read", "/dev/full"])
def test_a_worker_of_torchrun_whose_peer_is_gone_ends(told: Told, errors: str) -> None:
    """Whether or not its line can be told: a worker that stays keeps its node and its GPUs."""
    told(**WORKER)
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", LEFT],
            env={**os.environ, meeting.WAIT: "1"},
            stderr=subprocess.PIPE if errors == "read" else full,
            text=True,
            check=False,
        )
    assert done.returncode == 2, done.stderr
    assert errors != "read" or done.stderr == f"xstilts: {meeting.GONE}\n"
