"""Phase iii: fine-tune one checkpoint on every target in its source language, score zero-shot.

Run by `xstilts transfer RUN` or `dvc repro`. Writes `results/transfer/<study>/<run>/`: scores.json,
predictions.parquet, a sample of them, record.json. Retrieval targets are scored without
fine-tuning. All targets are done in one process; one that is done before an interruption is not
done again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from xstilts import files, inference, kinds, model, paths, record, scores, state, tokenizer
from xstilts.distributed import Workers
from xstilts.finetuning import Goal, Setup, finetune
from xstilts.kinds import Row
from xstilts.metrics import METRICS
from xstilts.metrics.retrieval import nearest
from xstilts.observe import Observe, Record
from xstilts.params import Params, Target, Transfer, load_machine
from xstilts.scores import PREDICTIONS_SCHEMA, ScoreRow

SAMPLE = "predictions-sample.json"
SAMPLED = 5  # predictions in each language
# rows -> (predictions, references)
Predictor = Callable[[list[Row]], tuple[list[Any], list[Any]]]


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
    inputs, places = [weights, base / "tokenizer.json"], []
    rows: list[ScoreRow] = []
    curves: dict[str, Any] = {}
    for name in spec.targets:
        target = params.targets[name]
        read = target_files(target)
        decides = [common, target.model_dump()]
        places.append(state.folder("transfer", decides, [*inputs[:2], *read], machine))
        result = _result(common, target, Path(spec.checkpoint), places[-1], setup)
        rows += [ScoreRow(**row) for row in result["rows"]]
        curves |= {f"{name}.{curve}": points for curve, points in result["curves"].items()}
        inputs += read
    metrics = headline(rows, params)
    shown = ("scores.json", SAMPLE)
    done = record.make(params, "transfer", key, spec, inputs, metrics, curves, shown)
    if setup.workers.rank == 0:
        _write(paths.transferred(params.study, key), rows, places, done)
    setup.workers.barrier()
    return done


def _write(folder: Path, rows: list[ScoreRow], places: list[Path], done: Record) -> None:
    """Put the results of all targets together; their states are not needed any more."""
    tables = [files.read_parquet(place / "predictions.parquet") for place in places]
    with files.output_folder(folder) as out:
        files.write_json(out / "scores.json", scores.to_json(rows))
        files.write_parquet(out / "predictions.parquet", pa.concat_tables(tables))
        files.write_json(out / SAMPLE, [row for table in tables for row in _sample(table)])
        files.write_json(out / "record.json", done)
    for place in places:
        shutil.rmtree(place)


def _sample(predictions: pa.Table) -> list[Row]:
    """The first few predictions in each language, for a look in the tracker."""
    rows: list[Row] = predictions.to_pylist()
    languages = dict.fromkeys(row["language"] for row in rows)
    by_language = ([row for row in rows if row["language"] == one] for one in languages)
    return [row for own in by_language for row in own[:SAMPLED]]


def identity(spec: Transfer) -> dict[str, Any]:
    """What a score row says of its run; the size is the number of rows really trained on."""
    size = spec.size
    if spec.method != "none":
        trained = files.read_json(Path(spec.checkpoint) / "record.json")
        size = int(trained["metrics"]["rows"])
    return {**spec.model_dump(include={"method", "task", "source_language", "seed"}), "size": size}


def target_files(target: Target) -> list[Path]:
    """Files that a target reads: training, validation, and the rows of every language."""
    trained = [Path(path) for path in (target.train_rows, target.validation) if path]
    return trained + [_rows_file(target, language) for language in target.languages]


def _rows_file(target: Target, language: str) -> Path:
    return paths.rows(Path(target.rows), language, target.split)


def _result(
    common: dict[str, Any], target: Target, checkpoint: Path, place: Path, setup: Setup
) -> dict[str, Any]:
    """{"rows", "curves"} of one target; its predictions lie in `place`. Made once, then read."""
    finished = place / "result.json"
    if not finished.exists():
        title = f"{common['run']} on {target.task}"
        predict, curves = _predictor(title, common["seed"], target, checkpoint, place, setup)
        rows: list[ScoreRow] = []
        predictions: list[Row] = []
        with setup.observe.progress(f"{title}: score", len(target.languages)) as advance:
            for language in target.languages:
                data = files.read_parquet(_rows_file(target, language)).to_pylist()
                found, gold = predict(data)
                rows += score_rows(common, target, language, found, gold)
                predictions += prediction_rows(target, language, data, found, gold)
                advance(1)
        if setup.workers.rank == 0:
            table = pa.Table.from_pylist(predictions, schema=PREDICTIONS_SCHEMA)
            files.write_parquet(place / "predictions.parquet", table)
            files.write_json(finished, {**scores.to_json(rows), "curves": curves})
        setup.workers.barrier()
    result: dict[str, Any] = files.read_json(finished)
    return result


def _predictor(
    title: str, seed: int, target: Target, checkpoint: Path, place: Path, setup: Setup
) -> tuple[Predictor, dict[str, Any]]:
    """A function of rows, and the curves of the training behind it."""
    if target.training is None:
        return _retriever(target, checkpoint, setup), {}
    assert target.train_rows is not None
    rows = files.read_parquet(Path(target.train_rows)).to_pylist()[: target.train_limit]
    goal = Goal(
        target.kind,
        target.labels,
        target.metric,
        target.source_language,
        target.validation,
        target.training,
        seed,
    )
    net, history = finetune(title, checkpoint, goal, rows, place, setup)
    kind = kinds.get(target.kind)
    lengths = (target.training.max_length, target.training.stride)
    decoder = inference.Decoder(
        net, kind, target.labels, setup.tokenizer, lengths, target.batch, setup.workers
    )
    return lambda data: (decoder(data), kind.references(data, target.labels)), history.curves()


def _retriever(target: Target, checkpoint: Path, setup: Setup) -> Predictor:
    """For each text_b (the pivot side) the nearest text_a, by mean-pooled states of one layer."""
    encoder = model.load_encoder(checkpoint).to(setup.workers.device)

    def side(rows: list[Row], name: str) -> Any:
        return inference.embeddings(
            encoder,
            [row[name] for row in rows],
            setup.tokenizer,
            target.layer,
            target.max_length,
            target.batch,
            setup.workers,
        )

    def predict(rows: list[Row]) -> tuple[list[Any], list[Any]]:
        found = nearest(side(rows, "text_b"), side(rows, "text_a"))
        return [int(i) for i in found], list(range(len(rows)))

    return predict


def score_rows(
    common: dict[str, Any], target: Target, language: str, found: list[Any], gold: list[Any]
) -> list[ScoreRow]:
    """One row for each value of the target's metric in one language."""
    measure = METRICS[target.metric]
    return [
        ScoreRow(
            **common,
            target=target.task,
            language=language,
            metric=name,
            main=name == measure.main,
            value=value,
            n=len(gold),
            chance=target.chance,
            collapsed=scores.collapsed(found),
            protocol=target.protocol,
            data_sha=files.sha256_file(_rows_file(target, language)),
            code_sha=record.code_sha("transfer"),
        )
        for name, value in measure.score(found, gold, language).items()
    ]


def prediction_rows(
    target: Target, language: str, rows: list[Row], found: list[Any], gold: list[Any]
) -> list[Row]:
    """One row an example: what was predicted, and its part of the main value."""
    parts = METRICS[target.metric].per_example(found, gold, language)
    return [
        {
            "target": target.task,
            "language": language,
            "id": row["id"],
            "prediction": json.dumps(prediction, ensure_ascii=False),
            "num": num,
            "den": den,
        }
        for row, prediction, (num, den) in zip(rows, found, parts, strict=True)
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
