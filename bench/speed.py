"""How fast the kit is: one table, each line a ratio to a rival that was measured in turn with it.

    python bench/speed.py                                all lines; 25 minutes on two quiet cores
    python bench/speed.py --only train predict --shapes small --tasks nli
    python bench/speed.py --small                        a tiny encoder, to see that all of it runs
    python bench/speed.py --out bench/results/speed.jsonl    keep the lines, each with the machine,
                                                         in the place of those that were kept
    python bench/speed.py --readme                       write what is kept there into README.md

Kit and rival are processes that take turns on the same rows in the same batches: the kit as its
stages run (fixed kernels, deterministic), transformers' `Trainer` and torch as they come, two
threads each. The median of the turns' ratios is shown with the least and the largest. Rows are real
where XSTILTS_MIRROR names a mirror, else as long as real ones (bench/rows.py).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import around
import table
from race import Child, race
from table import Line

TASKS = {
    "nli": "NLI, batch 32",
    "choice": "multiple choice, batch 16",
    "qa": "span QA, batch 16",
    "tags": "tagging, batch 32",
    "mlm": "masked LM, batch 32",
}
SCORED = {"nli": "NLI", "qa": "span QA", "tags": "tagging"}
EVALUATION_BATCHES = (8, 32)  # of a `Trainer`: its default, and a usual one


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    shapes: dict[str, int]  # shape -> updates a turn
    turns: int
    warm: int  # updates before the first turn
    scored: dict[str, int]  # shape -> examples that are predicted in a turn
    encoded: int  # rows that are tokenised in a turn
    side: int  # of the products that are the peak
    saving: int  # updates of a training whose state is weighed; the kit saves at the 20th
    weighed: tuple[str, ...]  # tasks whose memory is measured
    around: around.Scale


FULL = Scale(
    shapes={"small": 3, "real": 1},
    turns=4,
    warm=1,
    scored={"small": 256, "real": 64},
    encoded=900,
    side=2048,
    saving=22,
    weighed=("nli", "qa"),
    around=around.FULL,
)
SMALL = Scale(
    shapes={"tiny": 1},
    turns=2,
    warm=1,
    scored={"tiny": 40},
    encoded=100,
    side=1024,
    saving=22,
    weighed=("nli",),
    around=around.SMALL,
)


@dataclass
class Bench:
    """What all lines share."""

    scale: Scale
    tasks: list[str]
    place: Path  # a temporary folder
    out: Path | None
    common: dict[str, Any] = field(default_factory=table.machine)
    lines: list[Line] = field(default_factory=list)

    def note(self, *given: Any, **more: Any) -> None:
        """Keep a line."""
        line = Line(*given, **more)
        self.lines.append(line)
        if self.out:
            table.write(self.out, line, self.common)
        print("  ".join(one for one in line.cells() if one), flush=True)


class Sides:
    """The children of one shape, which share a checkpoint; each is started once."""

    def __init__(self, bench: Bench, shape: str) -> None:
        self.bench, self.shape, self.folder = bench, shape, bench.place / shape
        self.running: dict[tuple[str, ...], Child] = {}
        maker = Child("prepare", self.folder, shape)
        maker.close()
        self.real = maker.started["real"]
        self.told = {"shape": shape, "rows": "real" if self.real else "made up"}

    def fresh(self, role: str, *more: str) -> Child:
        """A process of its own."""
        return Child(role, self.folder, self.shape, *["--real"] * self.real, *more)

    @contextmanager
    def new(self, asked: dict[str, tuple[str, ...]]) -> Iterator[dict[str, Child]]:
        """Processes with such roles and options, of one age, as an old one is slower; then none."""
        with ExitStack() as stack:
            yield {
                way: stack.enter_context(closing(self.fresh(*options)))
                for way, options in asked.items()
            }

    def get(self, *asked: str) -> Child:
        """The process with such a role and options."""
        if asked not in self.running:
            self.running[asked] = self.fresh(*asked)
        return self.running[asked]

    def updates(self, task: str) -> tuple[dict[str, Any], int]:
        """The order to train in turns, and the examples of a turn."""
        scale = self.bench.scale
        each = scale.shapes[self.shape]
        order = {"what": "train", "task": task, "count": scale.turns}
        examples = each * int(TASKS[task].rpartition(" ")[2])
        return {**order, "warm": scale.warm, "each": each}, examples

    def scoring(self, task: str) -> tuple[dict[str, Any], int]:
        """The order to score in turns, and the examples of a turn; windows may be more."""
        scale = self.bench.scale
        examples = scale.scored[self.shape]
        return {
            "what": "predict",
            "task": task,
            "count": scale.turns,
            "examples": examples,
        }, examples

    def close(self) -> None:
        """End all."""
        for child in self.running.values():
            child.close()


def train(bench: Bench, sides: Sides) -> None:
    """Examples a second of training, and the share of the peak of products that this is."""
    kit, trainer = sides.get("kit"), sides.get("trainer")
    products = {"what": "peak", "side": bench.scale.side, "times": 5}

    def product() -> float:
        return float(race({"peak": (trainer, products)}, 0)[1]["peak"]["peak"])

    for task in bench.tasks:
        order, examples = sides.updates(task)
        before = product()
        seconds, last = race({"kit": (kit, order), "trainer": (trainer, order)}, bench.scale.turns)
        peak = max(before, product()) / 1e9
        rates = {way: [examples / one for one in taken] for way, taken in seconds.items()}
        title = f"training, {TASKS[task]}"
        told = sides.told
        bench.note("train", title, "examples/s", rates["kit"], "Trainer", rates["trainer"], **told)
        done = zip(last["kit"]["operations"], seconds["kit"], strict=True)
        reached = [operations / one / 1e9 for operations, one in done]
        peaks = [peak] * len(reached)
        bench.note("peak", title, "GFLOP/s", reached, "torch's best product", peaks, **told)


def predict(bench: Bench, sides: Sides) -> None:
    """Examples a second of scoring; the `Trainer` with the better of two batch sizes."""
    for task in [one for one in SCORED if one in bench.tasks]:
        order, _ = sides.scoring(task)
        theirs = {**order, "batches": EVALUATION_BATCHES}
        racing = {"kit": (sides.get("kit"), order), "trainer": (sides.get("trainer"), theirs)}
        seconds, last = race(racing, bench.scale.turns)
        count = last["kit"]["examples"]
        kit, trainer = ([count / one for one in taken] for taken in seconds.values())
        rival = f"Trainer.predict, batch {last['trainer']['batch']}"
        title = f"scoring, {SCORED[task]}"
        bench.note("predict", title, "examples/s", kit, rival, trainer, **sides.told)


def engine(bench: Bench, sides: Sides) -> None:
    """What DeepSpeed costs one process: the same loop with torch alone in its place."""
    order, examples = sides.updates("nli")
    asked = {"torch": ("kit", "--plain"), "0": ("kit",), "1": ("kit", "--zero", "1")}
    with sides.new(asked) as children:
        racing = {way: (child, order) for way, child in children.items()}
        seconds, _ = race(racing, bench.scale.turns)
    rates = {way: [examples / one for one in taken] for way, taken in seconds.items()}
    for stage in ("0", "1"):
        title, kit = f"training, NLI, DeepSpeed's ZeRO {stage}", rates[stage]
        bench.note("engine", title, "examples/s", kit, "torch alone", rates["torch"], **sides.told)


def bits(bench: Bench, sides: Sides) -> None:
    """What equal bits on every CPU cost: the same code with torch's own kernels."""
    orders: dict[str, tuple[dict[str, Any], int]] = {}
    for task in [one for one in SCORED if one in bench.tasks]:
        orders[f"training, {TASKS[task]}"] = sides.updates(task)
        orders[f"scoring, {SCORED[task]}"] = sides.scoring(task)
    with sides.new({"kit": ("kit",), "own": ("kit", "--own")}) as children:
        for title, (order, examples) in orders.items():
            racing = {way: (child, order) for way, child in children.items()}
            seconds, last = race(racing, bench.scale.turns)
            count = last["kit"].get("examples", examples)
            kit, own = ([count / one for one in taken] for taken in seconds.values())
            rival = "the kit on torch's kernels"
            bench.note("bits", title, "examples/s", kit, rival, own, **sides.told)


