"""Stage `aggregate`: join the scores of all runs of a study; intervals, deltas, slopes.

Run by `xstilts aggregate` or `dvc repro`. Reads `results/transfer/<study>/<run>/` for exactly the
runs of the study. Refuses, by name: a run without results, results of no run in the study, a
missing or double cell, runs scored on different examples, and examples that contradict scores.

Writes scores.parquet, summary.parquet and slopes.parquet; benchmark.parquet, the aggregates of the
published protocols (benchmarks/aggregates.py); best.parquet, the setting chosen for each target
(results/best.py), empty where the study does not ask for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from xstilts import tasks
from xstilts.benchmarks import aggregates
from xstilts.core import paths
from xstilts.core.files import output_folder, read_json, write_json, write_parquet
from xstilts.core.params import Params
from xstilts.core.progress import Observe, Record
from xstilts.records import code, record
from xstilts.results import best, contrasts, questions, scores, summary
from xstilts.results.cells import read_cells, read_scores, run_folders, run_of, targets
from xstilts.results.inference import SIGNIFICANT
from xstilts.results.scores import BEST, Row, Run, ScoreRow
from xstilts.results.summary import TargetResult
from xstilts.sources.distance import distance
from xstilts.tasks.kinship import TRANSLATED
from xstilts.tasks.languages import LANGUAGES

ARTIFACTS = (
    "scores.parquet",
    "summary.parquet",
    "slopes.parquet",
    "questions.parquet",
    "contrasts.parquet",
    "benchmark.parquet",
    "best.parquet",
)

_text, _number, _whole = pa.string(), pa.float64(), pa.int64()
SUMMARY_SCHEMA = pa.schema(
    [(name, _text) for name in ("study", "target", "language", "metric")]
    + [("chance", _number)]
    + [(name, _text) for name in ("group", "method", "variant", "task", "source_language")]
    + [("size", _whole)]
    + [(name, _number) for name in ("mean", "low", "high", "expected")]
    + [(name, _whole) for name in ("seeds", "n", "collapsed")]
    + [(name, _number) for name in ("delta", "delta_low", "delta_high", "like_low", "like_high")]
    + [(name, _number) for name in ("p", "p_holm")]
)
SLOPES_SCHEMA = pa.schema(
    [(name, _text) for name in ("study", "target", "language")]
    + [(name, _text) for name in ("method", "variant", "task", "source_language")]
    + [("sizes", pa.list_(_whole))]
    + [(name, _number) for name in ("slope", "low", "high", "like_low", "like_high")]
    + [("seeds", _whole)]
    + [(name, _number) for name in ("p", "p_holm")]
)
QUESTIONS_SCHEMA = pa.schema(
    [(name, _text) for name in ("study", "question", "target", "subject", "other")]
    + [(name, _number) for name in ("value", "low", "high", "like_low", "like_high")]
    + [("count", _whole)]
    + [(name, _number) for name in ("p", "p_holm")]
)


def run(params: Params, key: str, observe: Observe) -> Record:
    """Write the files named above, record.json, and the metrics file.

    Args:
        params: the study.
        key: name of the study; the stage has no other key.
        observe: gets one progress step per target.

    Raises:
        UserError: see the head of this file.
    """
    folders = run_folders(params)
    rows = read_scores(params, folders)
    asked = params.aggregate.best_per_target
    validation = best.read(params, runs_of(rows), metrics_of(folders)) if asked else {}
    choices = best.choose(list(params.targets), validation) if asked else []
    results = measured(params, folders, rows, choices, observe)
    study, confidence = params.study, params.aggregate.confidence
    table = summary.summary_rows(study, results, confidence)
    slopes = summary.slope_rows(study, results, confidence)
    answers = questions.rows(study, results, table, facts(params), confidence)
    published = [*rows, *best.chosen_rows(rows, choices)]
    tables = {
        "scores": scores.to_table(rows, code.identity("transfer")),
        "summary": _table(table, SUMMARY_SCHEMA),
        "slopes": _table(slopes, SLOPES_SCHEMA),
        "questions": _table(answers, QUESTIONS_SCHEMA),
        "contrasts": _table(contrasts.table_rows(study, results), contrasts.SCHEMA),
        "benchmark": _table(aggregates.rows(params.study, published), aggregates.SCHEMA),
        "best": _table(best.table_rows(params.study, choices, results, validation), best.SCHEMA),
    }
    metrics = flat_metrics(table)
    inputs = _inputs(params, folders)
    made = record.make(
        params, "aggregate", key, params.aggregate, inputs, metrics, artifacts=ARTIFACTS
    )
    with output_folder(paths.aggregated(params.study)) as out:
        for name, content in tables.items():
            write_parquet(out / f"{name}.parquet", content)
        write_json(out / "record.json", made)
    write_json(paths.metrics_file(params.study), conclusions(table))
    return made


def measured(
    params: Params,
    folders: Mapping[str, Path],
    rows: Sequence[ScoreRow],
    choices: Sequence[best.Choice],
    observe: Observe,
) -> list[TargetResult]:
    """The samples of every target, the chosen settings as `best` among them, and `all`."""
    chosen = {choice.target: choice.group for choice in choices}
    results = []
    with observe.progress("intervals", len(params.targets)) as advance:
        for target in targets(params, rows):
            translated = params.targets[target.name].task in TRANSLATED
            cells = read_cells(params, target, folders, rows, translated)
            if target.name in chosen:
                cells = {name: one.named(BEST, chosen[target.name]) for name, one in cells.items()}
            results.append(summary.measure(target, cells))
            advance(1)
    return [*results, summary.over_targets(results)]


def _table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schema)


def metrics_of(folders: Mapping[str, Path]) -> dict[str, dict[str, float]]:
    """Run -> the metrics in its record, where its validation values are.

    Raises:
        UserError: a run has no record.
    """
    return {name: read_json(folder / "record.json")["metrics"] for name, folder in folders.items()}


def facts(params: Params) -> questions.Facts:
    """What is known of the languages and of the intermediate tasks of the runs."""
    named = {run.task for run in params.transfer.values()} & set(tasks.NAMES)
    loaded = [tasks.load(name) for name in sorted(named)]
    counted = [target.expected for target in params.targets.values() if target.expected]
    parallel = all(world.parallel for world in counted)

    return questions.Facts(
        {name: language.family for name, language in LANGUAGES.items()},
        {name: language.script for name, language in LANGUAGES.items()},
        partial(distance, parallel=parallel),
        {task.name: task.kind for task in loaded},
        frozenset(task.name for task in loaded if task.origin == "machine"),
    )


def runs_of(rows: Sequence[ScoreRow]) -> list[Run]:
    """The runs that were scored."""
    return list({row.run: run_of(row) for row in rows}.values())


def conclusions(table: Sequence[Row]) -> dict[str, dict[str, dict[str, float]]]:
    """target -> group -> its headline and interval, and whether its gain is told from none.

    The headline is the zero-shot mean, or that of a target that is scored in no other language.
    They are committed, so that `dvc metrics diff` and `xstilts verify` can compare them where the
    rows are not at hand. `effect` is 1 (higher), -1 (lower) or 0 (not told), by Holm's p.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for row in summary.headlines(table):
        kept = {name: round(row[name], 4) for name in ("mean", "low", "high")}
        if row["p_holm"] is not None:
            sign = 1 if row["delta"] > 0 else -1
            kept["effect"] = sign if row["p_holm"] < SIGNIFICANT else 0
        found.setdefault(row["target"], {})[row["group"]] = kept
    return found


def flat_metrics(table: Sequence[Row]) -> dict[str, float]:
    """`target/group` -> headline, for MLflow."""
    return {
        f"{row['target']}/{row['group']}": round(row["mean"], 4) for row in summary.headlines(table)
    }


def _inputs(params: Params, folders: Mapping[str, Path]) -> list[Path]:
    """Every file read."""
    files = ["scores.json", "examples.parquet"]
    files += ["record.json"] * params.aggregate.best_per_target
    return [folder / file for folder in folders.values() for file in files]
