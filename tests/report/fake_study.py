"""A made-up study with numbers from a generator: two targets, five languages, three sizes.

Not a test. `write(root)` makes `results/transfer/` under `root` and returns the params; the effect
grows with size and falls with language distance, and the shuffled control has none.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from xstilts import paths, scores
from xstilts.files import write_json, write_parquet
from xstilts.params import Aggregate, Intermediate, Params, Report, Target, Transfer

LANGUAGES = ["qaa", "qab", "qac", "qad", "qae"]
TARGETS = {"paraphrase": (50.0, "accuracy"), "fact_qa": (0.0, "squad_f1")}
TITLE = "How many rows of intermediate training does transfer need?"
DESCRIPTION = (
    "A small model of made-up languages, first trained on 1K to 16K rows of another task, then"
    " fine-tuned and scored without an example in four of five languages."
)
TRAINING = {"epochs": 4, "batch": 64, "learning_rate": 1e-3}


def target(name: str, languages: list[str]) -> dict:
    """Params of one target."""
    chance, metric = TARGETS[name]
    return {
        "task": name, "kind": "classification", "labels": [], "metric": metric, "chance": chance,
        "protocol": "xtreme", "rows": "data/x", "split": "test", "languages": languages,
        "source_language": "qaa", "train_rows": "data/y.parquet", "train_limit": None,
        "validation": None, "training": TRAINING,
    }  # fmt: skip


def transfers(tasks: dict[str, list[int]], seeds: list[int]) -> dict[str, dict]:
    """Params of the transfer stage: `none`, the grid, and a shuffled control of the first task."""
    runs = {f"none-s{s}": ("none", "none", "none", 0, s) for s in seeds}
    for task, sizes in tasks.items():
        for size in sizes:
            runs |= {f"{task}-qaa-{size}-s{s}": ("single", task, "qaa", size, s) for s in seeds}
    task, sizes = next(iter(tasks.items()))
    for s in seeds:
        runs[f"{task}-qaa-{sizes[-1]}-s{s}-shuffled"] = ("shuffled", task, "qaa", sizes[-1], s)
    names = ("method", "task", "source_language", "size", "seed")
    return {
        run: dict(zip(names, values, strict=True))
        | {"checkpoint": "models/x", "targets": list(TARGETS)}
        for run, values in runs.items()
    }


def params(
    tasks: dict[str, list[int]] | None = None,
    languages: list[str] | None = None,
    seeds: tuple[int, ...] = (1, 2),
    resamples: int = 300,
) -> Params:
    """The study's params."""
    tasks = tasks or {"facts": [1000, 4000, 16000], "order": [1000, 16000]}
    languages = languages or LANGUAGES
    transfer = transfers(tasks, list(seeds))
    intermediate = {
        run: {
            "method": spec["method"], "task": spec["task"], "kind": "span", "labels": [],
            "language": "qaa", "size": spec["size"], "seed": spec["seed"], "rows": "x",
            "validation": None, "metric": "squad_f1", "checkpoint": "models/x", "watch": "models/x",
            "training": TRAINING,
        }
        for run, spec in transfer.items() if spec["method"] != "none"
    }  # fmt: skip
    # Only the sections that are read here are filled, so that others may change without harm.
    return Params.model_construct(
        study="fake",
        intermediate={name: Intermediate(**spec) for name, spec in intermediate.items()},
        transfer={name: Transfer(**spec) for name, spec in transfer.items()},
        targets={name: Target(**target(name, languages)) for name in TARGETS},
        aggregate=Aggregate(resamples=resamples),
        report=Report(title=TITLE, description=DESCRIPTION, source="world"),
    )


def ability(spec: dict, name: str, distance: int) -> float:
    """Expected score, 0-1."""
    gain = {"facts": 0.055, "order": 0.012, "none": 0.0}[spec["task"]]
    rows = 0.0 if spec["method"] != "single" else np.log2(1 + spec["size"] / 1000)
    base = {"paraphrase": 0.70, "fact_qa": 0.62}[name]
    slope = {"paraphrase": 0.045, "fact_qa": 0.105}[name]
    return float(base + gain * rows * (1 - 0.17 * distance) - slope * distance)


def cell(
    run: str, spec: dict, name: str, language: str, distance: int, examples: int
) -> tuple[scores.ScoreRow, dict[str, list]]:
    """Score row and predictions of one run on one target in one language."""
    # Difficulty is the example's own, the same for all runs: this is what makes pairing useful.
    shared = np.random.default_rng([1, len(name)])
    difficulty = shared.normal(size=examples)
    own = np.random.default_rng([spec["seed"], sum(map(ord, run + name)), distance])
    level = ability(spec, name, distance) + own.normal(scale=0.008)
    noise = own.normal(size=examples)
    rank = np.argsort(np.argsort(difficulty + 0.7 * noise)) / examples
    num = (rank < level).astype(float)
    if name == "fact_qa":
        num = np.where(num > 0, 1.0, np.round(own.random(examples) * 0.3, 2))
    collapse = run.startswith("order-qaa-1000-s2") and name == "paraphrase" and distance == 4
    if collapse:
        num = (np.arange(examples) % 2).astype(float)
    row = scores.ScoreRow(
        study="fake", run=run, method=spec["method"], task=spec["task"],
        source_language=spec["source_language"], size=spec["size"], seed=spec["seed"],
        target=name, language=language, metric={"fact_qa": "f1"}.get(name, "accuracy"), main=True,
        value=float(100 * num.mean()), n=examples, chance=TARGETS[name][0], collapsed=collapse,
        protocol="xtreme", data_sha="d" * 64, model_sha=f"{sum(map(ord, run)):064x}"[::-1],
        code_sha="c" * 64,
    )  # fmt: skip
    predictions = {
        "target": [name] * examples, "language": [language] * examples,
        "id": [f"{i}" for i in range(examples)], "prediction": ["0"] * examples,
        "num": num.tolist(), "den": [1.0] * examples,
    }  # fmt: skip
    return row, predictions


def write(study: Params, examples: int = 200) -> None:
    """Write the transfer results of a study under the working folder."""
    for run, spec in study.transfer.items():
        rows, tables = [], []
        for name, one in study.targets.items():
            for distance, language in enumerate(one.languages):
                row, part = cell(run, spec.model_dump(), name, language, distance, examples)
                rows.append(row)
                tables.append(pa.table(part, schema=scores.PREDICTIONS_SCHEMA))
        folder = Path(paths.transferred(study.study, run))
        write_json(folder / "scores.json", scores.to_json(rows))
        write_parquet(folder / "predictions.parquet", pa.concat_tables(tables))
