"""One training loop on `deepspeed.initialize`, for all three phases, on the CPU and on CUDA.

`train(Run(...))` is its way in; an update learns from one global batch of one head. Resumable: its
state is in a folder named by the hash of all that decides the result, so a state can never be
stale; nothing in it is an output.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from xstilts.core import files
from xstilts.core.errors import UserError
from xstilts.core.params import Mixing, Part, Training
from xstilts.core.progress import Observe
from xstilts.kinds import modules
from xstilts.kinds.base import Feature
from xstilts.model import vocabulary
from xstilts.model.packed import Packed
from xstilts.model.seq2seq import Model, Sources
from xstilts.training import batches, fit, schedule, state
from xstilts.training.engine import Setup, full_weights, initialize, release
from xstilts.training.lanes import Lanes
from xstilts.training.prefetch import ahead

LOG_POINTS = 100  # points of a loss curve
SAVE_CHECK = 20  # steps between two looks at the clock, of which all workers hear
SLOW = 10.0  # seconds of the first update, from which on it is looked at after each
LOOK = 1.0  # seconds between two looks of a single process, which has nobody to tell, at least
TRAINED = "trained.safetensors"  # in a state's folder, when all is done
BEST = "best.safetensors"  # the best weights so far, with `select: best`


class Diverged(UserError):
    """A loss that is no number."""


@dataclass(frozen=True)
class TrainingSpec:
    """What is to be learnt, and how."""

    title: str  # what a person sees
    training: Training
    seed: int
    parts: Sequence[Part] = ()  # one head each; pretraining has the model's own head alone
    mixing: Mixing | None = None


@dataclass(frozen=True)
class HeadData:
    """What one head is trained on."""

    name: str
    kind: Any  # a module of xstilts.kinds
    features: Sequence[Feature]
    share: float | None = None  # fixed share of the updates


@dataclass(frozen=True)
class Run:
    """One training: of what, on what, and where."""

    spec: TrainingSpec
    build: Callable[[], Model]  # the model before its training, the same at every call
    data: Sequence[HeadData]  # one a head, in their order
    state: Path  # folder for all that is needed to go on after an interruption
    setup: Setup
    score: Callable[[nn.Module], float] | None = None  # on validation rows; higher is better

    @cached_property
    def schedule(self) -> schedule.Schedule:
        """Which head each update trains."""
        rows = [len(head.features) for head in self.data]
        shares = [head.share for head in self.data]
        steps = schedule.total_steps(self.spec.training, rows, shares, self.spec.mixing)
        chances = schedule.proportions(rows, shares, self.spec.mixing)
        return schedule.draw(chances, steps, self.spec.seed)

    @property
    def steps(self) -> int:
        """Updates that are done: those of the schedule, or fewer where it is to stop before."""
        return self.spec.training.stop or len(self.schedule)

    @property
    def selects(self) -> bool:
        """Whether the best weights are kept, and not the last."""
        return self.score is not None and self.spec.training.select == "best"


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


def train(run: Run) -> tuple[Path, History]:
    """Train; give the file of the last (or best) weights, float32 safetensors, and the history.

    `load_weights` brings them to a model that `run.build` makes anew: the one that was trained is
    cut by ZeRO or rounded by bf16. What was trained before is read.

    Raises:
        UserError: no rows, a piece that the model lacks, a batch that processes cannot share, or
            too little memory.
        Diverged: a loss that is no number.
    """
    trained, finished = run.state / TRAINED, run.state / "history.json"
    # A stop may leave one of them, as a done state is deleted.
    if run.setup.workers.first(lambda: finished.exists() and trained.exists()):
        return trained, History(**files.read_json(finished))
    for head in run.data:
        if not head.features:
            wrong = f"there is nothing to train on in {head.name}"
            raise UserError(f"{run.spec.title}: {wrong}. Mend: check the prepared rows")
    if run.steps > len(run.schedule):
        wrong = f"`stop: {run.steps}` is more than the {len(run.schedule)} updates of its budget"
        raise UserError(f"{run.spec.title}: {wrong}. Mend: give a smaller `stop`, or leave it out")
    training, setup = run.spec.training, run.setup
    unit = math.lcm(*(modules.unit(head.kind, training) for head in run.data))
    free = fit.free(setup.workers)  # before the model takes of it
    model = run.build()
    for head in run.data:
        vocabulary.check(model, head.features)
    abreast = fit.prepare(model, run.spec, run.data, setup, free)
    model.to(setup.workers.device)
    engine = initialize(model, training, setup.machine, setup.workers, unit)
    try:
        history = _steps(run, Lanes(engine, setup.machine.threads if abreast else 1))
        if not run.selects:
            _write_weights(run, engine, trained)
    finally:
        release(engine)
    if setup.workers.rank == 0:
        if run.selects:
            with files.draft(trained) as out:  # a move would be lost with a kill just after it
                shutil.copyfile(run.state / BEST, out)
        files.write_json(finished, asdict(history))
        (run.state / BEST).unlink(missing_ok=True)
        state.drop(run.state)
    setup.workers.barrier()
    return trained, history


def _steps(run: Run, lanes: Lanes) -> History:
    """All updates that are still to be done."""
    engine, setup, steps = lanes.engine, run.setup, run.steps
    states = state.States(engine, run.state, setup.machine, setup.workers)
    losses: list[Tensor] = []  # on the device: to read one there keeps the host waiting
    began, every = time.monotonic(), 0
    looked, pause = began, max(LOOK, setup.machine.save_seconds / 4)
    engine.train()
    with states, setup.observe.progress(run.spec.title, steps) as advance:
        history = History(**states.client["history"]) if states.client else History()
        advance(history.step)
        with closing(_batches(run, engine, range(history.step, steps))) as ready:
            while history.step < steps:
                losses.append(_update(run, lanes, history.step, next(ready)))
                history.step += 1
                advance(1)
                slow = not every and setup.workers.agree(time.monotonic() - began > SLOW)
                every = every or (1 if slow else SAVE_CHECK)
                log, score, look = _due(run, history.step, every)
                if setup.workers.size == 1:  # of several, all would have to know of the time
                    look = look or time.monotonic() - looked > pause
                looked = time.monotonic() if look else looked
                if log or score or look:  # before anything is told or written
                    _note(run, history, losses)
                if log:
                    _log(history, setup.observe)
                if score and _evaluate(run, engine, history):
                    break
                if look and history.step < steps and states.due():
                    states.save(history.step, {"history": asdict(history)})
    return history


def _due(run: Run, step: int, every: int) -> tuple[bool, bool, bool]:
    """Whether after `step` updates there is a point of the curves, a score, a look at the clock."""
    last = step == run.steps
    log = last or step % max(1, run.steps // LOG_POINTS) == 0
    score = run.selects and (last or step % run.spec.training.evaluate_every == 0)
    return log, score, step % every == 0


@dataclass(frozen=True)
class Batch:
    """What an update learns from, on this worker's device.

    Attributes:
        terms: loss terms of the global batch.
        pieces: micro-batches of the global batch.
        micro: number, features and collated form of each of this worker's.
    """

    terms: int
    pieces: int
    micro: Sequence[tuple[int, list[Feature], Packed | Sources]]


def _batches(run: Run, engine: Any, steps: range) -> Generator[Batch, None, None]:
    """The batches of some updates. A GPU's are made while it computes; a CPU has no time for it."""
    pieces = engine.gradient_accumulation_steps() * run.setup.workers.size
    if run.setup.workers.device.type == "cuda":
        return ahead(partial(_made, run, pieces), steps)
    return (_made(run, pieces, step) for step in steps)


