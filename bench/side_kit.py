"""The kit's side of a race: fine-tuning, predicting and encoding by what its stages call.

Used by bench/side.py. A training is `finetune`'s, and its updates are told by `Observe`.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rows
import torch
from harness import (
    SEED,
    SHAPES,
    Record,
    Turns,
    Updates,
    Watch,
    head_operations,
    known,
    lengths,
    operations,
    order,
    size,
)
from rows import TASKS, Row

from xstilts.core import passes
from xstilts.core.machine import Machine
from xstilts.core.params import Training
from xstilts.kinds import modules
from xstilts.model import checkpoint, tokenizer
from xstilts.training import predict
from xstilts.training.engine import Setup, Workers
from xstilts.training.finetune import FineTuned, finetune
from xstilts.training.loop import TrainingSpec

NEVER = 1e9  # seconds between two states
SCORED = 64  # examples of a forward pass, of commits before predictions were cut by tokens


def prepare(folder: Path, shape: str) -> Record:
    """A checkpoint with random weights, its tokenizer, and whether real rows are read by it."""
    folder.mkdir(parents=True)
    real = rows.write_tokenizer(folder, SHAPES[shape].vocabulary)
    torch.manual_seed(SEED)
    checkpoint.small_xlmr(SHAPES[shape], SHAPES[shape].vocabulary, 0.1).save_pretrained(folder)
    return {"real": real}


def features(name: str, found: list[Row], words: Any, taught: bool = True) -> list[Any]:
    """What the kit's kind makes of rows."""
    task, kind = TASKS[name], modules.get(TASKS[name].kind)
    made = kind.encode(found, words, task.max_length, 128)
    return [one for one in made if kind.taught(one)] if taught and hasattr(kind, "taught") else made


class Kit:
    """Orders of a race, carried out by the kit."""

    def __init__(
        self, folder: Path, shape: str, real: bool, zero: int | None, threads: int
    ) -> None:
        self.folder, self.shape, self.real = folder, shape, real
        self.machine = Machine(device="cpu", threads=threads, save_seconds=NEVER, zero=zero)
        self.workers = Workers.start(self.machine)
        self.words = tokenizer.load(folder)

    def train(self, turns: Turns, task: str, count: int, warm: int, each: int) -> Record:
        """Updates in turns; operations of each turn."""
        updates = Updates(turns, warm, each, count)
        found = self._rows(task, updates.steps * TASKS[task].batch)
        self._finetuned(task, found, updates.steps, updates.done)
        made = features(task, found, self.words)
        return {"operations": [self._operations(task, made, one) for one in updates.measured()]}

    def predict(self, turns: Turns, task: str, count: int, examples: int) -> Record:
        """All features, once to warm up and once a turn."""
        return {"examples": self._predicted(task, examples, 1 + count, lambda _: turns.passed())}

    def profile(self, turns: Turns, of: str, task: str, warm: int, times: int) -> Record:
        """Seconds of an update, or of scoring, without and by kernel with torch's profiler."""
        profiler = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU])
        clock: dict[int, float] = {}
        whole = warm + 2 * times

        def done(step: int) -> None:
            clock[step] = time.perf_counter()
            if step == warm + times:
                profiler.start()
            if step == whole:
                profiler.stop()

        if of == "train":
            self._finetuned(task, self._rows(task, whole * TASKS[task].batch), whole, done)
        else:
            self._predicted(task, 8 * TASKS[task].batch, whole, done)
        turns.passed()
        kernels = {
            one.key: one.self_cpu_time_total / 1e6 / times for one in profiler.key_averages()
        }
        return {"seconds": (clock[warm + times] - clock[warm]) / times, "kernels": kernels}

    def encode(self, turns: Turns, task: str, count: int, examples: int) -> Record:
        """Rows to features by the kit, and to ids by the tokenizer alone, in turn."""
        found, ways = self._rows(task, examples), {"kit": features, "bare": _bare}
        taken: dict[str, list[float]] = {way: [] for way in ways}
        for turn in range(1 + count):
            for way, encoding in ways.items():
                start = time.perf_counter()
                encoding(task, found, self.words)
                if turn:
                    taken[way].append(time.perf_counter() - start)
        turns.passed()
        return {"taken": taken}

    def disk(self, turns: Turns, task: str, steps: int) -> Record:
        """Bytes of a resumable state at most, and of what phase ii keeps."""
        found, most = self._rows(task, steps * TASKS[task].batch), 0
        with tempfile.TemporaryDirectory() as place:
            state, kept = Path(place) / "state", Path(place) / "kept"

            def done(step: int) -> None:
                nonlocal most
                most = max(most, size(state))

            # At each look at the clock, whatever it costs; earlier commits know no share.
            often = {"save_seconds": 1e-9, "save_share": 1.0}
            told = {one: often[one] for one in often if one in Machine.model_fields}
            eager = self.machine.model_copy(update=told)
            tuned = self._finetuned(task, found, steps, done, state, eager)
            tuned.model.encoder.save_pretrained(kept)
            turns.passed()
            return {"state": most, "kept": size(kept)}

    def _rows(self, task: str, count: int) -> list[Row]:
        return rows.rows(task, count, SHAPES[self.shape].vocabulary, self.real)

    def _predicted(self, task: str, examples: int, times: int, done: Callable[[int], None]) -> int:
        """Predict all features so many times; how many they are."""
        found = self._rows(task, examples)
        made = features(task, found, self.words, taught=False)
        model = self._finetuned(task, found, 1).model
        for number in range(times):
            known(
                predict.predict,
                model=model,
                kind=modules.get(TASKS[task].kind),
                features=made,
                pad=self.words.pad_token_id,
                batch=SCORED,
                tokens=passes.scored(self.machine, TASKS[task].max_length, "cpu"),
                workers=self.workers,
                part=0,
            )
            done(number + 1)
        return len(made)

    def _finetuned(
        self,
        task: str,
        found: list[Row],
        steps: int,
        done: Callable[[int], None] = lambda step: None,
        state: Path | None = None,
        machine: Machine | None = None,
    ) -> FineTuned:
        """A training as phase ii has it."""
        one = TASKS[task]
        training = Training(
            steps=steps, batch=one.batch, learning_rate=1e-5, max_length=one.max_length
        )
        spec = TrainingSpec(f"bench {task}", training, SEED, [one.part(task)])
        watch = Watch(quiet=True, title=spec.title, done=done)
        setup = Setup(self.words, machine or self.machine, self.workers, watch)
        with tempfile.TemporaryDirectory() as place:
            return finetune(self.folder, spec, [found], state or Path(place), setup)

    def _operations(self, task: str, made: list[Any], steps: range) -> float:
        """Of forward and backward pass over the real tokens of some updates."""
        shape = SHAPES[self.shape]
        taken = [made[i] for step in steps for i in order(made, TASKS[task].batch, step)]
        work = operations(shape, lengths(taken))
        if task == "mlm":
            work += head_operations(shape, sum(round(0.15 * len(one["free"])) for one in taken))
        return 3 * work


def _bare(task: str, found: list[Row], words: Any) -> Any:
    """The ids of rows, by one call of the tokenizer."""
    length = TASKS[task].max_length
    if TASKS[task].kind == "span":
        return words(
            [row["question"] for row in found],
            [row["context"] for row in found],
            truncation="only_second",
            max_length=length,
            stride=128,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
    first, second = ([row[name] for row in found] for name in ("text_a", "text_b"))
    return words(first, second, truncation=True, max_length=length)
