"""The caller's side of a race: processes that measure in turn, one while all others sleep."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Record = dict[str, Any]
Seconds = dict[str, list[float]]
Answers = dict[str, Record]
SIDE = Path(__file__).with_name("side.py")


class Child:
    """A process of bench/side.py, once it is ready.

    Attributes:
        started: what it said then.
    """

    def __init__(self, role: str, folder: Path, shape: str, *more: str) -> None:
        self.log = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, str(SIDE), role, str(folder), "--shape", shape, *more],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            # Who was started by one of several workers would look for the others.
            env={name: value for name, value in os.environ.items() if name != "LOCAL_RANK"},
        )
        self.started = self.answer()

    def answer(self) -> Record:
        """What it says next.

        Raises:
            RuntimeError: it has ended; with the end of what it printed.
        """
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise RuntimeError(f"a side of the race failed:\n{self.log.read()[-3000:]}")
        told: Record = json.loads(line)
        return told

    def ask(self, **order: Any) -> Record:
        """Give an order, or the turn where there is none; wait for the answer."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self) -> None:
        """End it."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()
        self.log.close()


def race(sides: Mapping[str, tuple[Child, Record]], turns: int) -> tuple[Seconds, Answers]:
    """Let children carry out an order each, in turn; what comes before the first turn warms up.

    Returns:
        Seconds of each turn by name, and by name what each child says in the end.
    """
    seconds: Seconds = {name: [] for name in sides}
    for child, order in sides.values():
        child.ask(**order)
    for _ in range(turns):
        for name, (child, _) in sides.items():
            seconds[name].append(child.ask()["seconds"])
    return seconds, {name: child.ask() for name, (child, _) in sides.items()}
