"""One side of a race, as a process that takes its turns: bench/speed.py starts and calls it.

    python bench/side.py prepare|kit|trainer FOLDER --shape small [--zero 1] [--plain] ...

A line of JSON on standard input is an order: the name of a method and its arguments. Each answer is
a line on standard output; all else that is printed goes to standard error.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__" and "trainer" not in sys.argv[1] and "--own" not in sys.argv:
    from xstilts.core import determinism
    from xstilts.core.machine import Machine

    determinism.prepare(Machine(threads=2))  # before numpy and torch are imported

from harness import THREADS, Turns


def side(asked: argparse.Namespace) -> Any:
    """The object that carries out orders."""
    if asked.role == "trainer":
        from side_trainer import Theirs

        return Theirs(asked.folder, asked.shape, asked.real)
    import own_kernels
    import plain_engine
    from side_kit import Kit

    if asked.plain:
        plain_engine.install()
    if asked.own:
        own_kernels.install(asked.threads)
    return Kit(asked.folder, asked.shape, asked.real, asked.zero, asked.threads)


def memory() -> int:
    """Bytes that this process held at most."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> None:
    """Prepare, or take orders until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("role", choices=["prepare", "kit", "trainer"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shape", required=True)
    parser.add_argument("--real", action="store_true", help="rows of the mirror")
    parser.add_argument("--zero", type=int)
    parser.add_argument("--plain", action="store_true", help="torch alone in place of DeepSpeed")
    parser.add_argument("--threads", type=int, default=THREADS, help="of the kit")
    parser.add_argument("--own", action="store_true", help="torch's own kernels, as it comes")
    asked = parser.parse_args()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries that print do not answer
    turns = Turns(sys.stdin, answers)
    if asked.role == "prepare":
        from side_kit import prepare

        turns.tell(**prepare(asked.folder, asked.shape))
        return
    taking = side(asked)
    turns.tell(started=True)
    while True:
        order = turns.wait()
        found = getattr(taking, order.pop("what"))(turns, **order)
        turns.tell(done=True, memory=memory(), **found)


if __name__ == "__main__":
    main()
