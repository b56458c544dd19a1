"""Finished stages as MLflow shows them: their tags, params, points, artifacts and tables.

Reads record.json and provenance; `tracking` writes what comes out into the store.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from xstilts.core import files, paths
from xstilts.records.tracking_data import is_data

SHOWN = ("method", "variant", "task", "language", "size", "seed")  # params that also become tags
SETTING = "setting"  # the tag that seeds of one setting share, and the stage of what joins them
RUN_KEY = "xstilts.run_key"  # the tag by which `tracking.sync` knows a record's run
CLAIM = "claim."  # begins the tag of a claim; its value is the verdict
VERDICTS = ("reproduced", "not reproduced", "undecided", "not run")
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")  # never copied: DVC versions them
LARGEST = 64 << 20  # bytes of an artifact that is copied; above, only its sha256 is told
INPUTS = 50  # files read that become tags; of more only the number is told, as each slows a page
EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development",  # a table of runs, not of traces
    "mlflow.note.content": (
        "One row per setting, mean and SD over seeds: filter `tags.stage = 'setting'`. One row per "
        "run: `tags.stage = 'transfer'`, grouped by `setting`. `<task>.zero_shot` (0-100) is the "
        "mean over the languages not trained on. Tags to filter by: `method`, `task`, `language`, "
        "`size`, `seed`, `setting`, `claim.<id>`; data sets: `dataset.name = 'xnli'`. record.json "
        "holds the same, in DVC."
    ),
}


def records(study: str) -> list[tuple[Path, dict[str, Any]]]:
    """All (folder, record.json content) of a study's finished stages, in the order of paths."""
    found = []
    for root in ("data", "statistics", "models", "results", "report"):
        for path in sorted(Path(root).rglob("record.json")):
            if any(part.startswith(".") for part in path.parts):
                continue  # a stage is just writing this one
            record = files.read_json(path)
            if record.get("study") == study:
                found.append((path.parent, record))
    return found


def run_key(record: dict[str, Any]) -> str:
    """Name the work that a record tells of: sha256 of the record, which holds all of its result."""
    return files.sha256_json(record)


def times(record: dict[str, Any], folder: Path) -> tuple[int, int, dict[str, Any]]:
    """Start and end (ms since the epoch) and git state of a record's stage run.

    Without provenance, the record's own file time stands for both.
    """
    path = paths.provenance(record["study"], record["stage"], record["key"])
    if not path.exists():
        written = int(1000 * (folder / "record.json").stat().st_mtime)
        return written, written, {}
    origin = files.read_json(path)
    start = int(1000 * datetime.fromisoformat(origin["started"]).timestamp())
    return start, start + int(1000 * origin["seconds"]), origin["git"]


def labels(spec: dict[str, Any], git: dict[str, Any]) -> dict[str, str]:
    """What a person filters runs by, and where a run comes from, as MLflow tags."""
    stage, params = spec["stage"], spec["params"]
    tags = {"stage": stage, "run": spec["key"], "study": spec["study"]} | facts(params)
    if name := setting(spec):
        tags[SETTING] = name
    tags |= {"mlflow.source.name": f"xstilts {stage}", "mlflow.source.type": "LOCAL"}
    if git.get("commit"):
        tags["mlflow.source.git.commit"] = git["commit"]
        tags["git.dirty"] = str(bool(git.get("dirty"))).lower()
    return tags


def facts(params: dict[str, Any]) -> dict[str, str]:
    """What tells runs of a stage apart; a transfer's language is that of the intermediate rows."""
    known = {"language": params.get("source_language"), **params}
    return {name: str(known[name]) for name in SHOWN if known.get(name) not in (None, "")}


def setting(spec: dict[str, Any]) -> str | None:
    """A run's key without its seed: `mnli-en-1000-s2-steps` -> `mnli-en-1000-steps`."""
    key, part = str(spec["key"]), f"-s{spec['params'].get('seed')}"
    return key.replace(part, "", 1) if part in key else None


