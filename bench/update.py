"""What one update costs: our loop against plainer ways, as ratios measured in one run.

    python bench/update.py            two minutes on 2 cores; prints a table

Same model, rows, order and number of threads for all; the ways take turns, so that a noisy machine
is noisy for all of them; the median of the rounds counts. Kept results: bench/README.md.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xstilts import kinds
from xstilts.core.machine import Machine
from xstilts.core.params import Architecture, Training
from xstilts.core.progress import Observe
from xstilts.model import checkpoint, heads
from xstilts.training import batches, loop
from xstilts.training.engine import Setup, Workers, initialize

SHAPE = Architecture(
    vocabulary=2000, layers=2, hidden=128, heads=4, feed_forward=512, max_positions=130
)
BUDGET = Training(steps=1000, batch=64, learning_rate=1e-4, dropout=0.0, max_length=128)
MACHINE = Machine(threads=2, micro_batch=16)
ROUNDS, UPDATES = 7, 8


class Words:
    """All that the loop asks of a tokenizer."""

    pad_token_id = 1


def a_run(machine: Machine, workers: Workers) -> loop.Run:
    """Pair classification on rows whose lengths are spread as MNLI's: log-normal, median 36."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(3.58, 0.45, 4000).astype(int), 8, 128)
    features = [
        {"ids": [rng.integers(5, 2000, n).tolist()], "row": i, "label": i % 3}
        for i, n in enumerate(lengths)
    ]
    spec = loop.TrainingSpec("bench", BUDGET, 1)
    data = loop.HeadData("bench", kinds.get("classification"), features)
    setup = Setup(Words(), machine, workers, Observe(quiet=True))
    return loop.Run(spec, model, [data], Path(), setup)


def model() -> heads.WithHeads:
    """A small XLM-R under a head for three classes."""
    torch.manual_seed(0)
    encoder = checkpoint.small_xlmr(SHAPE, 2000, 0.0).base_model
    head = kinds.get("classification").head(128, ["a", "b", "c"], 0.0)
    return heads.WithHeads(encoder, [head])


def engine_way(machine: Machine, workers: Workers) -> Callable[[int], Any]:
    """Our loop on a DeepSpeed engine."""
    run = a_run(machine, workers)
    engine = initialize(run.build(), BUDGET, machine, workers)
    return lambda step: loop._update(run, engine, step)


def plain_way(workers: Workers, padded: bool) -> Callable[[int], Any]:
    """Plain torch: one batch padded to its longest row, or our sorted micro-batches."""
    run = a_run(MACHINE, workers)
    net, (data,) = run.build(), run.data
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4)

    def update(step: int) -> None:
        order = batches.batch_indices(len(data.features), BUDGET.batch, 1, step)
        batch = [data.features[i] for i in order]
        for piece in [batch] if padded else batches.pieces_of(batch, 4):
            tensors = batches.collate(piece, 1, workers.device)
            (data.kind.loss(net(**tensors), piece) / len(batch)).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return update


def main() -> None:
    """Let the ways take turns; print medians and ratios."""
    workers = Workers.start(MACHINE)
    ways = {
        "plain torch, one padded batch": plain_way(workers, padded=True),
        "plain torch, sorted micro-batches": plain_way(workers, padded=False),
        "xstilts, DeepSpeed ZeRO 1": engine_way(MACHINE, workers),
        "xstilts, DeepSpeed ZeRO 2": engine_way(MACHINE.model_copy(update={"zero": 2}), workers),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(ROUNDS + 1):
        for name, update in ways.items():
            began = time.perf_counter()
            for step in range(UPDATES):
                update(step)
            if turn:  # the first turn warms up
                times[name].append(time.perf_counter() - began)
    base = statistics.median(times["plain torch, one padded batch"])
    print("| way | ms per update | time, padded batch = 1 |\n|---|---|---|")
    for name, seconds in times.items():
        middle = statistics.median(seconds)
        print(f"| {name} | {1000 * middle / UPDATES:.0f} | {middle / base:.2f} |")


if __name__ == "__main__":
    main()
