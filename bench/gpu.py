"""Speed, memory and bits of XLM-R Large on one GPU, and how transformers' `Trainer` compares.

    python bench/gpu.py --out FILE                all of it, in about five minutes; to JSON lines
    python bench/gpu.py --only matmul train       some of it
    python bench/gpu.py --small                   a tiny encoder on the CPU, in under a minute

Random weights, rows of random ids: as many pieces as pairs of sentences have (NLI), and whole
windows (QA). The kit trains by `training.loop`, as its stages do. The `Trainer` is as it comes, in
bf16 by autocast, with padding to a multiple of 8 and without deterministic algorithms; it gets the
same batches in the same order, turn about with the kit. Kept results: bench/README.md.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # before numpy and torch are imported
    from xstilts.core import determinism, machine

    determinism.prepare(machine.Machine())

import numpy as np
import rivals
import torch
from harness import operations
from tokenizers import Tokenizer, models
from transformers import (
    PreTrainedTokenizerFast,
    TrainerCallback,
    XLMRobertaForQuestionAnswering,
    XLMRobertaForSequenceClassification,
)

from xstilts.core.machine import Machine
from xstilts.core.params import Architecture, Training
from xstilts.core.passes import SCORED_TOKENS
from xstilts.core.progress import Advance, Observe
from xstilts.kinds import modules
from xstilts.kinds.base import Feature
from xstilts.model import checkpoint
from xstilts.model.heads import WithHeads
from xstilts.records import provenance
from xstilts.training import batches, loop, predict
from xstilts.training.engine import Setup, Workers

LARGE = Architecture(vocabulary=250_002, layers=24, hidden=1024, heads=16, feed_forward=4096)
TINY = Architecture(vocabulary=500, layers=2, hidden=32, heads=2, feed_forward=64)
BATCH, SEED, LABELS = 32, 1, ["a", "b", "c"]
NEVER = 1e9  # seconds between two states
KERNELS = 25  # that a profile names
CUDNN = "TORCH_CUDNN_SDPA_DEPRIORITIZED"
Record = dict[str, Any]


@dataclass(frozen=True)
class Scale:
    """How large all is: on a GPU, or in small."""

    shape: Architecture
    device: str
    updates: int  # of a training that is timed
    warm: int  # its first updates, which do not count
    rows: int
    window: int  # pieces of a window of question answering
    side: int  # of the matrices that are multiplied


@dataclass(frozen=True)
class Task:
    """Rows of one kind, and the model of the Trainer for them."""

    name: str
    kind: str
    length: int
    features: list[Feature]
    theirs: Any

    def lengths(self, steps: range) -> list[int]:
        """Tokens of every row in some updates."""
        chosen = (i for step in steps for i in self.order(step))
        return [len(self.features[i]["ids"][0]) for i in chosen]

    def order(self, step: int) -> list[int]:
        """Rows of an update, in the kit's order."""
        return batches.batch_indices(len(self.features), BATCH, SEED, step)


class Stopped(Exception):
    """An interruption that leaves the process alive."""


class Profile:
    """What the device does in some updates, by torch's profiler, which makes the host slower.

    Args:
        updates: how many, after those of the warm-up.
    """

    def __init__(self, bench: Bench, updates: int) -> None:
        self.bench, self.first, self.updates = bench, bench.scale.warm, updates
        kinds = torch.profiler.ProfilerActivity
        kind = kinds.CUDA if bench.cuda() else kinds.CPU
        self.profiler = torch.profiler.profile(activities=[kind])

    def after(self, done: int) -> None:
        """Begin or end after so many updates."""
        if done in (self.first, self.first + self.updates):
            self.bench.wait()
            (self.profiler.start if done == self.first else self.profiler.stop)()

    def found(self) -> Record:
        """Milliseconds and kernels of an update, and the kernels that take longest."""
        where = "device" if self.bench.cuda() else "cpu"
        each = [
            (getattr(row, f"self_{where}_time_total") / 1000 / self.updates, row)
            for row in self.profiler.key_averages()
        ]
        each = sorted(((ms, row) for ms, row in each if ms), key=lambda one: -one[0])
        return {
            "device_ms_per_update": round(sum(ms for ms, _ in each), 2),
            "kernels_per_update": round(sum(row.count for _, row in each) / self.updates, 1),
            "longest": [
                [round(ms, 2), round(row.count / self.updates, 1), row.key[:200]]
                for ms, row in each[:KERNELS]
            ],
        }


