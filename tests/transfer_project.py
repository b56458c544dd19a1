"""Not a test: a project folder with a tiny model and invented rows, on which transfer can run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from xstilts.core import files, paths
from xstilts.core.params import Architecture, Before, Params, Target, Training, Transfer
from xstilts.core.progress import Observe
from xstilts.kinds.spec import KINDS
from xstilts.model.checkpoint import small_mt5, small_xlmr
from xstilts.model.tokenizer import load
from xstilts.stages import transfer

STUDY, RUN = "tiny", "none-s1"
LANGUAGES = ["qaa", "qab"]
RESULTS = paths.transferred(STUDY, RUN)
PREDICTED = paths.predicted(STUDY, RUN)
WORDS = ["tapika", "nemoti", "katupe", "опита", "бегова", "42"]
TRAINING = {
    **{"steps": 2, "batch": 4, "learning_rate": 1e-3, "max_length": 24, "stride": 4},
    **{"negatives": 2, "dropout": 0.0},
}
METRICS = {  # of kinds that have an encoder under a head, or alone
    "classification": "accuracy",
    "multiple_choice": "accuracy",
    "span": "squad_f1",
    "tagging": "entity_f1",
    "retrieval": "retrieval_accuracy",
    "mining": "mining_f1",
    "ranking": "map_at_20",
}
WRITTEN = "answer_f1"  # of generation
Rows = list[dict[str, Any]]


def _texts(seed: int, count: int) -> list[str]:
    """Different invented sentences."""
    rng = np.random.default_rng(seed)
    return [f"{' '.join(rng.choice(WORDS, rng.integers(2, 6)))} {n}" for n in range(count)]


def rows(kind: str, seed: int, count: int = 8) -> Rows:
    """Rows of one file."""
    texts, ids = _texts(seed, count), [f"r{n}" for n in range(count)]
    return [{"id": one, **_row(kind, n, texts)} for n, one in enumerate(ids)]


def _row(kind: str, n: int, texts: list[str]) -> dict[str, Any]:
    """One row without its id."""
    text, other = texts[n], texts[-n - 1]
    if kind == "classification":
        return {"text_a": text, "text_b": other, "label": n % 2}
    if kind == "multiple_choice":
        return {"context": text, "question": "", "choices": [other, "x"], "label": n % 2}
    if kind == "span":
        answer = {"text": text.split()[1], "start": len(text.split()[0]) + 1}
        return {"context": text, "question": other, "answers": [answer]}
    if kind == "tagging":
        return {"tokens": text.split(), "tags": [k % 3 for k in range(len(text.split()))]}
    if kind == "retrieval":
        return {"text_a": text, "text_b": f"{text} x"}
    if kind == "generation":
        return {"source": text, "targets": [other], "language": LANGUAGES[0]}
    assert kind == "ranking"
    return {
        **{"text": text, "pair": None, "relevant": [f"{one}-r{n}" for one in LANGUAGES]},
        **{"positive": f"{n} {WORDS[n % 5]} {n}", "positive_pair": text if n % 2 else None},
    }


def mining_rows(seed: int, count: int = 6) -> Rows:
    """Sentences of two sides; every foreign one but the last has a translation, its own text."""
    texts = _texts(seed, count)
    foreign = [
        {"id": f"f{n}", "side": "foreign", "text": text, "gold": [f"e{n}"] * (n < count - 1)}
        for n, text in enumerate(texts)
    ]
    english = [
        {"id": f"e{n}", "side": "english", "text": f"{text} x", "gold": []}
        for n, text in enumerate([*texts[:-1], "katupe katupe"])
    ]
    return foreign + english


def candidate_rows(language: str, seed: int, count: int = 8) -> Rows:
    """One language's part of a pool."""
    return [
        {
            **{"id": f"{language}-r{n}", "text": text, "pair": f" {text}\n{text}"},
            **{"relevant": [], "positive": None, "positive_pair": None},
        }
        for n, text in enumerate(_texts(seed, count))
    ]


def write(path: Path, kind: str, some: Rows) -> None:
    """A prepared file."""
    files.write_parquet(path, pa.Table.from_pylist(some, schema=KINDS[kind].schema))


