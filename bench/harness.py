"""What the benches of training share: how much work it is, and taking turns with a rival.

`Turns` is the child's side of a race (bench/side.py) that bench/speed.py calls: one process
measures while all others wait for a line on their standard input.
"""

from __future__ import annotations

import inspect
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from xstilts.core.params import Architecture
from xstilts.core.progress import Advance, Observe
from xstilts.training import batches

Record = dict[str, Any]
THREADS = 2
SEED = 1
SHAPES = {
    "small": Architecture(vocabulary=8_000, layers=4, hidden=256, heads=4, feed_forward=1024),
    "real": Architecture(vocabulary=250_037, layers=12, hidden=384, heads=12, feed_forward=1536),
    "tiny": Architecture(vocabulary=2_000, layers=2, hidden=32, heads=2, feed_forward=64),
}


def operations(shape: Architecture, lengths: Iterable[int]) -> float:
    """Floating-point operations of a forward pass over texts, without padding and vocabulary."""
    dense = 2 * (4 * shape.hidden**2 + 2 * shape.hidden * shape.feed_forward)
    return float(sum(shape.layers * (n * dense + 4 * n**2 * shape.hidden) for n in lengths))


def head_operations(shape: Architecture, masked: int) -> float:
    """Those of the language head on so many masked tokens."""
    return 2.0 * masked * shape.hidden * (shape.hidden + shape.vocabulary)


def order(features: Sequence[Any], batch: int, step: int) -> list[int]:
    """Which features the kit takes for an update."""
    return batches.batch_indices(len(features), batch, SEED, step)


def known(function: Callable[..., Any], **given: Any) -> Any:
    """Call with those arguments that it has: revisions of the kit differ in some."""
    names = inspect.signature(function).parameters
    return function(**{name: value for name, value in given.items() if name in names})


@dataclass
class Turns:
    """One side of a race: works while it is its turn, tells how long that took, and waits."""

    orders: TextIO
    answers: TextIO
    began: float = field(default_factory=time.perf_counter)

    def wait(self) -> Record:
        """The next order; the clock starts as it comes."""
        line = self.orders.readline()
        if not line:
            sys.exit()  # whoever calls the turns has ended
        told: Record = json.loads(line)
        self.began = time.perf_counter()
        return told

    def tell(self, **found: Any) -> None:
        """Answer an order."""
        print(json.dumps(found), file=self.answers, flush=True)

    def passed(self, **found: Any) -> None:
        """The end of a turn: tell its seconds, and wait for the next."""
        self.tell(seconds=time.perf_counter() - self.began, **found)
        self.wait()


@dataclass
class Updates:
    """Updates of a training in turns: the first ones warm up, then each turn has `each`."""

    turns: Turns
    warm: int
    each: int
    count: int

    @property
    def steps(self) -> int:
        """All updates."""
        return self.warm + self.each * self.count

    def measured(self) -> list[range]:
        """The updates of each turn."""
        return [
            range(self.warm + turn * self.each, self.warm + (turn + 1) * self.each)
            for turn in range(self.count)
        ]

    def done(self, step: int) -> None:
        """So many updates are done."""
        if step >= self.warm and (step - self.warm) % self.each == 0:
            self.turns.passed()


@dataclass
class Watch(Observe):
    """Tells each update that is done; knows the training's own progress by its title."""

    title: str = ""
    done: Callable[[int], None] = print

    @contextmanager
    def progress(self, description: str, total: int) -> Iterator[Advance]:
        """The loop calls with what was done before, then after each update."""
        step = 0

        def advance(count: int) -> None:
            nonlocal step
            step += count
            if count and description == self.title:
                self.done(step)

        yield advance


def lengths(features: Iterable[Any]) -> list[int]:
    """Tokens of every sequence."""
    return [len(ids) for feature in features for ids in feature["ids"]]


def size(folder: Path) -> int:
    """Bytes of all files below a folder; a file with two names counts once."""
    try:
        found = {
            one.stat().st_ino: one.stat().st_size for one in folder.rglob("*") if one.is_file()
        }
    except FileNotFoundError:  # one that is deleted meanwhile
        return 0
    return sum(found.values())