def _made(run: Run, pieces: int, step: int) -> Batch:
    """This worker's part of the global batch of an update."""
    kind, workers = run.data[int(run.schedule.parts[step])].kind, run.setup.workers
    batch, pad = _batch(run, step), run.setup.tokenizer.pad_token_id
    cut = list(enumerate(batches.pieces_of(batch, pieces)))[workers.rank :: workers.size]
    micro = [(n, some, batches.collate(some, kind, pad, workers.device)) for n, some in cut]
    return Batch(sum(kind.weight(feature) for feature in batch), pieces, micro)


def _update(run: Run, lanes: Lanes, step: int, batch: Batch) -> Tensor:
    """One optimizer step on one global batch of one head.

    Returns:
        The mean loss over the batch's loss terms, a float64 scalar on the device.
    """
    spec, workers, part = run.spec, run.setup.workers, int(run.schedule.parts[step])
    for group in lanes.engine.optimizer.param_groups:
        group["lr"] = schedule.learning_rate(spec.training, step, len(run.schedule))

    def loss(model: Any, place: int) -> Tensor:
        _, features, packed = batch.micro[place]
        own: Tensor = run.data[part].kind.loss(model(packed, part=part), features)
        return own

    seeds = [_dropout_seed(spec.seed, step, number) for number, *_ in batch.micro]
    total = torch.zeros((), device=workers.device)
    # DeepSpeed takes the mean over micro-batches and workers; we want it over all loss terms.
    for own in lanes.learn(loss, seeds, batch.pieces / batch.terms):
        total += own
    return workers.sum(total).double() / batch.terms


