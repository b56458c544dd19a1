"""A stage in workers on two nodes, which are network namespaces: same bits, one lock, no hang."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import projects
import pytest
import two_nodes
from safetensors.torch import load_file

from xstilts.core import files
from xstilts.training.meeting import GONE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not two_nodes.possible(), reason="needs root and network namespaces"),
]
OUT = Path("models/pretrain/small")
ALONE = ("xstilts", "pretrain")


OFTEN = ("save_seconds: 0.01", "save_share: 1")  # a state at each look at the clock
SEEN = ("threads: 1", "micro_batch: 2")


@pytest.fixture(scope="module")
def started(
    tmp_path_factory: pytest.TempPathFactory, new_study: Callable[[], dict[str, Any]]
) -> Path:
    """A study whose model one process has trained."""
    folder = tmp_path_factory.mktemp("nodes") / "base"
    projects.make(folder, projects.crashing(new_study()), "\n".join(SEEN))
    projects.run(folder, "dvc", "repro", "pretrain", XSTILTS_TRACKING="off")
    return folder


@pytest.fixture(scope="module")
def nodes() -> Iterator[two_nodes.Nodes]:
    """Two nodes."""
    with two_nodes.made() as those:
        yield those


def lay(started: Path, folder: Path, *machine: str) -> Path:
    """A copy of the study before that training, for another machine.yaml."""
    shutil.copytree(started, folder, symlinks=True)
    shutil.rmtree(folder / "models")
    (folder / "machine.yaml").write_text("\n".join((*SEEN, *machine)))
    return folder


@pytest.fixture
def laid(started: Path, tmp_path: Path) -> Callable[..., Path]:
    """laid("nodes: 2"): the study, about to be trained so."""
    return lambda *machine: lay(
        started, tmp_path / f"project-{len(list(tmp_path.iterdir()))}", *machine
    )


@pytest.fixture(scope="module")
def of_two(started: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What two processes on one node learn."""
    return trained(lay(started, tmp_path_factory.mktemp("two") / "project", "processes: 2"))


def weights(folder: Path) -> bytes:
    """What was learnt."""
    return (folder / OUT / "model.safetensors").read_bytes()


def trained(folder: Path, *command: str) -> bytes:
    """Train on one node."""
    projects.run(folder, *(command or ALONE), XSTILTS_TRACKING="off")
    return weights(folder)


def ended_well(*processes: subprocess.Popen[str]) -> None:
    """All of them; a failure shows what was said."""
    for code, said in two_nodes.finished(*processes):
        assert code == 0, said[-3000:]


@pytest.mark.parametrize("each", [1, 2])
def test_two_nodes_learn_what_one_does(
    started: Path, laid: Callable[..., Path], nodes: two_nodes.Nodes, of_two: bytes, each: int
) -> None:
    """To the bit what as many processes on one node do, and all but for rounding what one does."""
    folder = laid("nodes: 2", f"processes: {each}")
    ended_well(*nodes.both(folder, *ALONE, XSTILTS_TRACKING="off"))
    assert weights(folder) == (of_two if each == 1 else trained(laid("processes: 4")))
    alone, both = (load_file(place / OUT / "model.safetensors") for place in (started, folder))
    assert max(float((alone[name] - both[name]).abs().max()) for name in alone) < 1e-3
    losses = [files.read_json(place / OUT / "record.json")["curves"] for place in (started, folder)]
    for own, other in zip(losses[0]["loss"], losses[1]["loss"], strict=True):
        assert other == pytest.approx(own, rel=1e-4)
    told = files.read_json(folder / "provenance/small/pretrain/small.json")
    assert (told["software"]["nodes"], told["software"]["processes"]) == (2, 2 * each)
    assert not [path for path in (folder / ".state").glob("*") if path.name != "features"]


def test_torchrun_starts_workers_too(
    laid: Callable[..., Path], nodes: two_nodes.Nodes, of_two: bytes
) -> None:
    """On one node, and on two; by the environment that it gives, as other launchers do."""
    own = ("torchrun", "--standalone", "--nproc-per-node", "2", "-m", *ALONE)
    assert trained(laid("processes: 2"), *own) == of_two
    folder = laid("nodes: 2")
    ended_well(*by_torchrun(nodes, folder, XSTILTS_TRACKING="off"))
    assert weights(folder) == of_two


def by_torchrun(
    nodes: two_nodes.Nodes, folder: Path, **more: str
) -> tuple[subprocess.Popen[str], subprocess.Popen[str]]:
    """Begin the stage on both, in a worker each."""
    where = ["--master-addr", two_nodes.ADDRESSES[0], "--master-port", "29531"]
    usual = ["torchrun", "--nnodes", "2", "--nproc-per-node", "1", *where]
    first, second = (
        nodes.start(n, folder, [*usual, f"--node-rank={n}", "-m", *ALONE], **more) for n in (0, 1)
    )
    return first, second