def flat(value: Any, prefix: str = "") -> dict[str, str]:
    """Nested params as flat text: `{"a": {"b": [1]}}` -> `{"a.b": "[1]"}`."""
    if isinstance(value, dict) and (value or not prefix):
        parts = [flat(v, f"{prefix}.{k}" if prefix else str(k)) for k, v in value.items()]
        return {name: text for part in parts for name, text in part.items()}
    text = (
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    )
    return {prefix: text}


def points(record: dict[str, Any], without: set[tuple[str, int]]) -> list[tuple[str, float, int]]:
    """(name, value, step) of a record's curves, less the (name, step) given, and final metrics."""
    curves = {name: curve for name, curve in record.get("curves", {}).items() if curve}
    every = [(name, value, int(step)) for name, curve in curves.items() for step, value in curve]
    found = [(name, value, step) for name, value, step in every if (name, step) not in without]
    for name, value in record["metrics"].items():
        # MLflow shows the last step's value: a final metric must not lose to its own curve.
        step, last = curves[name][-1] if name in curves else (0, None)
        if value != last:
            found.append((name, value, int(step)))
    return found


def outcome(record: dict[str, Any], folder: Path) -> tuple[dict[str, str], dict[str, Path]]:
    """Tags that say what a record was made from, and the files worth copying by their names.

    Data sets are not among the tags: tracking_data.py tells them.
    """
    tags = {RUN_KEY: run_key(record)}
    read = {path: sha for path, sha in record.get("inputs", {}).items() if not is_data(path)}
    if len(read) > INPUTS:
        tags["inputs"] = f"{len(read)} files, see record.json"
    else:
        tags |= {f"input/{path}": sha for path, sha in read.items()}
    tags["mlflow.note.content"] = f"The same in a file: `{folder}/record.json`"
    named = {name: folder / name for name in ("record.json", *record.get("artifacts", ()))}
    if record["stage"] == "transfer":  # of a clone without what DVC keeps, there are none
        samples = paths.predicted(record["study"], record["key"]).glob("*.json")
        named |= {path.name: path for path in sorted(samples)}
    large = [n for n, at in named.items() if n.endswith(WEIGHTS) or at.stat().st_size > LARGEST]
    tags |= {f"sha256/{name}": files.sha256_file(named.pop(name)) for name in large}
    return tags, named


def view(stage: str, metrics: list[str]) -> tuple[str, str]:
    """MLflow's table of runs, as its UI saves it: one stage, its main metrics, best first.

    The experiment's tag and its value; the address `?viewStateShareKey=<stage>` opens it.
    Main are the `<task>.zero_shot` metrics where there are some, the average first. Transfer runs
    are grouped by their setting, each group with its mean over the runs that the page has loaded,
    100 at a time; for settings, which hold mean and SD over all, there is a view of their own.
    """
    main = sorted(name for name in metrics if name.endswith(".zero_shot")) or sorted(metrics)[:12]
    main.sort(key=lambda name: not name.startswith("average"))
    if stage == SETTING:
        spread = [[name, f"{name}.sd"] if f"{name}.sd" in metrics else [name] for name in main]
        main = [*spread.pop(0), "seeds", *(name for pair in spread for name in pair)]
    name, data = "attributes.`Run Name`", "attributes.`Dataset`"
    columns = [f"metrics.`{metric}`" for metric in main]
    grouped = {"mode": "tag", "groupByData": SETTING}
    state = {
        "searchFilter": f"tags.stage = '{stage}'",
        "orderByKey": columns[0] if columns else "attributes.start_time",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": columns if stage == SETTING else [*columns, data],
        "columnOrder": [name, "runDateAndNestInfo", *columns, data, "duration"],
        "columnWidths": {name: 330, data: 330} | dict.fromkeys(columns, 170),  # pixels
    }
    if stage == "transfer":
        state["groupBy"] = {"aggregateFunction": "average", "groupByKeys": [grouped]}
    return f"mlflow.sharedViewState.{stage}", json.dumps(state)


def one_line(error: BaseException) -> str:
    """`Type: first line`, cut to what a tag and a reader can take."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}".rstrip(": ")[:500]