def memory(bench: Bench, sides: Sides) -> None:
    """The most that a training process holds, from its start to the last weights on disk."""
    for task in [one for one in bench.scale.weighed if one in bench.tasks]:
        order = {"what": "train", "task": task, "count": 1, "warm": 1, "each": 1}
        found = []
        for role in ("kit", "trainer"):
            child = sides.fresh(role)
            found.append([race({role: (child, order)}, 1)[1][role]["memory"] / 1e6])
            child.close()
        title = f"memory of a training, {TASKS[task]}"
        bench.note("memory", title, "MB", found[0], "Trainer", found[1], more=False, **sides.told)


def disk(bench: Bench, sides: Sides) -> None:
    """Bytes of what a training keeps to go on, and of what it keeps in the end."""
    order = {"what": "disk", "task": "nli", "steps": bench.scale.saving}
    found = [race({role: (sides.get(role), order)}, 0)[1][role] for role in ("kit", "trainer")]
    titles = {"state": "state to go on from", "kept": "an intermediate run's model"}
    for what, title in titles.items():
        kit, theirs = ([one[what] / 1e6] for one in found)
        bench.note("disk", title, "MB", kit, "Trainer", theirs, more=False, **sides.told)


def tokens(bench: Bench, sides: Sides) -> None:
    """Rows a second from text to features, against the tokenizer alone."""
    count = bench.scale.encoded
    for task in [one for one in ("nli", "qa") if one in bench.tasks]:
        order = {"what": "encode", "task": task, "count": bench.scale.turns, "examples": count}
        taken = race({"kit": (sides.get("kit"), order)}, 0)[1]["kit"]["taken"]
        kit, bare = ([count / one for one in taken[way]] for way in ("kit", "bare"))
        title = f"encoding, {SCORED[task]}"
        bench.note("tokens", title, "rows/s", kit, "the tokenizer alone", bare, **sides.told)


