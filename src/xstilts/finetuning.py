"""Fine-tune a checkpoint's encoder under a fresh head: phase ii and phase iii alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from xstilts import files, inference, kinds, metrics, model, training
from xstilts.distributed import Workers
from xstilts.kinds import Row
from xstilts.observe import Observe
from xstilts.params import Machine, Training


@dataclass(frozen=True)
class Setup:
    """What all trainings of one process share."""

    tokenizer: Any
    machine: Machine
    workers: Workers
    observe: Observe


@dataclass(frozen=True)
class Goal:
    """What is to be learnt."""

    kind: str
    labels: list[str]
    metric: str
    language: str  # of training and validation rows
    validation: str | None  # parquet file, for `select: best`
    training: Training
    seed: int


def finetune(
    title: str, checkpoint: Path, goal: Goal, rows: list[Row], state: Path, setup: Setup
) -> tuple[model.WithHead, training.History]:
    """Train on `rows`; give the model with its final (or best) weights, and the history.

    Raises:
        UserError: the checkpoint is broken, there are no rows, or the loss is no number.
    """
    budget, kind = goal.training, kinds.get(goal.kind)
    net = _fresh(checkpoint, goal).to(setup.workers.device)
    features = kind.encode(rows, setup.tokenizer, budget.max_length, budget.stride)
    job = training.Job(
        title, net, features, kind, setup.tokenizer, budget, goal.seed, _validation(goal, setup)
    )
    weights, history = training.train(job, state, setup.machine, setup.observe)
    training.load_weights(net, weights)
    return net, history


def _fresh(checkpoint: Path, goal: Goal) -> model.WithHead:
    """A checkpoint's encoder under a head whose first weights depend on the seed alone."""
    encoder = model.load_encoder(checkpoint, goal.training.dropout)
    torch.manual_seed(goal.seed)
    size = encoder.config.hidden_size
    head = kinds.get(goal.kind).head(size, goal.labels, goal.training.dropout)
    return model.WithHead(encoder, head)


def _validation(goal: Goal, setup: Setup) -> Callable[[nn.Module], float] | None:
    """The score on the first source-language validation rows, for `select: best`; else None."""
    if goal.validation is None:
        return None
    kind, measure, budget = kinds.get(goal.kind), metrics.METRICS[goal.metric], goal.training
    rows = files.read_parquet(Path(goal.validation)).to_pylist()[: budget.evaluate_rows]
    alone = Workers(0, 1, setup.workers.device)  # every worker scores all rows, so all agree

    def evaluate(net: nn.Module) -> float:
        decoder = inference.Decoder(
            net,
            kind,
            goal.labels,
            setup.tokenizer,
            (budget.max_length, budget.stride),
            budget.batch,
            alone,
        )
        gold = kind.references(rows, goal.labels)
        return measure.score(decoder(rows), gold, goal.language)[measure.main]

    return evaluate
