"""Hashes of a few updates under every kind of head: `python training_bits.py THREADS`.

All that a training does on the CPU is in it: dropout, clipping, accumulation, adapters, attention
over layers, a mix, embeddings, gradients of each architecture, products that are cut into blocks.
Equal lines are equal bits. bench/other_cpu.py runs it on emulated CPUs, which multiply about ten
million times a second: hence the small shapes. A test runs it with other threads, and under MKL's
own log.
"""

import hashlib
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    from xstilts.core import determinism
    from xstilts.core.machine import Machine

    determinism.prepare(Machine(threads=int(sys.argv[1])))
    sys.modules["mlflow"] = None  # type: ignore[assignment]  # only DeepSpeed asks for it

import numpy as np
import torch
import training_encoders
from training_jobs import ADAPTER, QUIET, Words

from xstilts.core.machine import Machine
from xstilts.core.params import Architecture, Mixing, Training
from xstilts.evaluation.embed import Pooled
from xstilts.kinds import modules
from xstilts.model import adapters, checkpoint, heads, packed
from xstilts.model.seq2seq import EncoderDecoder, Model
from xstilts.training import loop
from xstilts.training.engine import Setup, Workers
from xstilts.training.predict import predict

HIDDEN = 64
SHAPE = Architecture(
    vocabulary=40, layers=2, hidden=HIDDEN, heads=2, feed_forward=128, max_positions=50
)
BUDGET = Training(
    steps=2, batch=4, learning_rate=0.01, dropout=0.1, max_length=48, negatives=2, clip=0.5
)
MICRO = 2  # so that each update accumulates the gradients of two micro-batches
KINDS = ("classification", "multiple_choice", "span", "tagging", "ranking", "mlm", "generation")


def feature(kind: str, row: int, rng: np.random.Generator) -> dict[str, Any]:
    """One example with all that any kind asks for; two sequences where a kind has several."""
    several = 2 if kind in ("multiple_choice", "ranking") else 1
    ids = [[0, *rng.integers(5, 39, rng.integers(24, 46)).tolist(), 2] for _ in range(several)]
    places = list(range(1, len(ids[0]) - 1))
    tags = [token % 3 for token in ids[0][1:-1]]
    answer = {"start": 3, "end": 3 + row % 9}
    told = {"places": places, "tags": tags, "free": np.array(places), **answer}
    if kind == "generation":
        told |= {"target": [*ids[0][1:9], 2], "given": ids[0][:9], "begun": 1}
    return {"ids": ids, "row": row, "label": row % 2, **told}


def data(kind: str) -> loop.HeadData:
    """Twenty examples of a kind."""
    rng = np.random.default_rng(len(kind))
    return loop.HeadData(kind, modules.get(kind), [feature(kind, row, rng) for row in range(20)])


def kinds_of(name: str) -> list[str]:
    """The kinds of heads of a training: `mix` has two, `adapter` one, others their own."""
    return {"mix": ["tagging", "mlm"], "adapter": ["classification"]}.get(name, [name])


def model(name: str) -> Model:
    """The model of a training; `mix` with attention over layers, `adapter` with adapters."""
    torch.manual_seed(0)
    if name == "generation":
        return EncoderDecoder(checkpoint.small_mt5(SHAPE, SHAPE.vocabulary, BUDGET.dropout))
    whole = checkpoint.small_xlmr(SHAPE, SHAPE.vocabulary, BUDGET.dropout)
    made = [
        checkpoint.language_head(whole)
        if kind == "mlm"
        else modules.get(kind).head(HIDDEN, ["a", "b", "c"], BUDGET.dropout)
        for kind in kinds_of(name)
    ]
    fused = {0: heads.LayerAttention(HIDDEN)} if name == "mix" else {}
    net = heads.WithHeads(whole.base_model, made, fused)
    if name == "adapter":
        adapters.add(net.encoder, ADAPTER)
    return net


def hashed(*arrays: Any) -> str:
    """Of all bytes of arrays or tensors."""
    whole = b"".join(np.ascontiguousarray(one).tobytes() for one in arrays)
    return hashlib.sha256(whole).hexdigest()[:16]


def encoder_hash(name: str) -> str:
    """Of the gradients of an architecture's random encoder, sequences of two lengths."""
    with tempfile.TemporaryDirectory() as folder:
        encoder = checkpoint.load_encoder(training_encoders.checkpoint(name, Path(folder)))
    rows = [[token % 8 for token in range(length)] for length in (10, 9, 10)]
    batch = packed.pack(rows, None, np.arange(29), encoder.config.pad_token_id, torch.device("cpu"))
    packed.prepare(encoder)
    packed.run(encoder, batch)[0].sin().sum().backward()
    return hashed(*(one.grad for one in encoder.parameters() if one.grad is not None))


def products_hash() -> str:
    """Of products large enough to be cut, by rows, columns and matrices, and their gradients."""
    torch.manual_seed(0)
    made = []
    for left, right in (
        ((900, 100), (100, 95)),
        ((95, 100), (100, 900)),
        ((3, 170, 98), (3, 98, 170)),
        ((24, 700), (700, 30)),  # longer chains than some CPUs make
        ((24, 1100), (1100, 30)),
        ((1, 300), (300, 40)),
    ):
        factors = [torch.randn(shape, requires_grad=True) for shape in (left, right)]
        product = factors[0] @ factors[1]
        product.sin().sum().backward()
        made += [product.detach(), *(one.grad for one in factors)]
    return hashed(*made)


def main(machine: Machine) -> None:
    """Print a line for the products and each training, embedding and architecture."""
    setup = Setup(Words(), machine, Workers.start(machine), QUIET)
    print("products", products_hash(), flush=True)
    for name in (*KINDS, "mix", "adapter"):
        mixing = Mixing(cap=16, temperature=2.0) if name == "mix" else None
        spec = loop.TrainingSpec(name, BUDGET, 1, mixing=mixing)
        each = [data(kind) for kind in kinds_of(name)]
        with tempfile.TemporaryDirectory() as folder:
            run = loop.Run(spec, partial(model, name), each, Path(folder), setup)
            path, _ = loop.train(run)
            print(name, hashed(path.read_bytes()), flush=True)
    pooled, rows = Pooled(model("mlm").encoder, 1, "mean"), data("mlm").features
    retrieval, workers = modules.get("retrieval"), setup.workers
    print("embeddings", hashed(*predict(pooled, retrieval, rows, 1, 300, workers)), flush=True)
    for name in training_encoders.NAMES:
        print(name, encoder_hash(name), flush=True)


if __name__ == "__main__":
    main(Machine(threads=int(sys.argv[1]), micro_batch=MICRO))