def _batch(run: Run, step: int) -> list[Feature]:
    """The global batch of an update: the next features of the head whose turn it is."""
    spec, head = run.spec, run.data[int(run.schedule.parts[step])]
    place = int(run.schedule.earlier[step])
    order = batches.batch_indices(len(head.features), spec.training.batch, spec.seed, place)
    batch = [head.features[i] for i in order]
    if not hasattr(head.kind, "draw"):
        return batch
    rng = np.random.default_rng([spec.seed, step, 1])
    drawn: list[Feature] = head.kind.draw(batch, rng, run.setup.tokenizer, spec.training)
    return drawn


def _dropout_seed(seed: int, step: int, piece: int) -> int:
    """A seed of its own for each micro-batch, whichever worker runs it."""
    return int(np.random.SeedSequence([seed, step, piece]).generate_state(1, np.uint64)[0] >> 1)


def _note(run: Run, history: History, losses: list[Tensor]) -> None:
    """Bring the losses of the last updates to the host, for the next point of their curves.

    Raises:
        Diverged: one is no number; names the first.
    """
    for step, loss in enumerate(torch.stack(losses).tolist(), history.step - len(losses)):
        if not math.isfinite(loss):
            raise Diverged(
                f"{run.spec.title}: the loss is {loss} at step {step + 1}. "
                "Mend: lower the learning rate or look at the training rows"
            )
        part = run.data[int(run.schedule.parts[step])].name
        for name in ["loss", *([f"loss.{part}"] if len(run.data) > 1 else [])]:
            history.recent.setdefault(name, []).append(loss)
    losses.clear()


def _log(history: History, observe: Observe) -> None:
    """A point of each curve: the mean since the last one."""
    means = {name: sum(some) / len(some) for name, some in sorted(history.recent.items())}
    for name, mean in means.items():
        history.loss.setdefault(name, []).append([history.step, mean])
    history.recent.clear()
    observe.log(history.step, means)


def _evaluate(run: Run, engine: Any, history: History) -> bool:
    """Score on source-language validation rows, keep the best; True: no gain any more."""
    assert run.score is not None
    patience = run.spec.training.patience
    engine.eval()
    score = run.score(engine)
    engine.train()
    if score > max((old for _, old in history.validation), default=-math.inf):
        _write_weights(run, engine, run.state / BEST)
    history.validation.append([history.step, score])
    scores = [old for _, old in history.validation]
    waited = len(scores) - 1 - scores.index(max(scores))
    return patience is not None and waited >= patience


def _write_weights(run: Run, engine: Any, path: Path) -> None:
    """The whole trained weights in float32, written by worker 0.

    Raises:
        Diverged: one of them is no number, of which the loss before the last update tells nothing.
    """
    weights = full_weights(engine)
    lost = sorted(name for name, weight in weights.items() if not _finite(weight))
    if lost:
        raise Diverged(
            f"{run.spec.title}: {lost[0]} is no number after the last update. "
            "Mend: lower the learning rate or look at the training rows"
        )
    if run.setup.workers.rank == 0:
        with files.draft(path) as temporary:
            save_file(weights, temporary)
    run.setup.workers.barrier()


def _finite(weight: torch.Tensor) -> bool:
    """Whether all are numbers; unlike `isfinite().all()`, without a copy of the weights."""
    return all(math.isfinite(end) for end in weight.aminmax())


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
