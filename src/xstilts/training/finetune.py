"""Fine-tune an encoder under a head for each part of a spec: phase ii and phase iii alike.

`finetune` is the only way in: single tasks, mixes, continued masked language modelling, adapters,
attention over layers, learning-rate sweeps.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import fmean

import torch
from torch import nn

from xstilts import metrics
from xstilts.core import files, passes
from xstilts.core.errors import UserError
from xstilts.core.params import Part
from xstilts.kinds import modules
from xstilts.kinds.base import Row
from xstilts.model import adapters, heads, prompts
from xstilts.model.checkpoint import dropout_of, language_head, load_encoder, load_masked_lm
from xstilts.model.heads import WithHeads
from xstilts.model.seq2seq import EncoderDecoder, Model
from xstilts.training import loop, predict
from xstilts.training.engine import Setup, Workers
from xstilts.training.loop import HeadData, Run, TrainingSpec


@dataclass(frozen=True)
class FineTuned:
    """What comes of a training.

    Attributes:
        model: with its last (or best) weights, float32, adapters merged, on the setup's device.
            Soft prompts stay beside it.
        history: curves; of a sweep those of the rate that won.
        learning_rate: the one that is named, or of a sweep the one that won.
        validation: what selects (0-100: the metric's `selects`, their mean) on the first
            `evaluate_rows` validation rows, of a mix the mean over its parts that have some; None
            without validation rows.
        tried: of a sweep each rate's validation; 0 where the loss was no number.
    """

    model: Model
    history: loop.History
    learning_rate: float
    validation: float | None
    tried: dict[float, float] = field(default_factory=dict)


def finetune(
    start: Path | Model,
    spec: TrainingSpec,
    rows: Sequence[list[Row]],
    state: Path,
    setup: Setup,
) -> FineTuned:
    """Train on `rows[i]` for `spec.parts[i]`.

    Args:
        start: a checkpoint folder, whose encoder gets fresh heads (first weights from the seed
            alone), or a model that goes on with its heads; it stays as it is.
        state: folder for all that is needed to go on after an interruption.

    Raises:
        UserError: the start is broken or does not fit the spec, there are no rows, or none to
            select on.
        loop.Diverged: the loss is no number (in a sweep: at every rate).
    """
    data = [_head_data(part, own, setup) for part, own in zip(spec.parts, rows, strict=True)]
    score = _validation(spec, setup)
    if spec.training.validated and score is None:
        raise UserError(
            f"{spec.title}: there are no validation rows to select on. "
            "Mend: take them into the study, or select: last and no sweep"
        )
    run = Run(spec, partial(_untrained, start, spec), data, state, setup, score)
    return _swept(run) if spec.training.sweep else _finetuned(run)


def _head_data(part: Part, rows: list[Row], setup: Setup) -> HeadData:
    """The encoded rows of a part, as far as they are taught."""
    kind = modules.get(part.kind)
    lengths = modules.lengths(kind, part)
    told = [{**row, "training_language": part.language} for row in rows]
    features = setup.store(kind.encode, told, setup.tokenizer, *lengths)
    if hasattr(kind, "taught"):
        features = features.where(kind.taught)
    return HeadData(part.task, kind, features, part.share)


def _finetuned(run: Run) -> FineTuned:
    """One training, at the rate that its spec names; what was trained before is read."""
    weights, history = loop.train(run)
    model, training = run.build(), run.spec.training
    loop.load_weights(model, weights)
    if training.adapter:
        adapters.merge(model.encoder)
    model.to(run.setup.workers.device)
    score = run.score(model) if run.score else None
    return FineTuned(model, history, training.learning_rate, score)


def _swept(run: Run) -> FineTuned:
    """Train with each rate from the same start; the best on validation, of equals the smallest."""
    tried: dict[float, float | None] = {}
    best: float | None = None
    for rate in sorted(set(run.spec.training.sweep)):
        tried[rate] = score = _rate_score(_at(run, rate))
        lost = rate
        if score is not None and (best is None or score > (tried[best] or 0.0)):
            best, lost = rate, rate if best is None else best
        if lost != best:  # one set of weights is kept, however many rates are tried
            (_at(run, lost).state / loop.TRAINED).unlink(missing_ok=True)
    if best is None:
        raise loop.Diverged(
            f"{run.spec.title}: at every rate of the sweep the loss is no number. "
            "Mend: sweep smaller rates, or look at the training rows"
        )
    told = {rate: score or 0.0 for rate, score in tried.items()}
    return replace(_finetuned(_at(run, best)), tried=told)


def _at(run: Run, rate: float) -> Run:
    """One rate of a sweep, in a folder of its own."""
    training = run.spec.training.model_copy(update={"learning_rate": rate})
    spec = replace(run.spec, title=f"{run.spec.title}, rate {rate:g}", training=training)
    return replace(run, spec=spec, state=run.state / f"rate-{rate!r}")


def _rate_score(run: Run) -> float | None:
    """The validation of one rate of a sweep, None if it diverges; made once, then read."""
    known = run.state / "score.json"
    if not run.setup.workers.first(known.exists):
        try:
            score = _finetuned(run).validation
        except loop.Diverged:
            score = None
        if run.setup.workers.rank == 0:
            files.write_json(known, score)
        run.setup.workers.barrier()
    found: float | None = files.read_json(known)
    return found


def _untrained(start: Path | Model, spec: TrainingSpec) -> Model:
    """The model before its training, the same at every call."""
    model = _fresh(start, spec) if isinstance(start, Path) else _going_on(start, spec)
    if spec.training.freeze == "embeddings":
        model.encoder.get_input_embeddings().requires_grad_(False)
    if spec.training.adapter:
        adapters.add(model.encoder, spec.training.adapter)
    if spec.training.prompt:
        model.encoder = prompts.add(model.encoder, spec.training.prompt)
    return model


def _fresh(folder: Path, spec: TrainingSpec) -> Model:
    """A checkpoint's encoder under heads whose first weights depend on the seed alone.

    The head of masked language modelling is the checkpoint's own, and reads the last layer. A kind
    that has a model of its own form takes the checkpoint whole.
    """
    dropout = spec.training.dropout
    kind = modules.get(spec.parts[0].kind)
    if hasattr(kind, "model"):
        torch.manual_seed(spec.seed)
        own: EncoderDecoder = kind.model(folder, dropout)
        return own
    spoken = [not hasattr(modules.get(part.kind), "head") for part in spec.parts]
    if any(spoken):
        whole = load_masked_lm(folder, dropout)
        encoder = whole.base_model
    else:
        encoder = load_encoder(folder, dropout)
    size = encoder.config.hidden_size
    torch.manual_seed(spec.seed)
    made = [
        language_head(whole) if own else modules.get(part.kind).head(size, part.labels, dropout)
        for part, own in zip(spec.parts, spoken, strict=True)
    ]
    if spec.training.layers == "last":
        return WithHeads(encoder, made)
    fused = {i: heads.LayerAttention(size) for i, own in enumerate(spoken) if not own}
    return WithHeads(encoder, made, fused)


def _going_on(start: Model, spec: TrainingSpec) -> Model:
    """A copy of a model for another training under the same heads.

    Raises:
        UserError: the spec asks for other heads, layers or dropout than the model has.
    """
    model = copy.deepcopy(start).cpu().requires_grad_(True)
    torch.manual_seed(spec.seed)
    if isinstance(model, EncoderDecoder):
        return model
    wanted = len(spec.parts), spec.training.layers == "attention", spec.training.dropout
    present = len(model.heads), bool(model.fusions), dropout_of(model.encoder)
    for what, asked, has in zip(("heads", "layers", "dropout"), wanted, present, strict=True):
        if asked != has:
            raise UserError(
                f"a training that goes on under the same head asks for other `{what}` than the one "
                "before. Mend: give both trainings the same"
            )
    return model


def _validation(spec: TrainingSpec, setup: Setup) -> Callable[[nn.Module], float] | None:
    """A model's score on the first source-language validation rows of each part that has some."""
    chosen = [(i, part) for i, part in enumerate(spec.parts) if part.validation is not None]
    if not chosen:
        return None
    alone = Workers(0, 1, setup.workers.device)  # every worker scores all rows, so all agree
    training = spec.training

    def score(model: nn.Module, number: int, part: Part) -> float:
        kind, measure = modules.get(part.kind), metrics.METRICS[part.metric]
        table = files.read_parquet(Path(str(part.validation)))
        if isinstance(training.evaluate_rows, int):
            table = table.slice(0, training.evaluate_rows * part.validation_sets)
        rows = [{**row, "training_language": part.language} for row in table.to_pylist()]
        lengths = modules.lengths(kind, part)
        tokens = passes.scored(setup.machine, part.max_length, setup.workers.device.type)
        size, how = (tokens, alone), (number, training.precision)
        shared = (setup.tokenizer, lengths, *size, *how, setup.store)
        decoder = predict.Decoder(model, kind, part.labels, *shared, part.output.beams)
        gold = kind.references(rows, part.labels)
        values = measure.score(decoder(rows), gold, part.language)
        return fmean(values[name] for name in measure.selects)

    return lambda model: sum(score(model, i, part) for i, part in chosen) / len(chosen)
