"""One training loop on `deepspeed.initialize`, for all three phases, on the CPU and on CUDA.

Resumable: its state is in a folder named by the hash of all that decides the result, so a state
can never be stale; nothing in it is an output.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from xstilts import batches, distributed, files
from xstilts.distributed import Workers
from xstilts.errors import UserError
from xstilts.kinds import Feature
from xstilts.observe import Observe
from xstilts.params import Machine, Training

LOG_POINTS = 100  # points of a loss curve
SAVE_CHECK = 20  # steps between two looks at the clock


@dataclass
class Job:
    """What is trained, on what, and how."""

    title: str
    model: nn.Module
    features: list[Feature]
    kind: Any  # a module of xstilts.kinds
    tokenizer: Any
    training: Training
    seed: int
    evaluate: Callable[[nn.Module], float] | None = None  # higher is better; for `select: best`


@dataclass
class History:
    """What is kept of a training; it survives a resume."""

    step: int = 0
    rows: int = 0
    loss: list[list[float]] = field(default_factory=list)  # [step, mean loss since the last point]
    validation: list[list[float]] = field(default_factory=list)  # [step, score]
    recent: list[float] = field(default_factory=list)  # losses since the last point

    def curves(self) -> dict[str, list[list[float]]]:
        """Name -> points, without empty curves."""
        named = {"loss": self.loss, "validation": self.validation}
        return {name: points for name, points in named.items() if points}


def total_steps(training: Training, rows: int) -> int:
    """Updates of a budget: `steps` as they are, `epochs` over `rows` features rounded up."""
    if training.steps is not None:
        return training.steps
    assert training.epochs is not None
    return max(1, math.ceil(training.epochs * rows / training.batch))


def learning_rate(training: Training, step: int, steps: int) -> float:
    """Linear warm-up over `warmup` x steps, then linear decay to zero at `steps`."""
    warm = math.ceil(training.warmup * steps)
    if step < warm:
        return training.learning_rate * (step + 1) / warm
    return training.learning_rate * (steps - step) / max(1, steps - warm)


def train(job: Job, state: Path, machine: Machine, observe: Observe) -> tuple[Path, History]:
    """Train; give the file of the last (or best) weights, float32 safetensors, and the history.

    Raises:
        UserError: no rows, a batch that the processes cannot share, or a loss that is no number.
    """
    trained, finished = state / "trained.safetensors", state / "history.json"
    if finished.exists():
        return trained, History(**files.read_json(finished))
    if not job.features:
        raise UserError(f"{job.title}: there is nothing to train on. Mend: check the prepared rows")
    workers = Workers.start(machine)
    engine = distributed.engine(job.model, job.training, machine, workers)
    history = _resume(engine, state, len(job.features))
    _steps(engine, job, history, state, machine, workers, observe)
    if job.evaluate is None:
        _write_weights(engine, trained, workers)
    elif workers.rank == 0:
        (state / "best.safetensors").replace(trained)
    if workers.rank == 0:
        files.write_json(finished, asdict(history))
        shutil.rmtree(state / "zero", ignore_errors=True)
    workers.barrier()
    engine.destroy()
    return trained, history


def _steps(
    engine: Any,
    job: Job,
    history: History,
    state: Path,
    machine: Machine,
    workers: Workers,
    observe: Observe,
) -> None:
    """All updates that are still to be done."""
    steps = total_steps(job.training, history.rows)
    saved = time.monotonic()
    engine.train()
    with observe.progress(job.title, steps) as advance:
        advance(history.step)
        while history.step < steps:
            history.recent.append(_update(engine, job, history.step, steps, machine, workers))
            history.step += 1
            advance(1)
            _log(history, steps, observe)
            if job.evaluate and _evaluate(engine, job, history, steps, state, workers):
                return
            late = time.monotonic() - saved > machine.save_seconds
            if history.step % SAVE_CHECK == 0 and workers.agree(late):
                _save(engine, state, history, workers)
                saved = time.monotonic()


def _update(
    engine: Any, job: Job, step: int, steps: int, machine: Machine, workers: Workers
) -> float:
    """One optimizer step on one global batch; the mean loss over its loss terms."""
    order = batches.batch_indices(len(job.features), job.training.batch, job.seed, step)
    batch = [job.features[i] for i in order]
    if hasattr(job.kind, "draw"):
        batch = job.kind.draw(
            batch, np.random.default_rng([job.seed, step, 1]), job.tokenizer, job.training.mask
        )
    terms = sum(job.kind.weight(feature) for feature in batch)
    count = distributed.accumulation(job.training, machine, workers.size) * workers.size
    pieces = batches.pieces_of(batch, count)
    for group in engine.optimizer.param_groups:
        group["lr"] = learning_rate(job.training, step, steps)
    total = torch.zeros((), device=workers.device)
    for number in range(workers.rank, count, workers.size):
        torch.manual_seed(_dropout_seed(job.seed, step, number))
        tensors = batches.collate(pieces[number], job.tokenizer.pad_token_id, workers.device)
        loss = job.kind.loss(engine(**tensors), pieces[number])
        # DeepSpeed takes the mean over micro-batches and workers; we want it over all loss terms.
        engine.backward(loss * (count / terms))
        engine.step()
        total += loss.detach()
    mean = workers.sum(total) / terms
    if not math.isfinite(mean):
        raise UserError(
            f"{job.title}: the loss is {mean} at step {step + 1}. "
            "Mend: lower the learning rate or look at the training rows"
        )
    return mean


def _dropout_seed(seed: int, step: int, piece: int) -> int:
    """A seed of its own for each micro-batch, whichever worker runs it."""
    return int(np.random.SeedSequence([seed, step, piece]).generate_state(1, np.uint64)[0] >> 1)


def _log(history: History, steps: int, observe: Observe) -> None:
    """A point of the curve: the mean since the last one."""
    if history.step % max(1, steps // LOG_POINTS) == 0 or history.step == steps:
        mean = sum(history.recent) / len(history.recent)
        history.loss.append([history.step, mean])
        history.recent.clear()
        observe.log(history.step, {"loss": mean})


def _evaluate(
    engine: Any, job: Job, history: History, steps: int, state: Path, workers: Workers
) -> bool:
    """Score at times on source-language validation rows, keep the best; True: no gain any more."""
    assert job.evaluate is not None
    if history.step % job.training.evaluate_every and history.step != steps:
        return False
    engine.eval()
    score = job.evaluate(engine)
    engine.train()
    if score > max((old for _, old in history.validation), default=-math.inf):
        _write_weights(engine, state / "best.safetensors", workers)
    history.validation.append([history.step, score])
    scores = [old for _, old in history.validation]
    return len(scores) - 1 - scores.index(max(scores)) >= job.training.patience


def _write_weights(engine: Any, path: Path, workers: Workers) -> None:
    """Whole float32 weights, written by worker 0."""
    weights = distributed.full_weights(engine)
    if workers.rank == 0:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        save_file(weights, temporary)
        temporary.replace(path)
    workers.barrier()


def _save(engine: Any, state: Path, history: History, workers: Workers) -> None:
    """A resumable state; `latest` is written last, so a half-written one is never read."""
    tag = f"step{history.step}"
    engine.save_checkpoint(str(state / "zero"), tag=tag, client_state={"history": asdict(history)})
    workers.barrier()
    if workers.rank == 0:
        for old in (state / "zero").glob("step*"):
            if old.name != tag:
                shutil.rmtree(old)


def _resume(engine: Any, state: Path, rows: int) -> History:
    """Go on from the latest state, or begin."""
    if not (state / "zero" / "latest").exists():
        return History(rows=rows)
    _, client = engine.load_checkpoint(str(state / "zero"), load_lr_scheduler_states=False)
    return History(**client["history"])


def load_weights(model: nn.Module, path: Path) -> None:
    """Load what `train` wrote; tied weights and buffers need not be in the file."""
    missing, unexpected = model.load_state_dict(load_file(path), strict=False)
    absent = set(missing) & {name for name, _ in model.named_parameters()}
    if absent or unexpected:
        name = sorted([*absent, *unexpected])[0]
        raise UserError(f"{path} is of another model ({name}). Mend: delete it and rerun")
