"""The Trainer's side of a race: the kit's features in the kit's order, torch as it comes.

Used by bench/side.py. Nothing here asks for deterministic algorithms, or for other products than
torch's own.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import rivals
import rows
import torch
from harness import SEED, SHAPES, THREADS, Record, Turns, Updates, order, size
from rows import TASKS
from side_kit import features

from xstilts.model import tokenizer


class Theirs:
    """Orders of a race, carried out by `Trainer`."""

    def __init__(self, folder: Path, shape: str, real: bool) -> None:
        torch.set_num_threads(THREADS)
        self.folder, self.vocabulary, self.real = folder, SHAPES[shape].vocabulary, real
        self.words = tokenizer.load(folder)

    def train(self, turns: Turns, task: str, count: int, warm: int, each: int) -> Record:
        """Updates in turns; the last weights are saved, as the kit's are."""
        updates = Updates(turns, warm, each, count)
        with tempfile.TemporaryDirectory() as out:
            one = self._trainer(task, updates.steps, out)
            one.add_callback(rivals.Each(updates.done))
            one.train()
            one.save_model(out)
        return {}

    def predict(
        self, turns: Turns, task: str, count: int, examples: int, batches: list[int]
    ) -> Record:
        """All features, once a turn, with the faster of some batch sizes."""
        found = rows.rows(task, examples, self.vocabulary, self.real)
        made = features(task, found, self.words, taught=False)
        asked: Any = rivals.rows_of(made, TASKS[task].kind)
        with tempfile.TemporaryDirectory() as out:
            ways = {
                batch: self._trainer(task, 1, out, per_device_eval_batch_size=batch)
                for batch in batches
            }
            taken = {batch: _seconds(one, asked) for batch, one in ways.items()}
            best = min(taken, key=taken.__getitem__)
            turns.passed()
            for _ in range(count):
                ways[best].predict(asked)
                turns.passed()
        return {"batch": best}

    def peak(self, turns: Turns, side: int, times: int) -> Record:
        """The fastest of some products, operations a second."""
        turns.passed()
        return {"peak": rivals.product(side, times)}

    def disk(self, turns: Turns, task: str, steps: int) -> Record:
        """Bytes of a checkpoint to go on from, and of a saved model."""
        with tempfile.TemporaryDirectory() as out:
            saving = {"save_strategy": "steps", "save_steps": steps, "save_total_limit": 1}
            one = self._trainer(task, steps, out, **saving)
            one.train()
            one.save_model(f"{out}/kept")
            turns.passed()
            states = Path(out).glob("checkpoint-*")
            return {"state": sum(map(size, states)), "kept": size(Path(out) / "kept")}

    def _trainer(self, task: str, steps: int, out: str, **more: Any) -> Any:
        """A `Trainer` on the rows of so many updates."""
        one = TASKS[task]
        found = rows.rows(task, steps * one.batch, self.vocabulary, self.real)
        made = features(task, found, self.words)
        taken = [made[i] for step in range(steps) for i in order(made, one.batch, step)]
        torch.manual_seed(SEED)
        return rivals.trainer(
            rivals.load(self.folder, one.kind, one.labels),
            rivals.collator(one.kind, self.words),
            rivals.rows_of(taken, one.kind),
            out,
            steps,
            one.batch,
            use_cpu=True,
            **more,
        )


def _seconds(one: Any, asked: Any) -> float:
    """Of the second of two rounds of predictions."""
    one.predict(asked)
    start = time.perf_counter()
    one.predict(asked)
    return time.perf_counter() - start
