"""What a resumable state costs the training that goes on: written on its path, or beside it.

    python bench/state_cost.py            a model of 100 M weights on the CPU: some minutes

Each round takes the same updates three times: without a state; with one that DeepSpeed writes and
that is then read again for its hashes; with one as training/state.py writes it. `held`: seconds
until the next update begins; `lost`: what all updates took longer, as the writing thread needs a
core, too. Kept results: bench/README.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import training_jobs as jobs

from xstilts.core import files
from xstilts.core.machine import Machine
from xstilts.core.params import Architecture
from xstilts.training import loop, state
from xstilts.training.engine import initialize

WIDTH = {"layers": 2, "hidden": 768, "heads": 12, "feed_forward": 3072, "max_positions": 16}
jobs.SHAPE = Architecture(vocabulary=112_000, **WIDTH)


def reread(engine: Any, folder: Path) -> None:
    """A state on the path: DeepSpeed writes it, then each file is read for its hash."""
    engine.save_checkpoint(str(folder), tag="step1", save_latest=False)
    hashes = {path.name: files.sha256_file(path) for path in (folder / "step1").iterdir()}
    files.write_json(folder / "hashes.json", hashes)


def measure(place: Path, rounds: int, updates: int) -> dict[str, list[tuple[float, float]]]:
    """Way -> of each round (seconds until the first update, seconds until the last one's end)."""
    machine = Machine(threads=2, micro_batch=8, save_seconds=1e9)
    run = jobs.a_run(place, machine, epochs=None, steps=updates)
    engine = initialize(run.build(), run.spec.training, machine, run.setup.workers)
    own, found = engine.checkpoint_engine, defaultdict(list)
    with state.States(engine, run.state, machine, run.setup.workers) as states:
        ways = {
            "without": lambda: None,
            "reread": lambda: reread(engine, place / "old"),
            "beside": lambda: states.save(len(found["beside"]), {}),
        }
        for number in range(rounds + 1):
            for way, save in ways.items():
                engine.checkpoint_engine = own if way == "reread" else states.writer
                start = time.monotonic()
                save()
                held = time.monotonic() - start
                for step in range(updates):
                    loop._update(run, engine, step)
                    states.due()
                if number:  # not what is slow at first
                    found[way].append((held, time.monotonic() - start))
                while states.tag:
                    states.due()
    return found


def main() -> None:
    """The best round of each way: what else the machine does only adds."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=10, help="of each way in a round")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        found = measure(Path(place), asked.rounds, asked.updates)
        size = sum(path.stat().st_size for path in (Path(place) / "old").rglob("*.pt"))
    plain = min(whole for _, whole in found["without"])
    print(f"a state of {size / 1e9:.2f} GB; {asked.updates} updates take {plain:.1f} s")
    for way in ("reread", "beside"):
        held, whole = map(min, zip(*found[way], strict=True))
        print(f"{way}: held {held:.2f} s, lost {whole - plain:.2f} s")


if __name__ == "__main__":
    main()
