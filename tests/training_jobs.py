"""Small trainings for the tests of the loop; run as a script, in processes of their own.

`python training_jobs.py '{"processes": 2, "runs": [{"folder": ..., "zero": 1, ...}]}'` does each
run in turn: `job` names it, `stop` ends it before that step with an exception, `die` by SIGKILL.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from xstilts.core.machine import Machine
from xstilts.core.params import Adapter, Architecture, Mixing, Training
from xstilts.core.progress import Observe
from xstilts.kinds import modules
from xstilts.model import adapters, checkpoint, heads, prompts
from xstilts.model.seq2seq import EncoderDecoder, Model
from xstilts.training import launch, loop, state
from xstilts.training.engine import Setup, Workers

SHAPE = Architecture(vocabulary=40, layers=2, hidden=16, heads=2, feed_forward=32, max_positions=16)
TRAINING = {"epochs": 3, "batch": 8, "learning_rate": 0.01, "dropout": 0.1, "max_length": 16}
ROWS = 20  # so that a batch straddles two epochs
ADAPTER = Adapter(rank=4, dropout=0.1)
DECODERS = ("decoder", "decoder-bf16", "prompt")  # jobs of encoder-decoders
QUIET = Observe(quiet=True)
EVER = {"save_seconds": 1e-9, "save_share": 1.0}  # a state at each look at the clock


class Words:
    """All that the loop asks of a tokenizer."""

    pad_token_id = 1
    mask_token_id = 39
    all_special_ids = (0, 1, 2, 3, 39)
    added_tokens_decoder = MappingProxyType({})

    def __len__(self) -> int:
        return SHAPE.vocabulary


def sequences(seed: int, rows: int = ROWS) -> list[list[int]]:
    """Random ids between <s> and </s>."""
    rng = np.random.default_rng(seed)
    return [[0, *rng.integers(5, 39, rng.integers(2, 9)).tolist(), 2] for _ in range(rows)]


def classified() -> loop.HeadData:
    """Rows whose label is their first token's parity."""
    features = [
        {"ids": [ids], "row": row, "label": ids[1] % 2} for row, ids in enumerate(sequences(0))
    ]
    return loop.HeadData("parity", modules.get("classification"), features)


def tagged() -> loop.HeadData:
    """Each token's tag is its id's remainder by 3."""
    features = [
        {
            "ids": [ids],
            "row": row,
            "places": list(range(1, len(ids) - 1)),
            "tags": [token % 3 for token in ids[1:-1]],
        }
        for row, ids in enumerate(sequences(1, 12))
    ]
    return loop.HeadData("tags", modules.get("tagging"), features)


def masked() -> loop.HeadData:
    """Text, for a quarter of the updates."""
    features = [
        {"ids": [ids], "row": row, "free": np.arange(1, len(ids) - 1)}
        for row, ids in enumerate(sequences(2, 15))
    ]
    return loop.HeadData("text", modules.get("mlm"), features, share=0.25)


def answered() -> loop.HeadData:
    """Sources whose answer is their first two tokens."""
    features = [
        {"ids": [ids], "row": row, "target": [*ids[1:3], 2], "given": [1, *ids[1:3]], "begun": 1}
        for row, ids in enumerate(sequences(3))
    ]
    return loop.HeadData("answers", modules.get("generation"), features)


def a_run(
    state: Path, machine: Machine, job: str = "single", score: Any = None, **changes: Any
) -> loop.Run:
    """`single`, `bf16`, `attention`, `adapter` or `mix`; `decoder` and `decoder-bf16`; `prompt`."""
    precision = {"precision": "bf16"} if job.endswith("bf16") else {}
    settings = Training(**{**TRAINING, **precision, **changes})
    one = answered() if job in DECODERS else classified()
    data = [classified(), tagged(), masked()] if job == "mix" else [one]
    mixing = Mixing(cap=16, temperature=2.0) if job == "mix" else None
    spec = loop.TrainingSpec(job, settings, 1, mixing=mixing)
    setup = Setup(Words(), machine, Workers.start(machine), QUIET)
    return loop.Run(spec, lambda: model(job, settings.dropout), data, state, setup, score)


def model(job: str, dropout: float) -> Model:
    """The model of a job before its training."""
    torch.manual_seed(0)
    if job in DECODERS:
        whole = checkpoint.small_mt5(SHAPE, SHAPE.vocabulary, dropout)
        return EncoderDecoder(prompts.add(whole, 3) if job == "prompt" else whole)
    whole = checkpoint.small_xlmr(SHAPE, SHAPE.vocabulary, dropout)
    made = [modules.get("classification").head(SHAPE.hidden, ["a", "b"], dropout)]
    if job == "mix":
        made.append(modules.get("tagging").head(SHAPE.hidden, ["a", "b", "c"], dropout))
        made.append(checkpoint.language_head(whole))
    fused = {"attention": [0], "mix": [0, 1]}.get(job, [])
    net = heads.WithHeads(
        whole.base_model, made, {i: heads.LayerAttention(SHAPE.hidden) for i in fused}
    )
    if job == "adapter":
        adapters.add(net.encoder, ADAPTER)
    return net


def trained(folder: Path, machine: Machine, job: str = "single", **changes: Any) -> Any:
    """Train in this process: (weights by name, history)."""
    path, history = loop.train(a_run(folder, machine, job, **changes))
    return load_file(path), history


def equal(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    """Bit-equal weights."""
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def apart(processes: int, *runs: dict[str, Any]) -> subprocess.Popen[str]:
    """Do runs in processes of their own, as a stage does."""
    plan = json.dumps({"processes": processes, "runs": runs}, default=str)
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve()), plan],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for it; a failure shows what it said."""
    _, said = process.communicate(timeout=170)
    assert process.returncode == 0, said[-2000:]
    return said


class Stopped(Exception):
    """An interruption that leaves the process alive."""


def stop_at(step: int, die: bool = False) -> Any:
    """Make `training._update` end the training before `step`; gives what undoes that."""
    update = loop._update

    def ending(run: Any, engine: Any, now: int, batch: Any) -> torch.Tensor:
        if now == step:
            if die:
                os.kill(os.getpid(), 9)
            raise Stopped
        return update(run, engine, now, batch)

    loop._update = ending
    return update


def run(
    folder: str, zero: int, job: str = "single", stop: int = -1, die: int = -1, **layout: Any
) -> None:
    """One run of a plan; states are saved every other step."""
    machine = Machine(zero=zero, threads=1, micro_batch=2, **EVER, **layout)
    loop.SAVE_CHECK = 2
    usual, state.pause = state.pause, lambda *_: 0.0  # however long the last one took to be written
    update = stop_at(max(stop, die), die >= 0)
    try:
        loop.train(a_run(Path(folder), machine, job))
    except Stopped:
        pass
    finally:
        loop._update, state.pause = update, usual


if __name__ == "__main__":
    _plan = json.loads(sys.argv[1])
    if _plan["processes"] > 1 and launch.MEETING not in os.environ:
        sys.exit(launch.run_workers(_plan["processes"], [sys.executable, *sys.argv]))
    for _run in _plan["runs"]:
        run(**_run)
