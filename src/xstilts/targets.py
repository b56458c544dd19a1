"""One target of phase iii: what it reads, its trainings, and the way to its predictions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from xstilts import files, model, paths, predicting
from xstilts.finetuning import Goal, Setup, Trained, finetune
from xstilts.kinds import Row
from xstilts.params import Before, Part, Target, Training
from xstilts.predicting import Predictor


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
    pool = [predicting.candidates_file(target, language) for language in target.candidates]
    # The threshold of mining is tuned on the validation split of each language.
    splits = dict.fromkeys(
        ("validation", target.split) if target.kind == "mining" else [target.split]
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
        way = predicting.miner if target.kind == "mining" else predicting.retriever
        return Ready(way(target, checkpoint, setup))
    start: Path | model.WithHeads = checkpoint
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
    if target.kind == "ranking":
        return Ready(predicting.ranker(title, target, trained.net, place, setup), curves, metrics)
    return Ready(predicting.decoder(target, trained.net, setup), curves, metrics)


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
