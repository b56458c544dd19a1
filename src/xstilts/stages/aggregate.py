"""Stage `aggregate`: join the scores of all runs of a study; intervals, deltas, slopes.

Run by `xstilts aggregate` or `dvc repro`. Reads `results/transfer/<study>/<run>/` for exactly the
runs of params.yaml. Refuses, by name: a run without results, results of no run in the study, a
missing or double cell, runs scored on different examples, and predictions that contradict scores.

Writes scores.parquet, summary.parquet and slopes.parquet; benchmark.parquet, the aggregates of the
published protocols (benchmark.py); best.parquet, the setting chosen for each target (best.py),
empty where the study does not ask for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from xstilts import benchmark, best, paths, record, scores, stats, summary
from xstilts.errors import UserError
from xstilts.files import output_folder, read_json, write_json, write_parquet
from xstilts.observe import Observe, Record
from xstilts.params import Params
from xstilts.scores import ScoreRow
from xstilts.summary import Bootstrap, Cell, Group, Run, Target

ARTIFACTS = (
    "scores.parquet",
    "summary.parquet",
    "slopes.parquet",
    "benchmark.parquet",
    "best.parquet",
)
TOLERANCE = 1e-3  # points between a score and what its predictions add up to

_text, _number, _whole = pa.string(), pa.float64(), pa.int64()
SUMMARY_SCHEMA = pa.schema(
    [(name, _text) for name in ("study", "target", "language", "metric")]
    + [("chance", _number)]
    + [(name, _text) for name in ("group", "method", "variant", "task", "source_language")]
    + [("size", _whole)]
    + [(name, _number) for name in ("mean", "low", "high")]
    + [(name, _whole) for name in ("seeds", "n", "collapsed")]
    + [(name, _number) for name in ("delta", "delta_low", "delta_high", "p", "p_holm")]
)
SLOPES_SCHEMA = pa.schema(
    [(name, _text) for name in ("study", "target", "language")]
    + [(name, _text) for name in ("method", "variant", "task", "source_language")]
    + [("sizes", pa.list_(_whole))]
    + [(name, _number) for name in ("slope", "low", "high")]
    + [("seeds", _whole)]
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
    settings = params.aggregate
    bootstrap = Bootstrap(settings.resamples, settings.seed, settings.confidence)
    results = []
    with observe.progress("bootstrap", len(params.targets)) as advance:
        for target in targets(params, rows):
            cells = read_cells(params, target, folders, rows)
            results.append(summary.measure(target, cells, bootstrap))
            advance(1)
    choices = choose(params, folders, rows) if params.aggregate.best_per_target else []
    best.add(results, choices)
    results.append(summary.over_targets(results))
    table = summary.summary_rows(params.study, results, bootstrap)
    published = [*rows, *best.score_rows(rows, choices)]
    tables = {
        "scores": scores.to_table(rows),
        "summary": _table(table, SUMMARY_SCHEMA),
        "slopes": _table(summary.slope_rows(params.study, results, bootstrap), SLOPES_SCHEMA),
        "benchmark": _table(benchmark.rows(params.study, published), benchmark.SCHEMA),
        "best": _table(best.table_rows(params.study, choices), best.SCHEMA),
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
    write_json(paths.metrics_file(params.study), metrics)
    return made


def _table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schema)


def choose(
    params: Params, folders: Mapping[str, Path], rows: Sequence[ScoreRow]
) -> list[best.Choice]:
    """The best setting for each target, by the validation values in the runs' records.

    Raises:
        UserError: a run has no record, or no validation value that is needed.
    """
    metrics = {
        name: read_json(folder / "record.json")["metrics"] for name, folder in folders.items()
    }
    runs = list({row.run: run_of(row) for row in rows}.values())
    return best.choose(list(params.targets), best.read(params, runs, metrics))


def run_folders(params: Params) -> dict[str, Path]:
    """Result folder of every run of the study, in the order of their names.

    Raises:
        UserError: names the runs without results and the results of no run in the study.
    """
    folders = {name: paths.transferred(params.study, name) for name in sorted(params.transfer)}
    missing = [name for name, folder in folders.items() if not folder.is_dir()]
    root = paths.transferred(params.study, "x").parent
    present = sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    stray = [name for name in present if name not in folders and not name.startswith(".")]
    if missing or stray:
        faults = [f"{word}: {', '.join(names)}" for word, names in _named(missing, stray) if names]
        raise UserError(
            f"{root} and the study {params.study} differ; {'; '.join(faults)}."
            " Mend: `dvc repro` makes what is missing; delete results of runs not in the study"
        )
    return folders


def _named(missing: list[str], stray: list[str]) -> list[tuple[str, list[str]]]:
    return [("runs without results", missing), ("results of no run in the study", stray)]


def read_scores(params: Params, folders: Mapping[str, Path]) -> list[ScoreRow]:
    """All score rows, each expected cell exactly once.

    Raises:
        UserError: names missing and double cells, and two runs with one setting and seed.
    """
    rows = [row for folder in folders.values() for row in scores.from_json(folder / "scores.json")]
    expected = [
        (name, target, language)
        for name, spec in params.transfer.items()
        for target in spec.targets
        for language in params.targets[target].languages
    ]
    scores.check_cells(rows, expected)
    owners: dict[tuple[Group, int], str] = {}
    for row in rows:
        one = run_of(row)
        owner = owners.setdefault((one.group, one.seed), one.name)
        if owner != one.name:
            raise UserError(
                f"runs {owner} and {one.name} are one cell: {one.group.label}, seed {one.seed}."
                " Mend: keep one of them in the study"
            )
    return rows


def run_of(row: ScoreRow) -> Run:
    """The run that a score row belongs to."""
    return Run(row.run, benchmark.group_of(row), row.seed)


def targets(params: Params, rows: Sequence[ScoreRow]) -> Iterator[Target]:
    """The study's targets, in its order, with the name of their main metric."""
    for name, spec in params.targets.items():
        metric = next((row.metric for row in rows if row.main and row.target == name), None)
        if metric is not None:
            yield Target(name, spec.source_language, metric, spec.chance)


