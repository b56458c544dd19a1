"""Workers of several nodes: they meet by the network, see that all are alike, and watch each other.

    with meeting.of_nodes(machine, code): ...       the body is the stage, which finds them joined

A worker whose peers are gone ends with one line. Gloo tells it of a connection that is closed, and
a pulse of what nobody tells: a node without power, a network that is cut, a worker that NCCL waits
for. Each node's first worker counts up a number in the store of all, and looks at the others'.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import torch
from torch import distributed

from xstilts.core import paths
from xstilts.core.errors import UserError
from xstilts.core.machine import Machine
from xstilts.records import provenance
from xstilts.training import launch, nodes
from xstilts.training.engine import device, device_name

WAIT = "XSTILTS_NODES_WAIT"  # seconds for all nodes to come, of which one may start late
USUAL = 300.0
SILENCE = 60.0  # seconds without a pulse, at most, until a node counts as gone
EVERY = 2.0  # seconds from one look to the next
DONE = "done"  # a node's last beat
BROKEN = re.compile(r"gloo|nccl|tcpstore|c10d|connection (closed|reset|refused)", re.I)
GONE = (
    "a worker on another node has ended, or its node cannot be reached. "
    "Mend: see what that node says, then start the stage again: it goes on from its last state"
)


@contextmanager
def of_nodes(machine: Machine, code: str) -> Iterator[None]:
    """Join the workers of all nodes for the body.

    Args:
        code: sha256 of what the stage runs (records.code.identity).

    Raises:
        UserError: nodes did not come, are not alike, or one was lost on the way.
    """
    os.environ.setdefault("LOCAL_WORLD_SIZE", str(machine.processes))  # DeepSpeed does not say it
    store = _join(machine)
    pulse = Pulse(store)
    pulse.start()
    try:
        _see_that_all_are_alike(machine, code)
        yield
    except RuntimeError as error:
        if BROKEN.search(str(error)):
            raise UserError(GONE) from error
        raise
    pulse.leave()  # not after a failure: then the others are to miss it


def _join(machine: Machine) -> Any:
    """Begin the process group by MASTER_ADDR; its store."""
    where, address = device(machine), os.environ["MASTER_ADDR"]
    backend = "gloo"
    if where.type == "cuda":
        torch.cuda.set_device(where)
        backend = "nccl"
    elif name := nodes.interface(address):
        os.environ.setdefault("GLOO_SOCKET_IFNAME", name)
    wait = _wait()
    try:
        store, rank, size = next(distributed.rendezvous("env://", timeout=timedelta(seconds=wait)))
        distributed.init_process_group(backend, store=store, rank=rank, world_size=size)
    except RuntimeError as error:  # torch's errors of networks are of this kind
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"the {machine.nodes} nodes did not meet at {address}:{os.environ['MASTER_PORT']} in "
            f"{wait:g} s ({reason}). Mend: see that the stage was started on each of them, and "
            f"that this address and port can be reached from all; {WAIT} gives more seconds"
        ) from error
    return store


def _wait() -> float:
    """Seconds for all nodes to come."""
    try:
        return max(1.0, float(os.environ.get(WAIT, USUAL)))
    except ValueError:
        return USUAL


def _see_that_all_are_alike(machine: Machine, code: str) -> None:
    """Refuse nodes that would compute otherwise, or see other files.

    A state to go on from is named by code, versions and device, and its parts are written by all.
    """
    rank, size = distributed.get_rank(), distributed.get_world_size()
    token = paths.STATE / f".meeting-{secrets.token_hex(8)}"
    if rank == 0:
        token.parent.mkdir(parents=True, exist_ok=True)
        token.touch()
    facts = {
        "code": code[:16],
        "device": device_name(machine),
        "layout": f"{machine.nodes} x {machine.processes}, ZeRO {machine.stage}",
        **{name: str(told) for name, told in provenance.software()["packages"].items()},
    }
    every = _told_by_all((facts, token), size)
    here = _told_by_all(every[0][1].exists(), size)
    if rank == 0:
        token.unlink(missing_ok=True)
    for worker, ((known, _), found) in enumerate(zip(every, here, strict=True)):
        if other := _difference(every[0][0], known):
            raise UserError(
                f"worker {worker} is not like worker 0: {other}. Mend: give all nodes the same "
                "code, packages, machine.yaml and kind of device"
            )
        if not found:
            raise UserError(
                f"worker {worker} does not see the files of worker 0. "
                "Mend: keep the project on a file system that all nodes share"
            )


def _told_by_all(value: Any, size: int) -> list[Any]:
    every: list[Any] = [None] * size
    distributed.all_gather_object(every, value)
    return every


def _difference(one: Mapping[str, str], two: Mapping[str, str]) -> str:
    """What differs first."""
    different = (name for name in one if one[name] != two.get(name))
    return next((f"{name} is {two.get(name)}, and not {one[name]}" for name in different), "")


class Pulse:
    """Tells the other nodes that this one is there, and ends this worker when one of them is not.

    Only each node's first worker does so: whoever started it ends the others of its node.
    """

    def __init__(self, store: Any) -> None:
        size = int(os.environ["WORLD_SIZE"])
        on_this = int(os.environ.get("LOCAL_WORLD_SIZE", size))
        self.node, count = launch.rank() // on_this, size // on_this
        others = [number for number in range(count) if number != self.node]
        self.seen = dict.fromkeys(others, ("", time.monotonic()))  # last beat, and when it came
        self.silence = min(SILENCE, _wait())
        self.store, self.left = store.clone(), threading.Event()  # a client of its own
        # Two, as who asks the store over a wire that is cut gets no answer, and no error either.
        self.threads = [
            threading.Thread(target=work, name="pulse", daemon=True)
            for work in (self._talk, self._watch)
            if others and os.environ["LOCAL_RANK"] == "0"
        ]

    def start(self) -> None:
        """Begin."""
        for one in self.threads:
            one.start()

    def leave(self) -> None:
        """This node is done, and will be missed by nobody."""
        self.left.set()
        for one in self.threads:
            one.join(EVERY)

    def _talk(self) -> None:
        """Count, and look at the others, until this node is done."""
        beats = 0
        while not self.left.wait(EVERY):
            beats += 1
            with suppress(RuntimeError):  # the first node's store; if that is gone, so are beats
                self.store.set(_key(self.node), str(beats))
                for number in list(self.seen):
                    self._look(number)
        with suppress(RuntimeError):  # the first node may have left before
            self.store.set(_key(self.node), DONE)

    def _watch(self) -> None:
        """End this worker when a node has been silent too long; its main thread hears nothing."""
        while not self.left.wait(EVERY):
            now = time.monotonic()
            oldest = min((since for _, since in [*self.seen.values()]), default=now)
            if now - oldest > self.silence:
                try:
                    launch.tell(GONE)
                finally:  # the end is what matters: nobody may be there to read the line
                    os._exit(2)

    def _look(self, number: int) -> None:
        """At one node's last beat; one that is done is not looked at any more."""
        if not self.store.check([_key(number)]):
            return
        beat = self.store.get(_key(number)).decode()
        if beat == DONE:
            del self.seen[number]
        elif beat != self.seen[number][0]:
            self.seen[number] = beat, time.monotonic()


def _key(node: int) -> str:
    return f"xstilts/pulse/{node}"
