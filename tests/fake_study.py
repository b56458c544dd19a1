"""Made-up studies with numbers from a generator, a small one and one as large as the paper's.

Not a test. `params()` has two targets, five languages, three sizes; `large()` has all targets of a
protocol, variants, mixes, continued MLM, native and translated data. `write(study)` makes their
results under the working folder: the effect grows with size and falls with language distance, and
the shuffled control has none.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from xstilts.benchmarks import protocols
from xstilts.core import paths
from xstilts.core.files import write_json, write_parquet
from xstilts.core.params import (
    Aggregate,
    Intermediate,
    Params,
    Pretrain,
    Report,
    Target,
    Transfer,
)
from xstilts.results import scores

LANGUAGES = ["qaa", "qab", "qac", "qad", "qae"]
TARGETS = {"paraphrase": (50.0, "accuracy"), "fact_qa": (0.0, "squad_f1")}
ENGLISH = ("mnli", "qqp", "squad_v1", "hellaswag", "commonsense_qa")
OTHER = (("indonli", "id"), ("korquad", "ko"), ("xnli_translated", "de"), ("kor_nli", "ko"))
SIZES = (1000, 10_000, 100_000)
CHANCE = {"xnli": 33.3, "paws_x": 50.0, "xcopa": 50.0}
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


def part(spec: dict) -> dict:
    """Params of the only part of an intermediate training."""
    return {
        "task": spec["task"], "kind": "span", "rows_kind": "span", "labels": [],
        "metric": "squad_f1", "language": spec["source_language"], "rows": "x", "max_length": 64,
        "stride": 8,
    }  # fmt: skip


def intermediate(spec: dict) -> Intermediate:
    """Params of the training behind a transfer run."""
    mixed = {"mixing": {}} if spec["method"] in ("multi", "mlm") else {}
    shared = {name: spec[name] for name in ("method", "task", "size", "seed")}
    return Intermediate(
        **shared, variant=spec.get("variant", ""), language=spec["source_language"], rows="x",
        watch="models/x", parts=[part(spec)], checkpoint="models/x", training=TRAINING, **mixed,
    )  # fmt: skip


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
        run: dict(zip(names, values, strict=True)) | {"checkpoint": "models/x"}
        for run, values in runs.items()
    }


def params(
    tasks: dict[str, list[int]] | None = None,
    languages: list[str] | None = None,
    seeds: tuple[int, ...] = (1, 2),
) -> Params:
    """The study's params."""
    tasks = tasks or {"facts": [1000, 4000, 16000], "order": [1000, 16000]}
    languages = languages or LANGUAGES
    transfer = transfers(tasks, list(seeds))
    # Only the sections that are read here are filled, so that others may change without harm.
    return Params.model_construct(
        study="fake",
        pretrain=Pretrain(source="scratch", reads="x"),
        intermediate={
            name: intermediate(spec) for name, spec in transfer.items() if spec["method"] != "none"
        },
        transfer={name: Transfer(**spec) for name, spec in transfer.items()},
        targets={name: Target(**target(name, languages)) for name in TARGETS},
        aggregate=Aggregate(),
        report=Report(title=TITLE, description=DESCRIPTION, source="world"),
    )


def large(
    protocol: str = "x-stilts",
    best: bool = True,
    seeds: tuple[int, ...] = (1, 2),
    sizes: tuple[int, ...] = SIZES,
) -> Params:
    """All targets of a protocol, and every way to train before them."""
    official = protocols.get(protocol)
    grid = [("single", "", task, "en", size) for task in ENGLISH for size in sizes]
    grid += [("single", "steps", task, "en", size) for task in ENGLISH[:2] for size in sizes]
    grid += [("single", "", task, language, size) for task, language in OTHER for size in sizes[:2]]
    grid += [("single", "adapter", "mnli", "en", 10_000), ("shuffled", "", "mnli", "en", 100_000)]
    grid += [("multi", "", "nine", "en", 90_000), ("mlm", "", "mnli", "en", 100_000)]
    runs = {f"none-s{seed}": ("none", "", "none", "none", 0, seed) for seed in seeds}
    for method, variant, task, language, size in grid:
        tails = [method] * (method in ("shuffled", "mlm")) + [variant] * bool(variant)
        for seed in seeds:
            name = "-".join([task, language, str(size), f"s{seed}", *tails])
            runs[name] = (method, variant, task, language, size, seed)
    names = ("method", "variant", "task", "source_language", "size", "seed")
    transfer = {
        run: dict(zip(names, values, strict=True)) | {"checkpoint": "models/x"}
        for run, values in runs.items()
    }
    return Params.model_construct(
        study="fake",
        left_out={"ccg": "CCGbank is licensed. Mend: put it into the folder $XSTILTS_CCG"},
        intermediate={
            name: intermediate(spec) for name, spec in transfer.items() if spec["method"] != "none"
        },
        transfer={name: Transfer(**spec) for name, spec in transfer.items()},
        targets={name: Target(**official_target(official, name)) for name in official.languages},
        pretrain=Pretrain(source="hub", reads="x", model="FacebookAI/xlm-roberta-large"),
        aggregate=Aggregate(best_per_target=best),
        report=Report(title=TITLE, description=DESCRIPTION, source="hub"),
    )


