"""One target of phase iii: what it reads, its trainings, and the way to its predictions."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from xstilts.core import files, paths
from xstilts.core.params import Before, Part, Target, Training
from xstilts.evaluation import predictors
from xstilts.evaluation.predictors import Predicted, Predictor
from xstilts.evaluation.score import prediction_rows, score_rows
from xstilts.kinds.base import Row
from xstilts.kinds.spec import KINDS
from xstilts.model import heads
from xstilts.results import scores
from xstilts.results.scores import PREDICTIONS_SCHEMA
from xstilts.training.finetune import Goal, Setup, Trained, finetune


@dataclass(frozen=True)
class Ready:
    """A target that can be scored: how, and what its trainings leave to be recorded."""

    predict: Predictor
    curves: dict[str, list[list[float]]] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)  # validation, learning_rate


def read_files(target: Target) -> list[Path]:
    """All files that a target reads: trainings' rows, the pool, and every language's rows."""
    steps: list[Before | Target] = [*target.before, target]
    rows = [step.rows if isinstance(step, Before) else step.train_rows for step in steps]
    trained = [Path(path) for path in (*rows, *(step.validation for step in steps)) if path]
    pool = [predictors.candidates_file(target, language) for language in target.candidates]
    # The threshold of mining is tuned on the validation split of each language.
    splits = dict.fromkeys(
        ("validation", target.split) if KINDS[target.kind].scored == "mined" else [target.split]
    )
    return (
        trained
        + pool
        + [
            paths.rows(Path(target.rows), language, split)
            for language in target.languages
            for split in splits
        ]
    )


def ready(
    title: str, seed: int, target: Target, checkpoint: Path, place: Path, setup: Setup
) -> Ready:
    """Train where the target is trained; `place` keeps what an interruption leaves.

    Raises:
        UserError: an input is missing or broken, or a loss is no number.
    """
    if target.training is None:
        mined = KINDS[target.kind].scored == "mined"
        way = predictors.miner if mined else predictors.retriever
        return Ready(way(target, checkpoint, setup))
    start: Path | heads.WithHeads = checkpoint
    curves: dict[str, list[list[float]]] = {}
    metrics: dict[str, float] = {}
    for number, one in enumerate(target.before):
        rows = _read(one.rows)
        part = _part(target, one.task, one.rows, one.validation, one.training)
        goal = Goal([part], one.training, seed)
        name = f"{title}, {one.task} first"
        watched = replace(setup, observe=setup.observe.under(f"{target.task}.{one.task}"))
        before = finetune(name, start, goal, [rows], place / f"before-{number}", watched)
        start = before.net
        curves |= {f"{one.task}.{curve}": it for curve, it in before.history.curves().items()}
        metrics |= {f"{one.task}.{name}": it for name, it in _chosen(before, one.training).items()}
    assert target.train_rows is not None
    rows = _read(target.train_rows)[: target.train_limit]
    part = _part(target, target.task, target.train_rows, target.validation, target.training)
    goal = Goal([part], target.training, seed)
    watched = replace(setup, observe=setup.observe.under(target.task))
    trained = finetune(title, start, goal, [rows], place / "own", watched)
    curves |= trained.history.curves()
    metrics |= _chosen(trained, target.training)
    if KINDS[target.kind].scored == "ranked":
        return Ready(predictors.ranker(title, target, trained.net, place, setup), curves, metrics)
    return Ready(predictors.decoder(target, trained.net, setup), curves, metrics)


def _read(rows: str) -> list[Row]:
    found: list[Row] = files.read_parquet(Path(rows)).to_pylist()
    return found


def _part(target: Target, task: str, rows: str, validation: str | None, training: Training) -> Part:
    """A training on one task under the target's head."""
    return Part(
        task=task,
        kind=target.kind,
        rows_kind=target.kind,
        labels=target.labels,
        metric=target.metric,
        language=target.source_language,
        rows=rows,
        validation=validation,
        max_length=training.max_length,
        stride=training.stride,
        share=None,
    )


def _chosen(trained: Trained, training: Training) -> dict[str, float]:
    """The score on validation rows, and the learning rate where a sweep chose it."""
    found = {} if trained.validation is None else {"validation": trained.validation}
    return found | ({"learning_rate": trained.rate} if training.sweep else {})


def scored_target(
    common: dict[str, Any], target: Target, checkpoint: Path, place: Path, setup: Setup
) -> dict[str, Any]:
    """{"rows", "curves", "metrics"} of one target, made once; its predictions lie in `place`."""
    finished = place / "result.json"
    if not finished.exists():
        title = f"{common['run']} on {target.task}"
        finetuned = ready(title, common["seed"], target, checkpoint, place, setup)
        missing = [one for one in target.languages if not _scored(place, one).exists()]
        setup.workers.barrier()  # all have looked before worker 0 writes
        with setup.observe.progress(f"{title}: score", len(missing)) as advance:
            for language in missing:
                predicted = finetuned.predict(language)
                if setup.workers.rank == 0:
                    _keep(place, language, common, target, predicted)
                advance(1)
        if setup.workers.rank == 0:
            rows = [row for one in target.languages for row in files.read_json(_scored(place, one))]
            result = {"rows": rows, "curves": finetuned.curves, "metrics": finetuned.metrics}
            files.write_json(finished, result)
            for trained in (*place.glob("before-*"), place / "own"):
                shutil.rmtree(trained, ignore_errors=True)  # gigabytes that nothing reads again
        setup.workers.barrier()
    found: dict[str, Any] = files.read_json(finished)
    return found


def predictions_file(place: Path, language: str) -> Path:
    """Where one language's predictions lie until all targets are scored."""
    return place / f"{language}.predictions.parquet"


def _scored(place: Path, language: str) -> Path:
    return place / f"{language}.scores.json"


def _keep(
    place: Path, language: str, common: dict[str, Any], target: Target, predicted: Predicted
) -> None:
    """Keep one language's results; the scores are written last and say that all is there."""
    rows = prediction_rows(target, language, predicted)
    table = pa.Table.from_pylist(rows, schema=PREDICTIONS_SCHEMA)
    scored = scores.to_json(score_rows(common, target, language, predicted))["rows"]
    files.write_parquet(predictions_file(place, language), table)
    files.write_json(_scored(place, language), scored)