def read_cells(
    params: Params, target: Target, folders: Mapping[str, Path], rows: Sequence[ScoreRow]
) -> Iterator[Cell]:
    """All runs on one target, language by language.

    Raises:
        UserError: runs were scored on different examples, or predictions contradict the scores.
    """
    main = {row.cell: row for row in rows if row.main and row.target == target.name}
    names = sorted({name for name, _, _ in main})
    tables = {name: _read(folders[name] / "predictions.parquet", target.name) for name in names}
    for language in params.targets[target.name].languages:
        parts = [_part(tables[name], language) for name in names]
        for name, part in zip(names, parts, strict=True):
            _check_part(main[name, target.name, language], part, parts[0], names[0])
        yield Cell(
            language,
            parts[0][0].tolist(),
            [run_of(main[name, target.name, language]) for name in names],
            np.stack([num for _, num, _ in parts]),
            np.stack([den for _, _, den in parts]),
            {name: main[name, target.name, language].collapsed for name in names},
        )


def _read(path: Path, target: str) -> dict[str, Any]:
    """Columns of one target's predictions, sorted by language and id, without the answers."""
    columns = ["language", "id", "num", "den"]
    try:
        table = pq.read_table(path, columns=columns, filters=[("target", "=", target)])
    except (OSError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path} is missing or unreadable ({reason}). Mend: `dvc pull` it, or delete its"
            " folder and `dvc repro`"
        ) from error
    table = table.sort_by([("language", "ascending"), ("id", "ascending")])
    return {name: table[name].to_numpy() for name in columns}


def _part(table: Mapping[str, Any], language: str) -> tuple[Any, Any, Any]:
    """(ids, num, den) of one language, in the order of the ids."""
    chosen = table["language"] == language
    return table["id"][chosen], table["num"][chosen], table["den"][chosen]


def _check_part(row: ScoreRow, part: Any, first: Any, first_run: str) -> None:
    """See that one run's predictions fit its score and the examples of the other runs."""
    ids, num, den = part
    cell = "/".join(row.cell)
    mend = "Mend: delete the run's results and `dvc repro`"
    if len(set(ids.tolist())) != len(ids):
        raise UserError(f"predictions of {cell} have an id twice. {mend}")
    if not np.array_equal(ids, first[0]):
        raise UserError(
            f"predictions of {cell} are on other examples than those of run {first_run}."
            " Mend: delete the results of both runs and `dvc repro`"
        )
    if len(ids) != row.n or not np.all(np.isfinite(num)) or not np.all(np.isfinite(den)):
        raise UserError(
            f"predictions of {cell} hold {len(ids)} examples, scores say {row.n}; or a value is"
            f" not finite. {mend}"
        )
    found = stats.score(num, den)
    if abs(found - row.value) > TOLERANCE:
        raise UserError(
            f"predictions of {cell} add up to {found:.4f}, the score is {row.value:.4f}. {mend}"
        )


def flat_metrics(table: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """`target/group` -> zero-shot mean, for `dvc metrics show` and MLflow."""
    return {
        f"{row['target']}/{row['group']}": round(row["mean"], 4)
        for row in table
        if row["language"] == summary.ZERO_SHOT
    }


def _inputs(params: Params, folders: Mapping[str, Path]) -> list[Path]:
    """Every file read."""
    files = ["scores.json", "predictions.parquet"]
    files += ["record.json"] * params.aggregate.best_per_target
    return [folder / file for folder in folders.values() for file in files]
