"""One target of phase iii: fine-tune a checkpoint for it, then predict and score each language.

`score_target` is the way in, from stages/transfer.py. What an interruption leaves lies in a folder
of the target's own: the trainings' states, then each language's predictions and scores.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from xstilts.core import files, paths
from xstilts.core.params import Before, Part, Target
from xstilts.evaluation import kept, predictors
from xstilts.evaluation.predictors import Predicted, Predictor
from xstilts.evaluation.score import prediction_rows, score_rows
from xstilts.kinds.base import Row
from xstilts.kinds.spec import KINDS
from xstilts.model.heads import WithHeads
from xstilts.model.seq2seq import Model
from xstilts.results import scores
from xstilts.results.scores import PREDICTIONS_SCHEMA, ScoreRow
from xstilts.training.engine import Setup
from xstilts.training.finetune import finetune
from xstilts.training.loop import TrainingSpec


def trainings(target: Target) -> list[Before]:
    """A target's trainings in their order, its own last; none where it is not trained."""
    if target.training is None:
        return []
    assert target.train_rows is not None
    rows, validation = target.train_rows, target.validation
    own = Before(task=target.task, rows=rows, validation=validation, training=target.training)
    return [*target.before, own]


def read_files(target: Target) -> list[Path]:
    """All files that a target reads: trainings' rows, the pool, and every language's rows."""
    steps = trainings(target)
    named = (
        *(step.rows for step in steps),
        *(step.validation for step in steps),
        *target.more_rows,
    )
    # The threshold of mining is tuned on the validation split of each language.
    splits = dict.fromkeys(
        ("validation", target.split) if KINDS[target.kind].scored == "mined" else [target.split]
    )
    return [
        *(Path(path) for path in named if path),
        *(predictors.candidates_file(target, language) for language in target.candidates),
        *(
            paths.rows(Path(target.rows), language, split)
            for language in target.languages
            for split in splits
        ),
    ]


def score_target(
    common: dict[str, Any],
    target: Target,
    checkpoint: Path,
    place: Path,
    setup: Setup,
    taught: Sequence[str] = (),
) -> dict[str, Any]:
    """Score a checkpoint on one target, once; the predictions lie in `place`.

    Args:
        common: what all score rows of the run say, among it its name and seed.
        taught: words of the control world whose classes the checkpoint was taught.

    Returns:
        {"rows": score rows, "curves": name -> points, "metrics": validation, learning_rate,
        "layers": language -> what each layer counts for, empty where the head reads the last}

    Raises:
        UserError: an input is missing or broken, or a loss is no number.
    """
    finished = place / "result.json"
    if not setup.workers.first(finished.exists):
        title = f"{common['run']} on {target.task}"
        predict, notes = _fine_tuned(title, common["seed"], target, checkpoint, place, setup)
        missing = setup.workers.first(
            lambda: [one for one in target.languages if not _scored(place, one).exists()]
        )
        with setup.observe.progress(f"{title}: score", len(missing)) as advance:
            for language in missing:
                predicted = predict(language)
                if setup.workers.rank == 0:
                    rows = score_rows(common, target, language, predicted, taught)
                    _keep(place, language, target, predicted, rows)
                advance(1)
        if setup.workers.rank == 0:
            scored = {one: files.read_json(_scored(place, one)) for one in target.languages}
            rows = [row for one in scored.values() for row in one["rows"]]
            layers = {language: one["layers"] for language, one in scored.items() if one["layers"]}
            files.write_json(finished, {"rows": rows, "layers": layers, **notes})
            for trained in (*place.glob("before-*"), place / "own"):
                shutil.rmtree(trained, ignore_errors=True)  # gigabytes that nothing reads again
        setup.workers.barrier()
    result: dict[str, Any] = files.read_json(finished)
    return result


def _fine_tuned(
    title: str, seed: int, target: Target, checkpoint: Path, place: Path, setup: Setup
) -> tuple[Predictor, dict[str, Any]]:
    """Train where the target is trained: the way to predictions, and what is to be recorded."""
    start: Path | Model = checkpoint
    curves: dict[str, list[list[float]]] = {}
    metrics: dict[str, float] = {}
    for number, step in enumerate(trainings(target)):
        own = number == len(target.before)
        prefix = "" if own else f"{step.task}."
        name = title if own else f"{title}, {step.task} first"
        spec = TrainingSpec(name, step.training, seed, [_part(target, step)])
        rows = _taught(target) if own else _read(step.rows)
        watched = setup.observe.under(target.task if own else f"{target.task}.{step.task}")
        tuned = finetune(
            start,
            spec,
            [rows],
            place / ("own" if own else f"before-{number}"),
            replace(setup, observe=watched),
        )
        start = tuned.model
        curves |= {f"{prefix}{curve}": it for curve, it in tuned.history.curves().items()}
        if tuned.validation is not None:
            metrics[f"{prefix}validation"] = tuned.validation
        if step.training.sweep:
            metrics[f"{prefix}learning_rate"] = tuned.learning_rate
            metrics |= {f"{prefix}validation.rate_{rate:g}": v for rate, v in tuned.tried.items()}
    if target.keep and not isinstance(start, Path) and setup.workers.rank == 0:
        kept.save(start, target, Path(setup.tokenizer.name_or_path), model_folder(place))
    predictor = _predictor(title, target, start, place, setup)
    return predictor, {"curves": curves, "metrics": metrics}


def _taught(target: Target) -> list[Row]:
    """A target's training rows: of its source language, then of more of them."""
    assert target.train_rows is not None
    named = (target.train_rows, *target.more_rows)
    return [row for path in named for row in _read(path)[: target.train_limit]]


def _read(path: str) -> list[Row]:
    rows: list[Row] = files.read_parquet(Path(path)).to_pylist()
    return rows


def _part(target: Target, step: Before) -> Part:
    """What a training learns under the target's head."""
    return Part(
        task=step.task,
        kind=target.kind,
        rows_kind=target.kind,
        labels=target.labels,
        metric=target.metric,
        language=target.source_language,
        rows=step.rows,
        validation=step.validation,
        max_length=step.training.max_length,
        stride=step.training.stride,
        share=None,
        output=step.training.output,
    )


def _predictor(
    title: str,
    target: Target,
    model: Path | Model,
    place: Path,
    setup: Setup,
) -> Predictor:
    """How a language of the target is predicted: by a checkpoint as it is, or a trained model."""
    if isinstance(model, Path):
        way = predictors.miner if KINDS[target.kind].scored == "mined" else predictors.retriever
        return way(target, model, setup)
    if KINDS[target.kind].scored == "ranked":
        assert isinstance(model, WithHeads)
        return predictors.ranker(title, target, model, place, setup)
    return predictors.decoder(target, model, setup)


def predictions_file(place: Path, language: str) -> Path:
    """Where one language's predictions lie until all targets are scored."""
    return place / f"{language}.predictions.parquet"


def model_folder(place: Path) -> Path:
    """Where the fine-tuned model lies, where it is kept, until all targets are scored."""
    return place / "model"


def _scored(place: Path, language: str) -> Path:
    return place / f"{language}.scores.json"


def _keep(
    place: Path, language: str, target: Target, predicted: Predicted, scored: list[ScoreRow]
) -> None:
    """Keep one language's results; the scores are written last and say that all is there."""
    rows = prediction_rows(target, language, predicted)
    table = pa.Table.from_pylist(rows, schema=PREDICTIONS_SCHEMA)
    files.write_parquet(predictions_file(place, language), table)
    told = {**scores.to_json(scored), "layers": list(predicted.layers)}
    files.write_json(_scored(place, language), told)
