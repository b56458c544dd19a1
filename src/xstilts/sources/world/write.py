"""The source "world": makes the control world's data set in the layout of the Hugging Face hub.

`materialise("world/facts", spec, target)` writes parquet files and a README.md whose front matter
lists the configs, so that `datasets.load_dataset(str(target), config, split=split)` reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from xstilts.core.errors import UserError
from xstilts.core.files import write_bytes, write_parquet
from xstilts.sources.world import tasks
from xstilts.sources.world.languages import Language, make_languages

DATASET = "world/facts"
SPLITS = ("train", "validation", "test")
TASKS = ("qa", "reading", "paraphrase", "pos")
DEFAULTS: dict[str, Any] = {
    "seed": 1,
    "text": 96000,
    "train_languages": ["qaa"],
    "qa": {"train": 16000, "validation": 500, "test": 500},
    "reading": {"train": 1500, "validation": 500, "test": 500},
    "paraphrase": {"train": 8000, "validation": 500, "test": 1000},
    "pos": {"train": 4000, "validation": 500, "test": 500},
    "bitext": {"test": 500},
}
STRING = pa.string()
ANSWERS = pa.struct([("text", pa.list_(STRING)), ("answer_start", pa.list_(pa.int32()))])
SCHEMAS: dict[str, list[tuple[str, pa.DataType]]] = {
    "text": [("id", STRING), ("text", STRING), ("pair", STRING)],
    "qa": [
        *((name, STRING) for name in ("id", "title", "context", "question")),
        ("answers", ANSWERS),
    ],
    "reading": [
        *((name, STRING) for name in ("id", "title", "context", "question")),
        ("answers", ANSWERS),
    ],
    "paraphrase": [
        ("id", pa.int32()),
        ("sentence1", STRING),
        ("sentence2", STRING),
        ("label", pa.int64()),
    ],
    "pos": [("tokens", pa.list_(STRING)), ("pos_tags", pa.list_(pa.int64()))],
    "bitext": [("sentence1", STRING), ("sentence2", STRING)],
}


def materialise(dataset: str, spec: dict[str, Any], target: Path) -> None:
    """Write the data set `dataset` into the folder `target`.

    `spec` may give any key of `DEFAULTS`: the seed, the rows of each split and the languages that
    have training rows. Equal specs give equal bytes. A size that grows keeps the rows it had.

    Raises:
        UserError: an unknown data set, key, split or language, or a value that is no size.
    """
    if dataset != DATASET:
        raise UserError(f"no data set {dataset!r} in the control world. Mend: use {DATASET!r}")
    full = _checked(spec)
    configs: dict[str, list[tuple[str, str]]] = {}
    for config, split, rows in _splits(full):
        path = f"data/{config}/{split}-00000-of-00001.parquet"
        schema = pa.schema(SCHEMAS[config.split(".")[0]])
        write_parquet(target / path, pa.Table.from_pylist(rows, schema=schema))
        configs.setdefault(config, []).append((split, path))
    write_bytes(target / "README.md", _readme(configs).encode())


def _splits(spec: dict[str, Any]) -> Iterator[tuple[str, str, list[tasks.Row]]]:
    """All of (config, split, rows), in a fixed order."""
    languages = make_languages(spec["seed"])
    yield "text", "train", tasks.text_rows(languages, spec["seed"], spec["text"])
    makers = {
        "qa": tasks.qa_rows,
        "reading": tasks.reading_rows,
        "paraphrase": tasks.paraphrase_rows,
        "pos": tasks.pos_rows,
    }
    for code, language in languages.items():
        for task, maker in makers.items():
            sizes = dict(spec[task])
            if code not in spec["train_languages"]:
                sizes.pop("train", None)
            made = maker(language, spec["seed"], sizes)
            yield from ((f"{task}.{code}", split, made[split]) for split in SPLITS if split in made)
        if code != "qaa":
            yield f"bitext.{code}", "test", _bitext(language, languages["qaa"], spec)


def _bitext(language: Language, pivot: Language, spec: dict[str, Any]) -> list[tasks.Row]:
    """The translations of one language into the source language."""
    return tasks.bitext_rows(language, pivot, spec["seed"], spec["bitext"]["test"])


def _checked(spec: dict[str, Any]) -> dict[str, Any]:
    """`spec` over the defaults, with every key and value checked."""
    where = "in the world's spec"
    if unknown := sorted(set(spec) - set(DEFAULTS)):
        raise UserError(f"unknown key {unknown[0]!r} {where}. Mend: use {', '.join(DEFAULTS)}")
    full = {**DEFAULTS, **spec}
    for task in (*TASKS, "bitext"):
        if unknown := sorted(set(full[task]) - set(DEFAULTS[task])):
            allowed = ", ".join(DEFAULTS[task])
            raise UserError(
                f"unknown split {unknown[0]!r} of {task!r} {where}. Mend: use {allowed}"
            )
        full[task] = {**DEFAULTS[task], **full[task]}
    sizes = {"seed": full["seed"], "text": full["text"]}
    sizes |= {
        f"{task}.{split}": n for task in (*TASKS, "bitext") for split, n in full[task].items()
    }
    for name, value in sizes.items():
        if type(value) is not int or value < 1:
            raise UserError(f"{name} is {value!r} {where}. Mend: give a whole number above 0")
    codes = list(make_languages(full["seed"]))
    if unknown := sorted(set(full["train_languages"]) - set(codes)):
        raise UserError(f"unknown language {unknown[0]!r} {where}. Mend: use {', '.join(codes)}")
    return full


def _readme(configs: dict[str, list[tuple[str, str]]]) -> str:
    """The data set card, with the front matter that `datasets` reads."""
    lines = ["---", "license: cc0-1.0", "pretty_name: The control world", "configs:"]
    for config, files in configs.items():
        lines += [f"- config_name: {config}", "  data_files:"]
        for split, path in files:
            lines += [f"  - split: {split}", f"    path: {path}"]
    lines += ["---", "", "# The control world", ""]
    lines += ["Made-up languages that talk about a closed world of facts; made by `xstilts`.", ""]
    return "\n".join(lines)