def test_deepspeed_starts_workers_too(
    laid: Callable[..., Path], nodes: two_nodes.Nodes, of_two: bytes
) -> None:
    """By the command of the page, but that each node starts its own: none has SSH."""
    folder = laid("nodes: 2")
    hosts = "".join(f"{address} slots=1\n" for address in two_nodes.ADDRESSES)
    (folder / "hosts").write_text(hosts)
    page = (projects.ROOT / "docs/multi-node.md").read_text()
    (told,) = re.findall(r"(?m)^(deepspeed .*) xstilts ", page)
    where = ["--no_ssh", "--master_addr", two_nodes.ADDRESSES[0], "--master_port", "29533"]
    name, *options = told.split()
    commands = ([name, *where, f"--node_rank={n}", *options, *ALONE] for n in (0, 1))
    off = {"XSTILTS_TRACKING": "off"}
    ended_well(*(nodes.start(n, folder, command, **off) for n, command in enumerate(commands)))
    assert weights(folder) == of_two
    software = files.read_json(folder / "provenance/small/pretrain/small.json")["software"]
    assert (software["nodes"], software["processes"]) == (2, 2)


def after_a_state(folder: Path, of: subprocess.Popen[str]) -> None:
    """Wait until there is one to go on from."""
    end = time.monotonic() + 100
    while not list(folder.glob(".state/pretrain-*/hashes.json")):
        assert of.poll() is None, of.communicate()[1][-3000:]
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("dead", [0, 1])
def test_a_node_that_dies_ends_the_other_and_both_go_on(
    laid: Callable[..., Path], nodes: two_nodes.Nodes, of_two: bytes, dead: int
) -> None:
    """The one that is left says so in one line; started again, they come to the bits of none."""
    folder = laid("nodes: 2", *OFTEN)
    both = nodes.both(folder, *ALONE, XSTILTS_TRACKING="off")
    after_a_state(folder, both[0])
    os.killpg(both[dead].pid, signal.SIGKILL)
    ((code, said),) = two_nodes.finished(both[1 - dead])
    assert code == 2, said[-3000:]
    assert said.splitlines()[-1] == f"xstilts: {GONE}"
    assert "Traceback" not in said
    assert not (folder / OUT).exists()
    ended_well(*nodes.both(folder, *ALONE, XSTILTS_TRACKING="off"))
    assert weights(folder) == of_two


@pytest.mark.parametrize("torchrun", [False, True])
def test_a_wire_that_is_cut_ends_both(laid: Callable[..., Path], torchrun: bool) -> None:
    """Nobody hears of an end: without a pulse both would wait for half an hour."""
    folder, short = (
        laid("nodes: 2", *OFTEN),
        {"XSTILTS_NODES_WAIT": "20", "XSTILTS_TRACKING": "off"},
    )
    with two_nodes.made() as own:
        both = by_torchrun(own, folder, **short) if torchrun else own.both(folder, *ALONE, **short)
        after_a_state(folder, both[0])
        own.cut()
        for code, said in two_nodes.finished(*both):
            assert code == (1 if torchrun else 2), said[-3000:]  # torchrun has one of its own
            assert f"xstilts: {GONE}" in said


def test_a_node_that_stays_alone_says_so(laid: Callable[..., Path], nodes: two_nodes.Nodes) -> None:
    """Somebody forgot the other one, or a firewall lies between them."""
    short = {"XSTILTS_NODES_WAIT": "3", "MASTER_ADDR": two_nodes.ADDRESSES[0]}
    folder = laid("nodes: 2")
    for number in (0, 1):
        process = nodes.start(number, folder, ALONE, NODE_RANK=str(number), **short)
        ((code, said),) = two_nodes.finished(process)
        assert (code, said.count("Mend: ")) == (2, 1), said[-3000:]
        assert "the 2 nodes did not meet at 10.231.7.1:29500 in 3 s" in said


def test_nodes_that_share_no_files_are_refused(
    laid: Callable[..., Path], nodes: two_nodes.Nodes
) -> None:
    """Each would keep its part of the state where the other never finds it."""
    more = {"MASTER_ADDR": two_nodes.ADDRESSES[0], "XSTILTS_TRACKING": "off"}
    started = [nodes.start(n, laid("nodes: 2"), ALONE, NODE_RANK=str(n), **more) for n in (0, 1)]
    for code, said in two_nodes.finished(*started):
        assert code == 2, said[-3000:]
        assert "worker 1 does not see the files of worker 0" in said
