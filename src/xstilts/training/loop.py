"""One training loop on `deepspeed.initialize`, for all three phases, on the CPU and on CUDA.

An update learns from one global batch of one part of the job. Resumable: its state is in a folder
named by the hash of all that decides the result, so a state can never be stale; nothing in it is
an output.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from xstilts.core import files
from xstilts.core.errors import UserError
from xstilts.core.machine import Machine
from xstilts.core.params import Mixing, Training
from xstilts.core.progress import Observe
from xstilts.kinds import modules
from xstilts.kinds.base import Feature
from xstilts.training import batches, engine, schedule, state
from xstilts.training.engine import Workers, initialize
from xstilts.training.schedule import learning_rate
from xstilts.training.state import drop

LOG_POINTS = 100  # points of a loss curve
SAVE_CHECK = 20  # steps between two looks at the clock
TRAINED = "trained.safetensors"  # in a state's folder, when all is done
BEST = "best.safetensors"  # the best weights so far, with `select: best`


class Diverged(UserError):
    """A loss that is no number."""


@dataclass(frozen=True)
class Lesson:
    """What one head is trained on."""

    name: str
    kind: Any  # a module of xstilts.kinds
    features: list[Feature]
    share: float | None = None  # fixed share of the updates


@dataclass(frozen=True)
class Job:
    """What is trained, on what, and how."""

    title: str
    model: nn.Module  # a model.WithHeads, one head a lesson
    lessons: Sequence[Lesson]
    tokenizer: Any
    training: Training
    seed: int
    mixing: Mixing | None = None
    evaluate: Callable[[nn.Module], float] | None = None  # higher is better; for `select: best`


@dataclass
class History:
    """What is kept of a training; it survives a resume."""

    step: int = 0
    loss: dict[str, list[list[float]]] = field(default_factory=dict)  # curve -> [step, mean loss]
    validation: list[list[float]] = field(default_factory=list)  # [step, score]
    recent: dict[str, list[float]] = field(default_factory=dict)  # losses since the last point

    def curves(self) -> dict[str, list[list[float]]]:
        """Name -> points: `loss`, of a mix also `loss.<part>`, and `validation` if there is one."""
        return self.loss | ({"validation": self.validation} if self.validation else {})

    def losses(self) -> dict[str, float]:
        """The last point of each loss curve."""
        return {name: points[-1][1] for name, points in self.loss.items()}


@dataclass(frozen=True)
class _Run:
    """One training under way."""

    engine: Any
    job: Job
    turns: schedule.Turns
    state: Path
    machine: Machine
    workers: Workers
    observe: Observe


def turns_of(job: Job) -> schedule.Turns:
    """Which lesson each update of a job takes."""
    rows = [len(lesson.features) for lesson in job.lessons]
    shares = [lesson.share for lesson in job.lessons]
    steps = schedule.total_steps(job.training, rows, shares, job.mixing)
    return schedule.turns(schedule.proportions(rows, shares, job.mixing), steps, job.seed)


def train(job: Job, state: Path, machine: Machine, observe: Observe) -> tuple[Path, History]:
    """Train; give the file of the last (or best) weights, float32 safetensors, and the history.

    The model itself is used up: ZeRO and bf16 leave it cut or rounded. `load_weights` brings the
    trained weights to another one like it.

    Raises:
        UserError: no rows, or a batch that the processes cannot share.
        Diverged: a loss that is no number.
    """
    trained, finished = state / TRAINED, state / "history.json"
    if finished.exists():
        return trained, History(**files.read_json(finished))
    for lesson in job.lessons:
        if not lesson.features:
            wrong = f"there is nothing to train on in {lesson.name}"
            raise UserError(f"{job.title}: {wrong}. Mend: check the prepared rows")
    workers = Workers.start(machine)
    unit = math.lcm(*(modules.unit(lesson.kind, job.training) for lesson in job.lessons))
    engine = initialize(job.model, job.training, machine, workers, unit)
    run = _Run(engine, job, turns_of(job), state, machine, workers, observe)
    try:
        history = _steps(run)
        if job.evaluate is None:
            _write_weights(run, trained)
    finally:
        engine.destroy()
    if workers.rank == 0:
        if job.evaluate is not None:
            with files.draft(trained) as out:  # a move would be lost with a kill just after it
                shutil.copyfile(state / BEST, out)
        files.write_json(finished, asdict(history))
        (state / BEST).unlink(missing_ok=True)
        drop(state)
    workers.barrier()
    return trained, history


def _steps(run: _Run) -> History:
    """All updates that are still to be done."""
    client = state.load(run.engine, run.state, run.workers)
    history = History(**client["history"]) if client else History()
    steps, saved = len(run.turns), time.monotonic()
    run.engine.train()
    with run.observe.progress(run.job.title, steps) as advance:
        advance(history.step)
        while history.step < steps:
            part = int(run.turns.parts[history.step])
            _note(history, run.job.lessons, part, _update(run, history.step))
            history.step += 1
            advance(1)
            _log(history, steps, run.observe)
            if run.job.evaluate and _evaluate(run, history, steps):
                break
            late = time.monotonic() - saved > run.machine.save_seconds
            if history.step % SAVE_CHECK == 0 and run.workers.agree(late):
                kept = {"history": asdict(history)}
                state.save(run.engine, run.state, history.step, kept, run.workers)
                saved = time.monotonic()
    return history


def _update(run: _Run, step: int) -> float:
    """One optimizer step on one global batch of one lesson; the mean loss over its loss terms."""
    job, part = run.job, int(run.turns.parts[step])
    kind, batch = job.lessons[part].kind, _batch(run, step)
    terms = sum(kind.weight(feature) for feature in batch)
    count = run.engine.gradient_accumulation_steps() * run.workers.size
    pieces = batches.pieces_of(batch, count)
    for group in run.engine.optimizer.param_groups:
        group["lr"] = learning_rate(job.training, step, len(run.turns))
    total = torch.zeros((), device=run.workers.device)
    for number in range(run.workers.rank, count, run.workers.size):
        torch.manual_seed(_dropout_seed(job.seed, step, number))
        tensors = batches.collate(pieces[number], job.tokenizer.pad_token_id, run.workers.device)
        loss = kind.loss(run.engine(**tensors, part=part), pieces[number])
        # DeepSpeed takes the mean over micro-batches and workers; we want it over all loss terms.
        run.engine.backward(loss * (count / terms))
        run.engine.step()
        total += loss.detach()
    mean = run.workers.sum(total) / terms
    if not math.isfinite(mean):
        raise Diverged(
            f"{job.title}: the loss is {mean} at step {step + 1}. "
            "Mend: lower the learning rate or look at the training rows"
        )
    return mean


def _batch(run: _Run, step: int) -> list[Feature]:
    """The global batch of an update: the next features of the part whose turn it is."""
    job, lesson = run.job, run.job.lessons[int(run.turns.parts[step])]
    place = int(run.turns.earlier[step])
    order = batches.batch_indices(len(lesson.features), job.training.batch, job.seed, place)
    batch = [lesson.features[i] for i in order]
    if not hasattr(lesson.kind, "draw"):
        return batch
    rng = np.random.default_rng([job.seed, step, 1])
    drawn: list[Feature] = lesson.kind.draw(batch, rng, job.tokenizer, job.training)
    return drawn


def _dropout_seed(seed: int, step: int, piece: int) -> int:
    """A seed of its own for each micro-batch, whichever worker runs it."""
    return int(np.random.SeedSequence([seed, step, piece]).generate_state(1, np.uint64)[0] >> 1)


def _note(history: History, lessons: Sequence[Lesson], part: int, loss: float) -> None:
    """Remember a loss until the next point of its curves."""
    names = ["loss", *([f"loss.{lessons[part].name}"] if len(lessons) > 1 else [])]
    for name in names:
        history.recent.setdefault(name, []).append(loss)


def _log(history: History, steps: int, observe: Observe) -> None:
    """A point of each curve: the mean since the last one."""
    if history.step % max(1, steps // LOG_POINTS) == 0 or history.step == steps:
        means = {name: sum(some) / len(some) for name, some in sorted(history.recent.items())}
        for name, mean in means.items():
            history.loss.setdefault(name, []).append([history.step, mean])
        history.recent.clear()
        observe.log(history.step, means)


def _evaluate(run: _Run, history: History, steps: int) -> bool:
    """Score at times on source-language validation rows, keep the best; True: no gain any more."""
    assert run.job.evaluate is not None
    if history.step % run.job.training.evaluate_every and history.step != steps:
        return False
    run.engine.eval()
    score = run.job.evaluate(run.engine)
    run.engine.train()
    if score > max((old for _, old in history.validation), default=-math.inf):
        _write_weights(run, run.state / BEST)
    history.validation.append([history.step, score])
    scores = [old for _, old in history.validation]
    return len(scores) - 1 - scores.index(max(scores)) >= run.job.training.patience


def _write_weights(run: _Run, path: Path) -> None:
    """The whole trained weights in float32, written by worker 0."""
    weights = engine.full_weights(run.engine)
    if run.workers.rank == 0:
        with files.draft(path) as temporary:
            save_file(weights, temporary)
    run.workers.barrier()


def load_weights(model: nn.Module, path: Path) -> None:
    """Load what `train` wrote; weights that were not trained need not be in the file."""
    try:
        missing, unexpected = model.load_state_dict(load_file(path), strict=False)
    except (SafetensorError, RuntimeError) as error:  # of torch: weights of another shape
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{path} is corrupt ({reason}). Mend: delete its folder and rerun"
        ) from error
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    absent = set(missing) & trained
    if absent or unexpected:
        name = sorted([*absent, *unexpected])[0]
        raise UserError(f"{path} is of another model ({name}). Mend: delete it and rerun")
