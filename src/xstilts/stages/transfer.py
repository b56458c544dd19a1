"""Phase iii: fine-tune one checkpoint on every target in its source language, score zero-shot.

Run by `xstilts transfer RUN` or `dvc repro`. Writes two folders of the name <study>/<run>:

    results/transfer/     scores.json; examples.parquet, what each example adds; record.json.
                          Small and without a text: in git, and all that later stages read.
    results/predictions/  predictions.parquet, a sample of them, and models/<target>/ where the
                          study keeps the fine-tuned model

Targets of retrieval and mining are scored without fine-tuning. A variant of `none` goes through the
targets that have it. All targets are done in one process; a training, or a target's language, that
is done before an interruption is not done again.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa

from xstilts.core import files, paths
from xstilts.core.machine import load_machine
from xstilts.core.params import Params, Transfer
from xstilts.core.progress import Observe, Record
from xstilts.evaluation.score import headline
from xstilts.evaluation.target import (
    model_folder,
    predictions_file,
    read_files,
    score_target,
)
from xstilts.kinds.base import Row
from xstilts.kinds.store import Store
from xstilts.model import checkpoint, tokenizer
from xstilts.records import record
from xstilts.results import scores
from xstilts.results.scores import EXAMPLES_SCHEMA, ScoreRow
from xstilts.training import state
from xstilts.training.engine import Setup, Workers

SAMPLE = "predictions-sample.json"
SAMPLED = 5  # predictions in each language


def run(params: Params, key: str, observe: Observe) -> Record:
    """Write scores and predictions of one run.

    Raises:
        UserError: an input is missing or broken, or a loss is no number.
    """
    spec, machine = params.transfer[key], load_machine()
    base, encoder = paths.pretrained(params.study), Path(spec.checkpoint)
    workers, store = Workers.start(machine), Store.of(machine)
    setup = Setup(tokenizer.load(base), machine, workers, observe, store)
    common = {"study": params.study, "run": key, **identity(spec)}
    common["model_sha"] = checkpoint.weights_sha(encoder)
    taught = _taught(spec)
    shared = [*checkpoint.model_files(encoder), base / "tokenizer.json"]
    targets = params.targets_of(key)
    read = {name: read_files(target) for name, target in targets.items()}
    places, results = {}, {}
    for name, target in targets.items():
        decides = [common, target.model_dump()]
        places[name] = state.folder("transfer", decides, [*shared, *read[name]], machine)
        results[name] = score_target(common, target, encoder, places[name], setup, taught)
    rows = [ScoreRow(**row) for result in results.values() for row in result["rows"]]
    inputs = [*shared, *(path for some in read.values() for path in some)]
    metrics = headline(rows, params) | _named("metrics", results)
    curves, shown = _named("curves", results), ("scores.json",)
    done = record.make(params, "transfer", key, spec, inputs, metrics, curves, shown)
    kept = {name: model_folder(places[name]) for name, one in targets.items() if one.keep}
    if layers := {name: one["layers"] for name, one in results.items() if one["layers"]}:
        done["layers"] = layers
    if kept:
        done["models"] = list(kept)
    if setup.workers.rank == 0:
        tables = [
            files.read_parquet(predictions_file(places[name], language))
            for name, target in targets.items()
            for language in target.languages
        ]
        predictions = pa.concat_tables(tables)
        _write_predictions(paths.predicted(params.study, key), predictions, tables, kept)
        _write_scores(paths.transferred(params.study, key), rows, predictions, done)
        for place in places.values():
            shutil.rmtree(place)
    setup.workers.barrier()
    return done


def _named(what: str, results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """`<target>.<name>` -> value of one part of all targets' results."""
    return {
        f"{target}.{name}": value
        for target, result in results.items()
        for name, value in result[what].items()
    }


def _write_predictions(
    folder: Path, predictions: pa.Table, tables: list[pa.Table], kept: dict[str, Path]
) -> None:
    """What was predicted, and by what; `kept`: where the fine-tuned models of targets are."""
    with files.output_folder(folder) as out:
        for name, model in kept.items():
            shutil.copytree(model, out / "models" / name)
        files.write_parquet(out / "predictions.parquet", predictions)
        files.write_json(out / SAMPLE, [row for table in tables for row in _sample(table)])


def _write_scores(folder: Path, rows: list[ScoreRow], predictions: pa.Table, done: Record) -> None:
    """What later stages read; last, as its record says that the run is done."""
    with files.output_folder(folder) as out:
        files.write_json(out / "scores.json", scores.to_json(rows))
        files.write_parquet(out / "examples.parquet", predictions.select(EXAMPLES_SCHEMA.names))
        files.write_json(out / "record.json", done)


def _sample(predictions: pa.Table) -> list[Row]:
    """The first few predictions in one language, for a look in the tracker."""
    rows: list[Row] = predictions.slice(0, SAMPLED).to_pylist()
    return rows


def _taught(spec: Transfer) -> list[str]:
    """Words of the control world whose classes the checkpoint was taught."""
    if spec.method == "none":
        return []
    return list(files.read_json(Path(spec.checkpoint) / "record.json").get("taught", []))


def identity(spec: Transfer) -> dict[str, Any]:
    """What a score row says of its run; the size is the number of rows really trained on."""
    size = spec.size
    if spec.method != "none":
        trained = files.read_json(Path(spec.checkpoint) / "record.json")
        size = int(trained["metrics"]["rows"])
    names = {"method", "variant", "task", "source_language", "seed"}
    return {**spec.model_dump(include=names), "size": size}
