"""The most memory that a training takes, beside what it would take by the kit's prediction.

`python training_peak.py '{"shape": {...}, "machine": {...}, "rows": 8, "length": 128, ...}'`, in a
process of its own; prints {"measured": bytes, "predicted": bytes}, without the process itself.
Used by tests/training/test_memory.py and bench/memory.py.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # before numpy and torch are imported
    from xstilts.core import determinism
    from xstilts.core.machine import Machine

    determinism.prepare(Machine(threads=1))

import numpy as np
import torch
import training_jobs as jobs

from xstilts.core.machine import Machine
from xstilts.core.params import Architecture, Training
from xstilts.core.peak import peak
from xstilts.kinds import modules
from xstilts.model import checkpoint, heads
from xstilts.training import launch, loop
from xstilts.training.engine import Setup, Workers
from xstilts.training.memory import Layout, Micro, Shape, needed


def features(rows: int, length: int, vocabulary: int) -> list[dict[str, Any]]:
    """Rows of random pieces, all as long as they may be."""
    rng = np.random.default_rng(0)
    return [
        {
            "ids": [[0, *rng.integers(5, vocabulary - 1, length - 2).tolist(), 2]],
            **{"row": row, "label": row % 2, "free": np.arange(1, length - 1)},
        }
        for row in range(rows)
    ]


def resident() -> int:
    """Bytes that this process has now."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"^VmRSS:\s*(\d+)", status, re.M)[0]) * 1024


class Words(jobs.Words):
    """A tokenizer of so many pieces."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.mask_token_id = count - 1

    def __len__(self) -> int:
        return self.count


def model(shape: Architecture, kind: str, dropout: float, frozen: bool) -> heads.WithHeads:
    """A random encoder under a head."""
    torch.manual_seed(0)
    whole = checkpoint.small_xlmr(shape, shape.vocabulary, dropout)
    if kind == "mlm":
        head = checkpoint.language_head(whole)
    else:
        head = modules.get(kind).head(shape.hidden, ["a", "b"], dropout)
    net = heads.WithHeads(whole.base_model, [head])
    if frozen:
        net.encoder.get_input_embeddings().requires_grad_(False)
    return net


def measure(
    shape: dict[str, Any],
    machine: dict[str, Any],
    training: dict[str, Any],
    kind: str = "classification",
) -> dict[str, float]:
    """Two updates of a batch in this process."""
    import deepspeed

    assert deepspeed
    size = Architecture(**{"max_positions": 512, **shape})
    layout = Machine(**{"threads": 1, "activation_checkpointing": False, **machine})
    own = Training(**{"steps": 2, "learning_rate": 1e-4, "max_length": 128, **training})
    rows = features(own.batch, own.max_length, size.vocabulary)
    data = [loop.HeadData(kind, modules.get(kind), rows)]
    setup = Setup(Words(size.vocabulary), layout, Workers.start(layout), jobs.QUIET)
    before = resident()
    with tempfile.TemporaryDirectory() as folder:
        spec = loop.TrainingSpec(kind, own, 1)
        build = partial(model, size, kind, own.dropout, own.freeze is not None)
        loop.train(loop.Run(spec, build, data, Path(folder), setup))
    most = peak()["process"] - before
    micro = Micro.largest(own, layout, "cpu", [(own.max_length, 1, kind == "mlm")])
    twice = layout.activation_checkpointing is True
    where = Layout.of(layout, own, "cpu")
    told = needed(Shape.of_architecture(size), own, micro, where, twice)
    return {"measured": most, "predicted": told}


def apart(case: dict[str, Any]) -> dict[str, float]:
    """`measure` in a process of its own, or in several."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), json.dumps(case)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    _case = json.loads(sys.argv[1])
    _count = _case["machine"].get("processes", 1)
    if _count > 1 and not launch.is_worker():
        sys.exit(launch.run_workers(_count, [sys.executable, *sys.argv]))
    Workers.start(Machine(threads=1))
    _found = measure(**_case)
    if launch.rank() == 0:
        print(json.dumps(_found))