def target(kind: str, **changes: Any) -> Target:
    """A target of a kind, in two languages, with its files."""
    folder = paths.prepared(STUDY, "targets", kind)
    trained = kind not in ("retrieval", "mining")
    for number, language in enumerate(LANGUAGES):
        for seed, split in ((10, "validation"), (20, "test")):
            made = mining_rows if kind == "mining" else lambda seed: rows(kind, seed)
            write(paths.rows(folder, language, split), kind, made(seed + number))
        if kind == "ranking":
            pool = candidate_rows(language, 30 + number)
            write(paths.rows(folder, language, "candidates"), kind, pool)
    if trained:
        write(folder / "qaa.train.parquet", kind, rows(kind, 40))
    spec = {
        **{
            "task": kind,
            "kind": kind,
            "labels": _labels(kind),
            "metric": METRICS.get(kind, WRITTEN),
        },
        **{"chance": 5.0, "protocol": "xtreme", "rows": str(folder), "split": "test"},
        **{"languages": LANGUAGES, "source_language": "qaa", "train_limit": None},
        **{"train_rows": str(folder / "qaa.train.parquet") if trained else None},
        **{"validation": None, "training": Training(**TRAINING) if trained else None},
        **{"layer": 1, "max_length": 24},
        **{"candidates": LANGUAGES if kind == "ranking" else []},
    }
    return Target(**{**spec, **changes})


def _labels(kind: str) -> list[str]:
    return {"classification": ["a", "b"], "tagging": ["O", "B-X", "I-X"]}.get(kind, [])


def before(task: str, **changes: Any) -> Before:
    """A training on other rows of multiple choice, which precedes a target's own."""
    path = paths.prepared(STUDY, "targets", task) / "qaa.train.parquet"
    write(path, "multiple_choice", rows("multiple_choice", 50))
    validation = path.with_name("qaa.validation.parquet")
    write(validation, "multiple_choice", rows("multiple_choice", 51))
    training = Training(**{**TRAINING, "steps": 3, **changes})
    where = str(validation) if training.validated else None
    return Before(task=task, rows=str(path), validation=where, training=training)


def checkpoint(tokens: Path, decodes: bool = False) -> Path:
    """The folder of a tiny XLM-R, or mT5, with the tokenizer of the folder `tokens`."""
    folder = paths.pretrained(STUDY)
    folder.mkdir(parents=True)
    for path in tokens.glob("tokenizer*.json"):
        shutil.copy(path, folder)
    torch.manual_seed(1)
    size = {"layers": 2, "hidden": 16, "heads": 2, "feed_forward": 32}
    shape = Architecture(vocabulary=300, **size, max_positions=64, initializer_range=0.3)
    if decodes:
        whole = small_mt5(shape, len(load(folder)), 0.0)
        whole.lm_head.weight.data[:4] = 0.0  # special pieces: it is not silent
        whole.save_pretrained(folder)
    else:
        small_xlmr(shape, len(load(folder)), 0.0).base_model.save_pretrained(folder)
    return folder


def params(*targets: Target, **changes: Any) -> Params:
    """What the stage reads of the design: one run from the base model."""
    spec = {
        **{"method": "none", "task": "none", "source_language": "none", "size": 0, "seed": 1},
        **{"checkpoint": str(paths.pretrained(STUDY))},
    }
    run = Transfer(**{**spec, **changes})
    by_name = {one.task: one for one in targets}
    return Params.model_construct(study=STUDY, transfer={RUN: run}, targets=by_name)


def enter(folder: Path, patch: pytest.MonkeyPatch, tokenizer: Any) -> Path:
    """Make `folder` the working folder, with a base model and a machine of one thread."""
    patch.chdir(folder)
    Path("machine.yaml").write_text("threads: 1\nmicro_batch: 4\n", encoding="utf-8")
    checkpoint(Path(tokenizer.name_or_path))
    return folder


def run(params: Params) -> dict[str, Any]:
    """Run the stage; its record."""
    return dict(transfer.run(params, RUN, Observe(quiet=True)))


def predictions() -> Rows:
    """Rows of predictions.parquet."""
    found: Rows = files.read_parquet(PREDICTED / "predictions.parquet").to_pylist()
    return found


def every_file() -> dict[str, bytes]:
    """Files of the results by name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for folder in (RESULTS, PREDICTED)
        for path in folder.rglob("*")
        if path.is_file()
    }


class Killed(Exception):
    """As if the process were ended."""


def killed_after(calls: int, original: Callable[..., Any], seen: list[Any]) -> Callable[..., Any]:
    """A function that notes its first argument, and dies when it has been called `calls` times."""

    def call(*arguments: Any) -> Any:
        if len(seen) == calls:
            raise Killed
        seen.append(arguments[0])
        return original(*arguments)

    return call