def official_target(protocol: protocols.Protocol, name: str) -> dict:
    """Params of one target of a protocol."""
    trained = protocol.training[name] != "none"
    states = protocol.retrieval.get(name, protocols.Retrieval(-1, "mean"))
    return {
        "task": name, "kind": "classification" if trained else "retrieval", "labels": [],
        "metric": protocol.metrics[name], "chance": CHANCE.get(name, 0.0),
        "protocol": protocol.name, "rows": "data/x", "split": "test",
        "languages": list(protocol.languages[name]), "source_language": "en",
        "train_rows": "data/y.parquet" if trained else None, "train_limit": None,
        "validation": "data/z.parquet" if trained else None,
        "training": TRAINING if trained else None, "layer": states.layer,
        "pooling": states.pooling, "similarity": states.similarity,
    }  # fmt: skip


def ability(spec: dict, name: str, distance: int) -> float:
    """Expected score, 0-1."""
    gains = {"facts": 0.055, "order": 0.012, "none": 0.0}
    gain = gains.get(spec["task"], 0.002 + sum(map(ord, spec["task"] + name)) % 9 / 600)
    if spec["method"] == "shuffled":
        gain = 0.0
    gain *= 0.6 if spec.get("variant") else 1.0
    base = {"paraphrase": 0.70, "fact_qa": 0.62}.get(name, 0.6 + len(name) / 40)
    slope = {"paraphrase": 0.045, "fact_qa": 0.105}.get(name, 0.4 / 40)
    rows = np.log2(1 + spec["size"] / 1000)
    return float(base + gain * rows * max(0.3, 1 - 0.17 * distance) - slope * distance)


def cell(
    run: str, spec: dict, one: Target, language: str, distance: int, examples: int
) -> tuple[list[scores.ScoreRow], dict[str, list]]:
    """Score rows and examples of one run on one target in one language."""
    # Difficulty is the example's own, the same for all runs: this is what makes pairing useful.
    name = one.task
    difficulty = np.random.default_rng([1, len(name)]).normal(size=examples)
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
    official = protocols.get(one.protocol).values.get(name)
    names = official or ({"fact_qa": "f1"}.get(name, "accuracy"),)
    value = float(100 * num.mean())
    rows = [
        scores.ScoreRow(
            study="fake", run=run, method=spec["method"], variant=spec["variant"],
            task=spec["task"], source_language=spec["source_language"], size=spec["size"],
            seed=spec["seed"], target=name, language=language, metric=metric, main=not place,
            value=value * (0.8 if place else 1.0), n=examples, chance=one.chance,
            collapsed=collapse, protocol=one.protocol, data_sha="d" * 64,
            model_sha=f"{sum(map(ord, run)):064x}"[::-1],
        ) for place, metric in enumerate(names)
    ]  # fmt: skip
    added = {
        "target": [name] * examples, "language": [language] * examples,
        "id": [f"{i}" for i in range(examples)],
        "num": num.tolist(), "den": [1.0] * examples,
    }  # fmt: skip
    return rows, added


def write(study: Params, examples: int = 200) -> None:
    """Write the transfer results of a study under the working folder."""
    for run, spec in study.transfer.items():
        rows, tables, metrics = [], [], {}
        for name, one in study.targets_of(run).items():
            if one.validation:
                metrics[f"{name}.validation"] = 100 * ability(spec.model_dump(), name, 0)
            for distance, language in enumerate(one.languages):
                found, part = cell(run, spec.model_dump(), one, language, distance, examples)
                rows += found
                tables.append(pa.table(part, schema=scores.EXAMPLES_SCHEMA))
        folder = Path(paths.transferred(study.study, run))
        write_json(folder / "scores.json", scores.to_json(rows))
        write_parquet(folder / "examples.parquet", pa.concat_tables(tables))
        write_json(folder / "record.json", {"metrics": metrics})
