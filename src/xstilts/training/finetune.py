"""Fine-tune an encoder under a head for each part of a goal: phase ii and phase iii alike.

`finetune` is the only way in: single tasks, mixes, continued masked language modelling, adapters,
attention over layers, learning-rate sweeps.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from xstilts import metrics
from xstilts.core import files
from xstilts.core.errors import UserError
from xstilts.core.machine import Machine
from xstilts.core.params import Mixing, Part, Training
from xstilts.core.progress import Observe
from xstilts.kinds import modules
from xstilts.kinds.base import Row
from xstilts.model import adapters, checkpoint, heads
from xstilts.model.checkpoint import language_head, load_encoder, load_masked_lm
from xstilts.model.heads import WithHeads
from xstilts.training import loop, predict
from xstilts.training.engine import Workers


@dataclass(frozen=True)
class Setup:
    """What all trainings of one process share."""

    tokenizer: Any
    machine: Machine
    workers: Workers
    observe: Observe


@dataclass(frozen=True)
class Goal:
    """What is to be learnt, and how; one head a part."""

    parts: Sequence[Part]
    training: Training
    seed: int
    mixing: Mixing | None = None


@dataclass(frozen=True)
class Trained:
    """What came of it.

    Attributes:
        net: with its last (or best) weights, float32, adapters merged, on the setup's device.
        history: curves; of a sweep those of the rate that won.
        rate: the learning rate.
        validation: main value (0-100) on the first `evaluate_rows` validation rows, of a mix the
            mean over its parts that have some; None without validation rows.
        tried: of a sweep each rate's validation; 0 where the loss was no number.
    """

    net: WithHeads
    history: loop.History
    rate: float
    validation: float | None
    tried: dict[float, float] = field(default_factory=dict)


def finetune(
    title: str,
    start: Path | WithHeads,
    goal: Goal,
    rows: Sequence[list[Row]],
    state: Path,
    setup: Setup,
) -> Trained:
    """Train on `rows[i]` for `goal.parts[i]`.

    Args:
        title: what a person sees.
        start: a checkpoint folder, whose encoder gets fresh heads (first weights from the seed
            alone), or a model that goes on with its heads; it stays as it is.
        state: folder for all that is needed to go on after an interruption.

    Raises:
        UserError: the start is broken or does not fit the goal, there are no rows, or none to
            select on.
        training.Diverged: the loss is no number (in a sweep: at every rate).
    """
    lessons = [_lesson(part, own, setup) for part, own in zip(goal.parts, rows, strict=True)]
    attempt = _Attempt(title, start, goal, lessons, setup, _validation(goal, setup))
    if goal.training.validated and attempt.validation is None:
        raise UserError(
            f"{title}: there are no validation rows to select on. "
            "Mend: take them into the study, or select: last and no sweep"
        )
    if not goal.training.sweep:
        return attempt.trained(goal.training.learning_rate, state)
    return _swept(attempt, sorted(set(goal.training.sweep)), state)


def _lesson(part: Part, rows: list[Row], setup: Setup) -> loop.Lesson:
    """The encoded rows of a part."""
    kind, lengths = modules.get(part.kind), (part.max_length, part.stride)
    features = kind.encode(rows, setup.tokenizer, *lengths) if rows else []
    return loop.Lesson(part.task, kind, features, part.share)


def _swept(attempt: _Attempt, rates: list[float], state: Path) -> Trained:
    """Train with each rate from the same start; the best on validation, of equals the smallest."""
    tried: dict[float, float | None] = {}
    best: float | None = None
    for rate in rates:
        tried[rate] = score = attempt.score(rate, _place(state, rate))
        lost = rate
        if score is not None and (best is None or score > (tried[best] or 0.0)):
            best, lost = rate, rate if best is None else best
        if lost != best:  # one set of weights is kept, however many rates are tried
            (_place(state, lost) / loop.TRAINED).unlink(missing_ok=True)
    if best is None:
        raise loop.Diverged(
            f"{attempt.title}: at every rate of the sweep the loss is no number. "
            "Mend: sweep smaller rates, or look at the training rows"
        )
    told = {rate: score or 0.0 for rate, score in tried.items()}
    return replace(attempt.trained(best, _place(state, best)), tried=told)


def _place(state: Path, rate: float) -> Path:
    """Where one rate of a sweep is trained."""
    return state / f"rate-{rate!r}"


@dataclass(frozen=True)
class _Attempt:
    """All of a training but its learning rate and its folder."""

    title: str
    start: Path | WithHeads
    goal: Goal
    lessons: Sequence[loop.Lesson]
    setup: Setup
    validation: Callable[[nn.Module], float] | None

    def trained(self, rate: float, state: Path) -> Trained:
        """Train with this rate; what was trained before is read from `state`."""
        goal, setup = self.goal, self.setup
        budget = goal.training.model_copy(update={"learning_rate": rate})
        job = loop.Job(
            f"{self.title}, rate {rate:g}" if goal.training.sweep else self.title,
            self.net().to(setup.workers.device),
            self.lessons,
            setup.tokenizer,
            budget,
            goal.seed,
            goal.mixing,
            self.validation if budget.select == "best" else None,
        )
        weights, history = loop.train(job, state, setup.machine, setup.observe)
        del job  # its model is cut or rounded; it makes room
        net = self.net()
        loop.load_weights(net, weights)
        if budget.adapter:
            adapters.merge(net.encoder)
        net.to(setup.workers.device)
        score = self.validation(net) if self.validation else None
        return Trained(net, history, rate, score)

    def score(self, rate: float, state: Path) -> float | None:
        """The validation of one rate of a sweep, None if it diverges; made once, then read."""
        known = state / "score.json"
        if not known.exists():
            try:
                score = self.trained(rate, state).validation
            except loop.Diverged:
                score = None
            if self.setup.workers.rank == 0:
                files.write_json(known, score)
            self.setup.workers.barrier()
        found: float | None = files.read_json(known)
        return found

    def net(self) -> WithHeads:
        """The model before its training, the same at every call."""
        if isinstance(self.start, WithHeads):
            net = _going_on(self.start, self.goal)
        else:
            net = _fresh(self.start, self.goal)
        if self.goal.training.adapter:
            adapters.add(net.encoder, self.goal.training.adapter)
        return net


def _fresh(checkpoint: Path, goal: Goal) -> WithHeads:
    """A checkpoint's encoder under heads whose first weights depend on the seed alone.

    The head of masked language modelling is the checkpoint's own, and reads the last layer.
    """
    dropout = goal.training.dropout
    spoken = [not hasattr(modules.get(part.kind), "head") for part in goal.parts]
    if any(spoken):
        whole = load_masked_lm(checkpoint, dropout)
        encoder = whole.base_model
    else:
        encoder = load_encoder(checkpoint, dropout)
    size = encoder.config.hidden_size
    torch.manual_seed(goal.seed)
    made = [
        language_head(whole) if own else modules.get(part.kind).head(size, part.labels, dropout)
        for part, own in zip(goal.parts, spoken, strict=True)
    ]
    if goal.training.layers == "last":
        return WithHeads(encoder, made)
    fused = {i: heads.LayerAttention(size) for i, own in enumerate(spoken) if not own}
    return WithHeads(encoder, made, fused)


def _going_on(start: WithHeads, goal: Goal) -> WithHeads:
    """A copy of a model for another training under the same heads.

    Raises:
        UserError: the goal asks for other heads, layers or dropout than the model has.
    """
    net = copy.deepcopy(start).cpu().requires_grad_(True)
    wanted = len(goal.parts), goal.training.layers == "attention", goal.training.dropout
    present = len(net.heads), bool(net.fusions), checkpoint.dropout_of(net.encoder)
    for what, one, other in zip(("heads", "layers", "dropout"), wanted, present, strict=True):
        if one != other:
            raise UserError(
                f"a training that goes on under the same head asks for other `{what}` than the one "
                "before. Mend: give both trainings the same"
            )
    torch.manual_seed(goal.seed)
    return net


def _validation(goal: Goal, setup: Setup) -> Callable[[nn.Module], float] | None:
    """A model's score on the first source-language validation rows of each part that has some."""
    chosen = [(i, part) for i, part in enumerate(goal.parts) if part.validation is not None]
    if not chosen:
        return None
    alone = Workers(0, 1, setup.workers.device)  # every worker scores all rows, so all agree
    budget = goal.training

    def score(net: nn.Module, number: int, part: Part) -> float:
        kind, measure = modules.get(part.kind), metrics.METRICS[part.metric]
        rows = files.read_parquet(Path(str(part.validation))).to_pylist()[: budget.evaluate_rows]
        lengths = (part.max_length, part.stride)
        decoder = predict.Decoder(
            net, kind, part.labels, setup.tokenizer, lengths, budget.batch, alone, number
        )
        gold = kind.references(rows, part.labels)
        return float(measure.score(decoder(rows), gold, part.language)[measure.main])

    return lambda net: sum(score(net, i, part) for i, part in chosen) / len(chosen)
