"""Phase iii: fine-tune one checkpoint on every target in its source language, score zero-shot.

Run by `xstilts transfer RUN` or `dvc repro`. Writes `results/transfer/<study>/<run>/`: scores.json,
predictions.parquet, a sample of them, record.json. Targets of retrieval and mining are scored
without fine-tuning. All targets are done in one process; a training, or a target's language, that
is done before an interruption is not done again.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa

from xstilts import files, paths, record, scores, state, targets, tokenizer
from xstilts.distributed import Workers
from xstilts.errors import UserError
from xstilts.finetuning import Setup
from xstilts.kinds import Row
from xstilts.machine import load_machine
from xstilts.metrics import METRICS
from xstilts.observe import Observe, Record
from xstilts.params import Params, Target, Transfer
from xstilts.predicting import Predicted
from xstilts.scores import PREDICTIONS_SCHEMA, ScoreRow

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
    for name in spec.targets:
        target = params.targets[name]
        read = targets.read_files(target)
        decides = [common, target.model_dump()]
        places[name] = state.folder("transfer", decides, [*inputs[:2], *read], machine)
        result = _result(common, target, Path(spec.checkpoint), places[name], setup)
        rows += [ScoreRow(**row) for row in result["rows"]]
        curves |= {f"{name}.{curve}": points for curve, points in result["curves"].items()}
        chosen |= {f"{name}.{metric}": value for metric, value in result["metrics"].items()}
        inputs += read
    metrics = headline(rows, params) | chosen
    shown = ("scores.json", SAMPLE)
    done = record.make(params, "transfer", key, spec, inputs, metrics, curves, shown)
    if setup.workers.rank == 0:
        tables = [
            files.read_parquet(_predictions(place, language))
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


def _result(
    common: dict[str, Any], target: Target, checkpoint: Path, place: Path, setup: Setup
) -> dict[str, Any]:
    """{"rows", "curves", "metrics"} of one target, made once; its predictions lie in `place`."""
    finished = place / "result.json"
    if not finished.exists():
        title = f"{common['run']} on {target.task}"
        ready = targets.ready(title, common["seed"], target, checkpoint, place, setup)
        missing = [one for one in target.languages if not _scored(place, one).exists()]
        setup.workers.barrier()  # all have looked before worker 0 writes
        with setup.observe.progress(f"{title}: score", len(missing)) as advance:
            for language in missing:
                predicted = ready.predict(language)
                if setup.workers.rank == 0:
                    _keep(place, language, common, target, predicted)
                advance(1)
        if setup.workers.rank == 0:
            rows = [row for one in target.languages for row in files.read_json(_scored(place, one))]
            result = {"rows": rows, "curves": ready.curves, "metrics": ready.metrics}
            files.write_json(finished, result)
            for trained in (*place.glob("before-*"), place / "own"):
                shutil.rmtree(trained, ignore_errors=True)  # gigabytes that nothing reads again
        setup.workers.barrier()
    found: dict[str, Any] = files.read_json(finished)
    return found


def _predictions(place: Path, language: str) -> Path:
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
    files.write_parquet(_predictions(place, language), table)
    files.write_json(_scored(place, language), scored)


def score_rows(
    common: dict[str, Any], target: Target, language: str, predicted: Predicted
) -> list[ScoreRow]:
    """One row for each value of the target's metric in one language.

    Raises:
        UserError: nothing that could be found is there, so that any score would mean nothing.
    """
    measure, path = METRICS[target.metric], paths.rows(Path(target.rows), language, target.split)
    if not any(gold is not None and gold != [] for gold in predicted.gold):
        raise UserError(f"{path} has no gold at all. Mend: see its source, or drop {language}")
    return [
        ScoreRow(
            **common,
            target=target.task,
            language=language,
            metric=name,
            main=name == measure.main,
            value=value,
            n=len(predicted.gold),
            chance=target.chance,
            collapsed=collapsed(target.kind, predicted.found),
            protocol=target.protocol,
            data_sha=files.sha256_file(path),
            code_sha=record.code_sha("transfer"),
        )
        for name, value in measure.score(predicted.found, predicted.gold, language).items()
    ]


def collapsed(kind: str, found: list[Any]) -> bool:
    """Whether predictions are all the same; of rankings and mined pairs the first ones count.

    So a ranker collapses that puts one candidate before all others for every query, and a miner
    that finds no pair.
    """
    if kind in ("ranking", "mining"):
        found = [next(iter(one), None) for one in found]
    return scores.collapsed(found)


def prediction_rows(target: Target, language: str, predicted: Predicted) -> list[Row]:
    """One row an example: what was predicted, and its part of the main value."""
    parts = METRICS[target.metric].per_example(predicted.found, predicted.gold, language)
    each = zip(predicted.rows, predicted.found, parts, strict=True)
    return [
        {
            "target": target.task,
            "language": language,
            "id": row["id"],
            "prediction": json.dumps(prediction, ensure_ascii=False),
            "num": num,
            "den": den,
        }
        for row, prediction, (num, den) in each
    ]


def headline(rows: list[ScoreRow], params: Params) -> dict[str, float]:
    """For the tracker: each cell's main value, and means over the languages not trained on."""
    found: dict[str, float] = {}
    for name in dict.fromkeys(row.target for row in rows):
        cells = {row.language: row.value for row in rows if row.target == name and row.main}
        source = params.targets[name].source_language
        others = [value for language, value in cells.items() if language != source]
        found[f"{name}.zero_shot"] = sum(others) / len(others) if others else cells[source]
        found |= {f"{name}.{language}": value for language, value in cells.items()}
    means = [value for name, value in found.items() if name.endswith(".zero_shot")]
    return {"average.zero_shot": sum(means) / len(means), **found}
