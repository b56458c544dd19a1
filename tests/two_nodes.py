"""Not a test: two network namespaces as two nodes, each with an address of its own.

Their file system is one, as that of a cluster; all that goes between them goes over a wire (veth).
It takes root and iproute2: `possible()` says whether they are here.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import projects

_PAIRS = itertools.count()
ADDRESSES = "10.231.7.1", "10.231.7.2"


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def possible() -> bool:
    """Whether namespaces can be made here."""
    name = f"xstilts-{os.getpid()}-try"
    if os.geteuid() != 0 or not shutil.which("ip"):
        return False
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return made.returncode == 0


@dataclass(frozen=True)
class Nodes:
    """Two namespaces."""

    names: tuple[str, str]

    def start(
        self, number: int, folder: Path, command: Sequence[str], **more: str
    ) -> subprocess.Popen[str]:
        """Begin a command of a project on a node, in a process group of its own."""
        return subprocess.Popen(
            ["ip", "netns", "exec", self.names[number], *command],
            cwd=folder,
            env=projects.inside(folder, **more),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def both(
        self, folder: Path, *command: str, **more: str
    ) -> tuple[subprocess.Popen[str], subprocess.Popen[str]]:
        """Begin it on both, each told by the environment which node it is."""
        told = {"MASTER_ADDR": ADDRESSES[0], "MASTER_PORT": "29517", **more}
        first, second = (self.start(n, folder, command, NODE_RANK=str(n), **told) for n in (0, 1))
        return first, second

    def cut(self) -> None:
        """Pull the plug: nobody is told that a connection has ended."""
        _ip("-n", self.names[1], "link", "set", "wire1", "down")


@contextmanager
def made() -> Iterator[Nodes]:
    """Two nodes for the body; what still runs in them is killed at its end."""
    pair = f"xstilts-{os.getpid()}-{next(_PAIRS)}"
    names = f"{pair}a", f"{pair}b"
    try:
        for name in names:
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        wire = ("type", "veth", "peer", "name", "wire1", "netns", names[1])
        _ip("-n", names[0], "link", "add", "wire0", *wire)
        for name, end, address in zip(names, ("wire0", "wire1"), ADDRESSES, strict=True):
            _ip("-n", name, "address", "add", f"{address}/24", "dev", end)
            _ip("-n", name, "link", "set", end, "up")
        yield Nodes(names)
    finally:
        for name in names:
            command = ["ip", "netns", "pids", name]
            found = subprocess.run(command, capture_output=True, text=True, check=False)
            for process in found.stdout.split():
                os.kill(int(process), signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def finished(*started: subprocess.Popen[str]) -> list[tuple[int, str]]:
    """Exit code and errors of each."""
    return [(one.wait(170), one.communicate()[1]) for one in started]