@dataclass
class Watch(Observe):
    """Notes when each update was done; may end a training after one of them."""

    stop: int = -1
    profile: Profile | None = None
    times: list[float] = field(default_factory=list)

    @contextmanager
    def progress(self, description: str, total: int) -> Iterator[Advance]:
        """The loop calls with 0 first, and reads the loss before each further call."""

        def advance(count: int) -> None:
            self.times.append(time.perf_counter())
            if self.profile:
                self.profile.after(len(self.times) - 1)
            if len(self.times) == self.stop:
                raise Stopped

        yield advance


class Bench:
    """What all measurements share."""

    def __init__(self, scale: Scale, turns: int, out: Path | None) -> None:
        self.scale, self.turns, self.out = scale, turns, out
        self.workers = Workers.start(Machine(device=scale.device))  # type: ignore[arg-type]
        known = Tokenizer(models.WordLevel({"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}, "<unk>"))
        self.tokenizer = PreTrainedTokenizerFast(tokenizer_object=known, pad_token="<pad>")
        self.tasks = [_nli(scale), _qa(scale)]
        self.rate = 0.0  # of a large product, operations a second
        seen, used = provenance.hardware(), provenance.software()["packages"]
        self.common = {
            "device": seen["gpus"][0] if scale.device == "cuda" else seen["cpu"],
            "driver": seen["driver"],
            **{name: used.get(name) for name in ("torch", "transformers", "deepspeed")},
            "commit": provenance.git_state()["commit"],
        }

    def note(self, what: str, **found: Any) -> Record:
        """Print a record and keep it."""
        record = {"what": what, **found}
        print(json.dumps(record), flush=True)
        if self.out:
            with self.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record | self.common) + "\n")
        return record

    def cuda(self) -> bool:
        """Whether there is a GPU to be waited for and whose memory is counted."""
        return self.workers.device.type == "cuda"

    def wait(self) -> float:
        """The time at which the device has done all that it was told."""
        if self.cuda():
            torch.cuda.synchronize()
        return time.perf_counter()

    def fresh(self) -> None:
        """Forget models of before, and the most memory that was used."""
        gc.collect()
        if self.cuda():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def peak(self) -> float | None:
        """The most GPU memory that tensors took, in 1e9 bytes."""
        return round(torch.cuda.max_memory_allocated() / 1e9, 2) if self.cuda() else None

    def speed(self, lengths: list[int], seconds: float, passes: int) -> Record:
        """Rates of some rows; `passes` is 1 forward, 3 with the backward pass, which costs two."""
        rate = passes * operations(self.scale.shape, lengths) / seconds
        return {
            "tokens_per_s": round(sum(lengths) / seconds),
            "sequences_per_s": round(len(lengths) / seconds, 1),
            "mfu": round(rate / self.rate, 3) if self.rate else None,
        }

    def model(self, task: Task) -> WithHeads:
        """The kit's model, the same at every call; its weights are drawn where they are used."""
        torch.manual_seed(SEED)
        with torch.device(self.workers.device):
            whole = checkpoint.small_xlmr(self.scale.shape, self.scale.shape.vocabulary, 0.1)
            head = modules.get(task.kind).head(self.scale.shape.hidden, LABELS, 0.1)
        return WithHeads(whole.base_model, [head])


def _nli(scale: Scale) -> Task:
    """Pairs of sentences: log-normal lengths, median 36, 8 to 128 pieces."""
    rng = np.random.default_rng(0)
    lengths = np.clip(np.exp(rng.normal(np.log(36), 0.45, scale.rows)), 8, 128).astype(int)
    features = [
        {"ids": [_ids(rng, scale, length)], "row": i, "label": int(rng.integers(len(LABELS)))}
        for i, length in enumerate(lengths)
    ]
    return Task("nli", "classification", 128, features, XLMRobertaForSequenceClassification)


def _qa(scale: Scale) -> Task:
    """Whole windows, the first 20 pieces of each the question."""
    rng, length, first = np.random.default_rng(1), scale.window, 20
    words = np.arange(length - first - 1)
    full = np.ones(len(words), dtype=bool)  # every token has its maximum context here
    features = []
    for i in range(scale.rows // 4):
        start = int(rng.integers(first, length - 9))
        answer = {"start": start, "end": start + int(rng.integers(8))}
        shared = {"row": i, "first": first, "words": words, "full": full}
        features.append({"ids": [_ids(rng, scale, length)], **shared, **answer})
    return Task("qa", "span", length, features, XLMRobertaForQuestionAnswering)


def _ids(rng: np.random.Generator, scale: Scale, length: int) -> list[int]:
    """Random pieces between <s> and </s>."""
    return [0, *rng.integers(5, scale.shape.vocabulary, length - 2).tolist(), 2]


def matmul(bench: Bench) -> None:
    """Products of random bf16 matrices."""
    side, times = bench.scale.side, 20
    a, b = (torch.randn(side, side, device=bench.workers.device).bfloat16() for _ in range(2))
    for _ in range(5):
        a @ b
    start = bench.wait()
    for _ in range(times):
        a @ b
    bench.rate = 2 * side**3 * times / (bench.wait() - start)
    bench.note("matmul", side=side, tflops=round(bench.rate / 1e12, 1))


def kit(
    bench: Bench,
    task: Task,
    folder: Path,
    watch: Watch,
    updates: int,
    precision: str = "bf16",
    **machine: Any,
) -> Path:
    """One training by the kit; the file of its weights."""
    bench.fresh()
    budget = Training(
        steps=updates, batch=BATCH, learning_rate=1e-5, max_length=task.length, precision=precision
    )
    settings = {"device": bench.scale.device, "save_seconds": NEVER} | machine
    setup = Setup(bench.tokenizer, Machine(**settings), bench.workers, watch)
    data = [loop.HeadData(task.name, modules.get(task.kind), task.features)]
    spec = loop.TrainingSpec(task.name, budget, SEED)
    run = loop.Run(spec, partial(bench.model, task), data, folder, setup)
    return loop.train(run)[0]


def _timed(bench: Bench, task: Task, times: list[float]) -> Record:
    """Rates of the updates after the first ones, and how long those took."""
    warm, last = bench.scale.warm, len(times) - 1
    seconds = times[last] - times[warm]
    return {
        **bench.speed(task.lengths(range(warm, last)), seconds, 3),
        "ms_per_update": round(1000 * seconds / (last - warm), 1),
        "warm_up_s": round(times[warm] - times[0], 2),
        "peak_gb": bench.peak(),
    }


def timed(bench: Bench, task: Task, **more: Any) -> Record:
    """The rates of one training by the kit, whose weights are dropped."""
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        kit(bench, task, Path(folder), watch, bench.scale.updates, **more)
    return _timed(bench, task, watch.times)


class Clock(TrainerCallback):
    """Notes when updates were done, waiting for the device at the ends of what is measured."""

    def __init__(self, bench: Bench, profile: Profile | None = None) -> None:
        self.bench, self.profile, self.times = bench, profile, []

    def on_step_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Before the first update."""
        if not self.times:
            self.times.append(self.bench.wait())

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """After each update."""
        marked = (self.bench.scale.warm, self.bench.scale.updates)
        done = state.global_step in marked
        self.times.append(self.bench.wait() if done else time.perf_counter())
        if self.profile:
            self.profile.after(state.global_step)


def trainer(bench: Bench, task: Task, folder: str, steps: int, features: list[Feature]) -> Any:
    """A `Trainer` on given rows, as its documentation has it."""
    with torch.device("meta"):
        config = checkpoint.small_xlmr(bench.scale.shape, bench.scale.shape.vocabulary, 0.1).config
    config.num_labels = len(LABELS) if task.name == "nli" else 2
    torch.manual_seed(SEED)
    with torch.device(bench.workers.device):
        model = task.theirs(config)
    return rivals.trainer(
        model,
        rivals.collator(task.kind, bench.tokenizer, pad_to_multiple_of=8),
        rivals.rows_of(features, task.kind),
        folder,
        steps,
        BATCH,
        bf16=True,
        per_device_eval_batch_size=2 * BATCH,
        use_cpu=not bench.cuda(),
    )


@contextmanager
def usual() -> Iterator[None]:
    """Torch without deterministic algorithms, and no word of the kit's one worker."""
    kept = {name: os.environ.pop(name) for name in ("LOCAL_RANK",) if name in os.environ}
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(True)
        os.environ.update(kept)


def theirs(bench: Bench, task: Task, profile: Profile | None = None) -> Record:
    """The rates of one training by the Trainer."""
    bench.fresh()
    steps, clock = bench.scale.updates, Clock(bench, profile)
    features = [task.features[i] for step in range(steps) for i in task.order(step)]
    with tempfile.TemporaryDirectory() as folder, usual():
        one = trainer(bench, task, folder, steps, features)
        one.add_callback(clock)
        one.train()
        assert one.args.parallel_mode.value == "not_parallel", one.args.parallel_mode
    return _timed(bench, task, clock.times)


def train(bench: Bench) -> None:
    """Kit and Trainer in turn; the ratio of their median rates."""
    for task in bench.tasks:
        found: dict[str, list[float]] = {}
        ways: dict[str, Callable[[], Record]] = {
            "kit": lambda task=task: timed(bench, task),
            "kit, micro-batch 8": lambda task=task: timed(bench, task, micro_batch=8),
            "trainer": lambda task=task: theirs(bench, task),
        }
        if task.name == "nli":
            del ways["kit, micro-batch 8"]
        for turn in range(bench.turns):
            for way, measure in ways.items():
                record = bench.note("train", task=task.name, way=way, turn=turn, **measure())
                found.setdefault(way, []).append(record["tokens_per_s"])
        medians = {way: statistics.median(rates) for way, rates in found.items()}
        ratios = {way: round(medians[way] / medians["trainer"], 3) for way in medians}
        bench.note("train, ratio to trainer", task=task.name, **ratios)


def profiles(bench: Bench) -> None:
    """How long the GPU works in an update of the kit's and of the Trainer's, and on what."""
    for task in bench.tasks:
        for way in ("kit", "trainer"):
            profile = Profile(bench, 3)
            if way == "kit":
                with tempfile.TemporaryDirectory() as folder:
                    watch = Watch(profile=profile)
                    kit(bench, task, Path(folder), watch, bench.scale.updates)
            else:
                theirs(bench, task, profile)
            bench.note("profile", task=task.name, way=way, **profile.found())


def plain(bench: Bench) -> None:
    """The kit without deterministic algorithms, which cost what `train` is slower."""
    for task in bench.tasks:
        with usual():
            os.environ["LOCAL_RANK"] = "0"  # DeepSpeed insists on it
            record = timed(bench, task)
        bench.note("not deterministic", task=task.name, cudnn_last=os.environ.get(CUDNN), **record)


def cudnn(bench: Bench) -> None:
    """`plain` in a process where cuDNN's attention comes last; torch reads the variable once."""
    bench.fresh()
    command = [sys.executable, __file__, "--only", "matmul", "plain"]
    command += ["--out", str(bench.out)] if bench.out else []
    command += [] if bench.cuda() else ["--small"]
    subprocess.run(command, env={**os.environ, CUDNN: "1"}, check=True)


def zero(bench: Bench) -> None:
    """ZeRO stages of one process, beside stage 1 in bf16, which `train` measures."""
    for precision, stage in (("fp32", 0), ("fp32", 1), ("bf16", 2)):
        record = timed(bench, bench.tasks[0], precision=precision, zero=stage)
        bench.note("zero", task="nli", precision=precision, stage=stage, **record)


def predictions(bench: Bench) -> None:
    """The kit's predictions for models that were trained in float32 and in bf16, the Trainer's."""
    for task in bench.tasks:
        ways = {
            "kit, fp32": partial(_ours, bench, task, bench.model(task), "fp32"),
            "kit": partial(_ours, bench, task, bench.model(task), "bf16"),
        }
        for way, predicting in ways.items():
            bench.fresh()
            bench.note("predict", task=task.name, way=way, **_predicted(bench, task, predicting))
        ways.clear()
        bench.fresh()
        with tempfile.TemporaryDirectory() as folder, usual():
            one = trainer(bench, task, folder, 1, task.features)
            found = _predicted(bench, task, partial(one.predict, one.train_dataset))
        bench.note("predict", task=task.name, way="trainer", **found)
        del one


def _ours(bench: Bench, task: Task, model: WithHeads, precision: str) -> list[Any]:
    """The kit's predictions of all rows."""
    kind, pad = modules.get(task.kind), bench.tokenizer.pad_token_id
    tokens = SCORED_TOKENS[bench.workers.device.type]
    return predict.predict(model, kind, task.features, pad, tokens, bench.workers, 0, precision)


def _predicted(bench: Bench, task: Task, predicting: Callable[[], Any]) -> Record:
    """Rates of the second of two rounds over all rows."""
    predicting()
    start = bench.wait()
    predicting()
    lengths = [len(feature["ids"][0]) for feature in task.features]
    return {**bench.speed(lengths, bench.wait() - start, 1), "peak_gb": bench.peak()}


def bits(bench: Bench) -> None:
    """Two whole trainings, and one that is stopped and goes on: their weights' sha256."""
    half = loop.SAVE_CHECK
    updates, found = 2 * half, {}
    for task in bench.tasks:
        for way in ("whole", "whole again", "stopped"):
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                if way == "stopped":
                    often = {"save_seconds": 1e-9, "save_share": 1.0}
                    try:
                        stop = Watch(stop=half + 3)
                        kit(bench, task, folder, stop, updates, micro_batch=16, **often)
                    except Stopped:
                        pass
                watch = Watch()
                path = kit(bench, task, folder, watch, updates, micro_batch=16)
                found[way] = file_hash(path)
            done = len(watch.times) - 1
            bench.note("bits", task=task.name, way=way, updates=done)
        bench.note("equal bits", task=task.name, equal=len(set(found.values())) == 1, **found)


def file_hash(path: Path) -> str:
    """The first digits of a file's sha256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


PARTS: dict[str, Callable[[Bench], None]] = {
    "matmul": matmul,
    "train": train,
    "profile": profiles,
    "plain": plain,
    "cudnn": cudnn,
    "predict": predictions,
    "zero": zero,
    "bits": bits,
}


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a tiny encoder on the CPU")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--out", type=Path, help="a file that gets the records as JSON lines")
    parser.add_argument("--tasks", nargs="+", choices=["nli", "qa"], default=["nli", "qa"])
    parser.add_argument("--turns", type=int, default=2, help="of kit and Trainer")
    asked = parser.parse_args()
    large = Scale(LARGE, "cuda", updates=40, warm=10, rows=2048, window=384, side=8192)
    small = Scale(TINY, "cpu", updates=6, warm=2, rows=96, window=48, side=256)
    bench = Bench(small if asked.small else large, asked.turns, asked.out)
    bench.tasks = [task for task in bench.tasks if task.name in asked.tasks]
    for name in asked.only:
        PARTS[name](bench)


if __name__ == "__main__":
    main()
