"""All that is known of a finished run, as JSON has it and as `show` prints it.

Reads the run's record.json and scores.json, its provenance, and the MLflow store.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from xstilts.commands import graph
from xstilts.commands.show import words
from xstilts.commands.show.find import Run
from xstilts.core import files, paths
from xstilts.core.params import Params
from xstilts.records import store
from xstilts.results import scores
from xstilts.results.scores import ZERO_SHOT, ScoreRow

Json = dict[str, Any]


def gather(run: Run, folder: Path) -> Json:
    """Everything about one run, in the order in which it is printed.

    Raises:
        UserError: a file of the run is broken.
    """
    loaded, stage, key = run
    record = files.read_json(folder / "record.json")
    score_rows = scores.from_json(folder / "scores.json") if stage == "transfer" else []
    origin = paths.provenance(loaded.study, stage, key)
    provenance = files.read_json(origin) if origin.is_file() else None
    return {
        "run": graph.stage_name(loaded.study, stage, key),
        "study": loaded.study,
        "stage": stage,
        "key": key,
        "setting": words.setting(loaded, stage, key),
        "params": record["params"],
        "scores": [_target(loaded, name, score_rows) for name in _targets(loaded, score_rows)],
        "metrics": {} if score_rows else record["metrics"],
        "curves": {name: _ends(curve) for name, curve in record["curves"].items() if curve},
        "inputs": _inputs(loaded, record["inputs"]),
        "outputs": _outputs(loaded, stage, key),
        "provenance": provenance,
        "mlflow": _mlflow(record, provenance),
    }


def _targets(loaded: Params, rows: list[ScoreRow]) -> list[str]:
    """Targets in the order of the study."""
    present = {row.target for row in rows}
    return [name for name in loaded.targets if name in present]


def _target(loaded: Params, name: str, rows: list[ScoreRow]) -> Json:
    """One target: scores by language, source language first, and their zero-shot mean."""
    spec = loaded.targets[name]
    own = [row for row in rows if row.target == name]
    main = {row.language: row for row in own if row.main}
    away = [row for row in main.values() if row.language != spec.source_language]
    order = sorted(spec.languages, key=lambda language: language != spec.source_language)
    others = list(dict.fromkeys(row.metric for row in own if not row.main))
    return {
        "target": name,
        "metric": next(row.metric for row in main.values()),
        "protocol": spec.protocol,
        "chance": spec.chance,
        "trained_in": spec.source_language if spec.training else None,
        "languages": [_cell(main[one]) for one in order if one in main],
        "other_metrics": {
            metric: {row.language: row.value for row in own if row.metric == metric}
            for metric in others
        },
        ZERO_SHOT: fmean(row.value for row in away) if away else None,
        "expected": _mean([row.expected for row in away]),
    }


def _cell(row: ScoreRow) -> Json:
    names = ("language", "value", "expected", "n", "collapsed")
    return {name: getattr(row, name) for name in names}


def _mean(values: list[float | None]) -> float | None:
    """The mean, where all values are known."""
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _ends(curve: list[list[float]]) -> Json:
    """Where a curve begins and ends."""
    (first_step, first), (last_step, last) = curve[0], curve[-1]
    return {"points": len(curve), "from": [first_step, first], "to": [last_step, last]}


def _inputs(loaded: Params, inputs: Mapping[str, str]) -> list[Json]:
    """Files that were read: sha256, the stage that made each, and whether it is still there."""
    makers = {
        path: graph.stage_name(loaded.study, word, key)
        for word in graph.flow.WORDS
        for key in graph.keys(loaded, word)
        for path in paths.outputs(loaded, word, key)
    }
    return [
        {
            "path": name,
            "sha256": sha256,
            "made_by": next((makers[one] for one in _upwards(name) if one in makers), None),
            "here": Path(name).is_file(),
        }
        for name, sha256 in inputs.items()
    ]


def _upwards(name: str) -> list[Path]:
    """A file, its folder, the folder around that ..."""
    return [Path(name), *Path(name).parents]


def _outputs(loaded: Params, stage: str, key: str) -> list[Json]:
    """Files that the run wrote, with their bytes; drafts and locks are none."""
    found = []
    for place in paths.outputs(loaded, stage, key):
        inside = sorted(place.rglob("*")) if place.is_dir() else [place]
        found += [path for path in inside if path.is_file() and not path.name.startswith(".")]
    return [{"path": str(path), "bytes": path.stat().st_size} for path in found]


def _mlflow(record: Json, provenance: Json | None) -> Json | None:
    """The MLflow run: as the store has it, or as it was noted when the stage ran."""
    found = store.run_of(record)
    if found is not None:
        return {"run_id": found[0], "experiment_id": found[1], "in_store": True}
    noted = (provenance or {}).get("mlflow_run_id")
    if noted is None:
        return None
    experiment = (provenance or {}).get("mlflow_experiment_id")
    return {"run_id": noted, "experiment_id": experiment, "in_store": False}


def tidy(value: Any) -> Any:
    """JSON knows no infinities and NaN: null stands for them."""
    if isinstance(value, dict):
        return {name: tidy(one) for name, one in value.items()}
    if isinstance(value, list):
        return [tidy(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
