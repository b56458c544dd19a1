"""What a resumable state costs the training that goes on: written on its path, or beside it.

    python bench/state_cost.py            a model of 100 M weights on the CPU: some minutes

Each round takes the same updates three times: without a state; with one that DeepSpeed writes and
that is then read again for its hashes; with one as training/state.py writes it. `held`: until the
next update begins; `all`: until the last one ends. Kept results: bench/README.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import training_jobs as jobs

from xstilts.core import files
from xstilts.core.machine import Machine
from xstilts.core.params import Architecture
from xstilts.training import loop, state
from xstilts.training.engine import initialize

WIDTH = {"layers": 2, "hidden": 768, "heads": 12, "feed_forward": 3072, "max_positions": 16}
jobs.SHAPE = Architecture(vocabulary=112_000, **WIDTH)


def now() -> Any:
    """Seconds: of the clock, of the CPU for the training's path, of the CPU for all threads."""
    return np.array([time.monotonic(), time.thread_time(), time.process_time()])


def reread(engine: Any, folder: Path) -> None:
    """A state on the path: DeepSpeed writes it, then each file is read for its hash."""
    engine.save_checkpoint(str(folder), tag="step1", save_latest=False)
    hashes = {path.name: files.sha256_file(path) for path in (folder / "step1").iterdir()}
    files.write_json(folder / "hashes.json", hashes)


def main() -> None:
    """The least of each way's rounds: what else the machine does only adds."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=10, help="of each way in a round")
    asked = parser.parse_args()
    machine, found = Machine(threads=2, micro_batch=8, save_seconds=1e9), defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        run = jobs.a_run(Path(folder), machine, epochs=None, steps=asked.updates)
        engine = initialize(run.build(), run.spec.training, machine, run.setup.workers)
        own = engine.checkpoint_engine
        with state.States(engine, run.state, machine, run.setup.workers) as states:
            ways = {
                "without": lambda: None,
                "reread": lambda: reread(engine, run.state / "old"),
                "beside": lambda: states.save(len(found["beside"]), {}),
            }
            for way, save in asked.rounds * [*ways.items()]:
                engine.checkpoint_engine = own if way == "reread" else states.writer
                times = [now()]
                save()
                times.append(now())
                for step in range(asked.updates):
                    loop._update(run, engine, step)
                while states.tag:  # still being written
                    time.sleep(0.05)
                    states.due()
                found[way].append([*(times[1] - times[0]), *(now() - times[0])])
                print(way, *(f"{one:.2f}" for one in found[way][-1]), flush=True)
    names = [f"{what}, {of}" for what in ("held", "all") for of in ("clock", "CPU, path", "CPU")]
    for way, rounds in found.items():
        least = zip(names, np.min(rounds, axis=0), strict=True)
        print(way, *(f"{name}: {one:.2f} s" for name, one in least), sep="  ")


if __name__ == "__main__":
    main()
