"""Phase iii: fine-tune one checkpoint on every target in its source language, score zero-shot.

Run by `xstilts transfer RUN` or `dvc repro`. Writes `results/transfer/<study>/<run>/`: scores.json,
predictions.parquet, a sample of them, record.json. Targets of retrieval and mining are scored
without fine-tuning. All targets are done in one process; a training, or a target's language, that
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
from xstilts.evaluation.target import predictions_file, read_files, scored_target
from xstilts.kinds.base import Row
from xstilts.model import tokenizer
from xstilts.records import record
from xstilts.results import scores
from xstilts.results.scores import ScoreRow
from xstilts.training import state
from xstilts.training.engine import Workers
from xstilts.training.finetune import Setup

SAMPLE = "predictions-sample.json"
SAMPLED = 5  # predictions in each language


def run(params: Params, key: str, observe: Observe) -> Record:
    """Write scores and predictions of one run.

    Raises:
        UserError: an input is missing or broken, or a loss is no number.
    """
    spec, machine = params.transfer[key], load_machine()
    base = paths.pretrained(params.study)
    setup = Setup(tokenizer.load(base), machine, Workers.start(machine), observe)
    weights = Path(spec.checkpoint) / "model.safetensors"
    common = {"study": params.study, "run": key, **identity(spec)}
    common["model_sha"] = files.sha256_file(weights)
    inputs, places = [weights, base / "tokenizer.json"], {}
    rows: list[ScoreRow] = []
    curves: dict[str, Any] = {}
    chosen: dict[str, float] = {}
    for name, target in params.targets.items():
        read = read_files(target)
        decides = [common, target.model_dump()]
        places[name] = state.folder("transfer", decides, [*inputs[:2], *read], machine)
        result = scored_target(common, target, Path(spec.checkpoint), places[name], setup)
        rows += [ScoreRow(**row) for row in result["rows"]]
        curves |= {f"{name}.{curve}": points for curve, points in result["curves"].items()}
        chosen |= {f"{name}.{metric}": value for metric, value in result["metrics"].items()}
        inputs += read
    metrics = headline(rows, params) | chosen
    shown = ("scores.json", SAMPLE)
    done = record.make(params, "transfer", key, spec, inputs, metrics, curves, shown)
    if setup.workers.rank == 0:
        tables = [
            files.read_parquet(predictions_file(place, language))
            for name, place in places.items()
            for language in params.targets[name].languages
        ]
        _write(paths.transferred(params.study, key), rows, tables, done)
        for place in places.values():
            shutil.rmtree(place)
    setup.workers.barrier()
    return done


def _write(folder: Path, rows: list[ScoreRow], tables: list[pa.Table], done: Record) -> None:
    """Put the results of all targets together."""
    with files.output_folder(folder) as out:
        files.write_json(out / "scores.json", scores.to_json(rows))
        files.write_parquet(out / "predictions.parquet", pa.concat_tables(tables))
        files.write_json(out / SAMPLE, [row for table in tables for row in _sample(table)])
        files.write_json(out / "record.json", done)


def _sample(predictions: pa.Table) -> list[Row]:
    """The first few predictions in one language, for a look in the tracker."""
    rows: list[Row] = predictions.slice(0, SAMPLED).to_pylist()
    return rows


def identity(spec: Transfer) -> dict[str, Any]:
    """What a score row says of its run; the size is the number of rows really trained on."""
    size = spec.size
    if spec.method != "none":
        trained = files.read_json(Path(spec.checkpoint) / "record.json")
        size = int(trained["metrics"]["rows"])
    names = {"method", "variant", "task", "source_language", "seed"}
    return {**spec.model_dump(include=names), "size": size}