SHAPED: dict[str, Callable[[Bench, Sides], None]] = {
    "train": train,
    "predict": predict,
    "engine": engine,
    "bits": bits,
    "memory": memory,
    "disk": disk,
    "tokens": tokens,
}
ONCE = ("disk", "tokens")  # of the first shape alone


def main() -> None:
    """Measure what was asked for, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [*SHAPED, *around.LINES]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--shapes", nargs="+", choices=list(FULL.shapes))
    parser.add_argument("--turns", type=int)
    parser.add_argument("--small", action="store_true", help="a tiny encoder, in two minutes")
    parser.add_argument("--out", type=Path, help="JSON lines; what is measured replaces what was")
    parser.add_argument("--readme", action="store_true", help="only write README.md's table")
    asked = parser.parse_args()
    if asked.readme:
        page = table.ROOT / "README.md"
        text = table.update(page.read_text("utf-8"), table.markdown(asked.out or table.RESULTS))
        page.write_text(text, encoding="utf-8")
        return
    scale = SMALL if asked.small else FULL
    scale = scale if asked.turns is None else replace(scale, turns=asked.turns)
    with tempfile.TemporaryDirectory() as place:
        bench = Bench(scale, asked.tasks, Path(place), asked.out)
        shapes = [one for one in scale.shapes if one in (asked.shapes or scale.shapes)]
        for number, shape in enumerate(shapes):
            shaped = [one for one in SHAPED if one in asked.only and not (number and one in ONCE)]
            if shaped:
                with closing(Sides(bench, shape)) as sides:
                    for name in shaped:
                        SHAPED[name](bench, sides)
        for name in [one for one in around.LINES if one in asked.only]:
            around.LINES[name](bench.note, scale.around, bench.place)
    table.show(bench.lines)


if __name__ == "__main__":
    main()
