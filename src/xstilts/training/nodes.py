"""Several nodes for one training: which of them this is, and how the others start. No torch here.

A stage is started once a node: by `srun`, which a stage calls by itself in a SLURM job of so many
nodes, or by hand, with NODE_RANK and MASTER_ADDR. Or once a worker, by torchrun or what else sets
JOINED. docs/multi-node.md has a command for each.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from xstilts.core.errors import UserError
from xstilts.core.machine import Machine

JOINED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
LOCKED = "XSTILTS_LOCKED"  # set where a process on another node holds the lock of the output
PORT = 29500  # torchrun's own, where neither MASTER_PORT nor SLURM says another
PORTS = 20_000, 12_000  # of SLURM's jobs: the first and how many, below those that Linux lends
SIOCGIFADDR = 0x8915  # asks Linux for the IPv4 address of an interface
PAGE = "docs/multi-node.md says how"


@dataclass(frozen=True)
class Node:
    """One of the nodes of a training.

    Attributes:
        number: from 0.
        address, port: where the workers of all nodes meet, on the first one.
    """

    number: int
    address: str
    port: int

    def environment(self, machine: Machine) -> dict[str, str]:
        """What its workers have in common beside what workers of one node have."""
        return {
            "WORLD_SIZE": str(machine.workers),
            "MASTER_ADDR": self.address,
            "MASTER_PORT": str(self.port),
        }


def here(machine: Machine) -> Node | None:
    """This node of several; None: a SLURM job's first, of which nobody has started the others.

    Raises:
        UserError: nothing tells which node this is, or there are not so many.
    """
    told, wanted = os.environ, machine.nodes
    if "NODE_RANK" in told and "MASTER_ADDR" in told:
        return Node(_number(told, "NODE_RANK", wanted), told["MASTER_ADDR"], _port(told))
    if "SLURM_JOB_ID" not in told:
        raise UserError(
            f"machine.yaml asks for {wanted} nodes, and this stage was started on one. "
            f"Mend: start it in a SLURM job of {wanted} nodes, or on each node; {PAGE}"
        )
    if told.get("SLURM_STEP_NUM_NODES") == str(wanted):
        if told.get("SLURM_STEP_NUM_TASKS") != str(wanted):
            raise UserError(
                f"srun started {told.get('SLURM_STEP_NUM_TASKS')} tasks on {wanted} nodes. "
                f"Mend: srun --nodes {wanted} --ntasks-per-node 1, as each starts its workers"
            )
        first = _first(told.get("SLURM_STEP_NODELIST", ""))
        return Node(_number(told, "SLURM_NODEID", wanted), first, _port(told))
    if told.get("SLURM_JOB_NUM_NODES", "1") != str(wanted):
        raise UserError(
            f"machine.yaml asks for {wanted} nodes, and this SLURM job has "
            f"{told.get('SLURM_JOB_NUM_NODES', '1')}. Mend: give both the same number"
        )
    return None


def by_srun(machine: Machine, command: list[str]) -> list[str]:
    """The command that runs another one once on each node of this SLURM job.

    A node's task may use all of its cores: SLURM would tie it, and all workers with it, to one.

    Raises:
        UserError: there is no srun, as inside of most containers.
    """
    if not shutil.which("srun"):
        raise UserError(f"srun is not here, to start the other nodes. Mend: call it; {PAGE}")
    count = str(machine.nodes)
    how = ["--ntasks-per-node=1", "--kill-on-bad-exit=1", "--cpu-bind=none"]
    return ["srun", "--nodes", count, "--ntasks", count, *how, *command]


def check(word: str, trained: bool, machine: Machine) -> None:
    """See that a launcher started as many workers as machine.yaml says, of a stage that trains.

    Raises:
        UserError: it did not.
    """
    count = os.environ["WORLD_SIZE"]
    if not trained and count != "1":
        raise UserError(f"{word} runs in one process. Mend: start it without a launcher")
    if trained and count != str(machine.workers):
        raise UserError(
            f"{count} workers were started, and machine.yaml says {machine.nodes} nodes with "
            f"{machine.processes} processes each. Mend: give both the same number"
        )


def interface(address: str) -> str | None:
    """The network interface that leads to an address; None: not known, or this machine's own.

    Gloo takes that of the host's name, which on many machines is no other machine's way to it.
    """
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
            way.connect((address, PORT))  # sends nothing
            own = way.getsockname()[0]
            for _, name in socket.if_nameindex():
                if not own.startswith("127.") and _address(way, name) == own:
                    return name
    except OSError:
        return None
    return None


def _address(way: socket.socket, name: str) -> str | None:
    """The IPv4 address of an interface."""
    try:
        asked = struct.pack("256s", name.encode()[:15])
        return socket.inet_ntoa(fcntl.ioctl(way.fileno(), SIOCGIFADDR, asked)[20:24])
    except OSError:
        return None


def _number(told: Mapping[str, str], name: str, count: int) -> int:
    """A node's number."""
    text = told.get(name, "")
    if not text.isdigit() or int(text) >= count:
        raise UserError(
            f"{name} is {text!r}, and the {count} nodes of machine.yaml are numbered from 0. "
            f"Mend: {PAGE}"
        )
    return int(text)


def _port(told: Mapping[str, str]) -> int:
    """As told; else one that jobs on the same nodes do not share."""
    given, job = told.get("MASTER_PORT", ""), told.get("SLURM_JOB_ID", "")
    if given.isdigit():
        return int(given)
    return PORTS[0] + int(job) % PORTS[1] if job.isdigit() else PORT


def _first(hosts: str) -> str:
    """The first host of SLURM's list: of `gpu[003-005,9],cpu1` gpu003."""
    found = re.match(r"([^\[,]+)(?:\[([^\],-]+)[^\]]*\]([^,\[]*))?", hosts)
    if not found:
        raise UserError(f"SLURM_STEP_NODELIST is {hosts!r}. Mend: set MASTER_ADDR; {PAGE}")
    return "".join(part or "" for part in found.groups())
