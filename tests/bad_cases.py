"""Not a test: the table of what goes wrong with bytes; test_bad_bytes.py runs it and prints it.

A case spoils one thing; a command must refuse it in one line. Its mend puts the thing right again,
and then the same command must succeed.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import designs
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from fake_hub import COMMIT

TABLE: list[tuple[str, str, str]] = []  # case, message, what the next good run does
Spoil = Callable[[], object]
PARAMS, STUDY, MACHINE = Path("params.yaml"), Path("studies/small.yaml"), Path("machine.yaml")
ROWS = Path("data/prepare/small/training/world_qa/qaa.train.parquet")
RAW = Path("data/fetch/small/world--nouns")
BASE = Path("models/pretrain/small")
RUN = "world_qa-qaa-10-s1"
RUN_DESIGN = Path("design/subsample/small/world_qa-qaa-s1.json")
DATASET = "nyu-mll--glue"


@dataclass(frozen=True)
class Case:
    """What is spoiled, which command must notice, and what it says."""

    name: str
    spoil: Spoil
    command: str
    says: str


def show_table() -> None:
    """Print the cases that were seen through since the last table."""
    print(f"\n{len(TABLE)} cases:")
    for name, message, then in TABLE:
        print(f"- {name}\n    {message}\n    next good run: {then}")
    TABLE.clear()


def change(path: Path, how: Callable[[bytes], bytes]) -> Spoil:
    """Rewrite a file's bytes."""
    return lambda: path.write_bytes(how(path.read_bytes()))


def half(content: bytes) -> bytes:
    return content[: len(content) // 2 - 3]


def not_utf8(content: bytes) -> bytes:
    return content.replace(b"e", b"\xff", 1)


def edit(path: Path, **values: Any) -> Spoil:
    """Set keys of a JSON or YAML file; dots go deeper."""

    def spoil() -> None:
        load = json.loads if path.suffix == ".json" else yaml.safe_load
        content = place = load(path.read_text(encoding="utf-8"))
        for name, value in values.items():
            *parents, last = name.split("__")
            for parent in parents:
                place = place[parent]
            place[last] = value
        dump = json.dumps if path.suffix == ".json" else yaml.safe_dump
        path.write_text(dump(content), encoding="utf-8")

    return spoil


def raw_train() -> Path:
    return next(RAW.glob("data/qa.qaa/train*"))


# Files of the project that a person writes.
WRITTEN = [
    Case("params.yaml not UTF-8", change(PARAMS, not_utf8), "fetch world--nouns",
         "params.yaml is no valid YAML ('utf-8' codec can't decode byte 0xff"),
    Case("design cut short", change(Path("design/small.json"), half), "fetch world--nouns",
         "design/small.json is not valid JSON"),
    Case("a run's design cut short", change(RUN_DESIGN, half), "subsample world_qa-qaa-s1",
         "world_qa-qaa-s1.json is not valid JSON"),
    Case("study not UTF-8", change(STUDY, not_utf8), "study use small",
         "studies/small.yaml is no valid YAML ('utf-8' codec can't decode byte 0xff"),
    Case("machine.yaml not UTF-8", lambda: MACHINE.write_bytes(b"threads: \xff\n"),
         "prepare world_qa", "machine.yaml is no valid YAML ('utf-8' codec can't decode byte 0xff"),
]  # fmt: skip
TOO_MANY = [
    {"out": "9999", "task": "world_qa", "rows": [str(ROWS)], "size": 9999, "smoothing": None}
]
SUBSETS = "subsample__world_qa-qaa-s1__subsets"
RATE = f"intermediate__{RUN}__training__learning_rate"
# Fetched and prepared rows that changed on this disk.
KEPT = [
    Case("size larger than the rows", designs.put({SUBSETS: TOO_MANY}),
         "subsample world_qa-qaa-s1", "9999 rows"),
    Case("prepared rows cut short", change(ROWS, half), "subsample world_qa-qaa-s1",
         "qaa.train.parquet is corrupt"),
    Case("prepared rows no parquet", change(ROWS, lambda _: b"no parquet"),
         "subsample world_qa-qaa-s1", "qaa.train.parquet is corrupt or no parquet"),
    Case("raw rows changed", lambda: change(raw_train(), lambda old: old[::-1])(),
         "prepare world_qa", f"differs from {RAW}/manifest.json"),
    Case("raw rows lost", lambda: raw_train().unlink(), "prepare world_qa", "is missing"),
    Case("manifest cut short", change(RAW / "manifest.json", half), "prepare world_qa",
         "manifest.json is not valid JSON"),
    Case("manifest of another form", change(RAW / "manifest.json", lambda _: b'{"files": [1]}'),
         "prepare world_qa", "manifest.json is no manifest (AttributeError"),
    Case("manifest not UTF-8", change(RAW / "manifest.json", not_utf8), "prepare world_qa",
         "manifest.json is not valid JSON ('utf-8' codec"),
]  # fmt: skip
GPT2 = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}
WEIGHTS = BASE / "model.safetensors"
# A checkpoint that changed on this disk, and trainings that fail.
TRAINED = [
    Case("safetensors cut short", change(WEIGHTS, half), f"intermediate {RUN}",
         "models/pretrain/small"),
    Case("safetensors are something else", change(WEIGHTS, lambda old: b"\xff" * 99),
         f"intermediate {RUN}", "models/pretrain/small"),
    Case("weights of another size", edit(BASE / "config.json", hidden_size=32),
         f"intermediate {RUN}", "models/pretrain/small"),
    Case("weights of a deeper model", edit(BASE / "config.json", num_hidden_layers=3),
         f"intermediate {RUN}", "it belongs to another architecture"),
    Case("another architecture", lambda: (BASE / "config.json").write_text(json.dumps(GPT2)),
         f"intermediate {RUN}", "a checkpoint of the architecture 'gpt2'"),
    Case("config.json cut short", change(BASE / "config.json", half), f"intermediate {RUN}",
         "models/pretrain/small/config.json cannot be read"),
    Case("weights as a pickle alone", lambda: WEIGHTS.rename(BASE / "pytorch_model.bin"),
         f"intermediate {RUN}", "model.safetensors"),
    Case("tokenizer.json cut short", change(BASE / "tokenizer.json", half), f"intermediate {RUN}",
         "models/pretrain/small/tokenizer.json cannot be read"),
    Case("the loss is no number", designs.put({RATE: 1e30}),
         f"intermediate {RUN}", "the loss is"),
]  # fmt: skip


# A mirror's file, by its ending: two rows of MNLI, the second of which is spoiled.
GOOD: list[Any] = [
    {"premise": f"They met {n}.", "hypothesis": f"They did {n}.", "label": n, "idx": n}
    for n in range(2)
]


def lines(rows: list[Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def separated(rows: list[Any]) -> bytes:
    made = ["\t".join(rows[0]), *("\t".join(map(str, row.values())) for row in rows)]
    return "\n".join(made).encode() + b"\n"


def parquet(rows: list[Any]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out, compression="none", use_dictionary=False)
    return out.getvalue()


FORMATS: dict[str, Callable[[list[Any]], bytes]] = {
    "jsonl": lines,
    "jsonl.gz": lambda rows: gzip.compress(lines(rows)),
    "tsv": separated,
    "json": lambda rows: json.dumps(rows).encode(),
    "parquet": parquet,
}


@dataclass(frozen=True)
class Source:
    """A case of a mirror's file: which verb refuses it, and what it says of `train.<ending>`."""

    name: str
    ending: str
    content: bytes
    verb: str  # fetch, which counts rows, or prepare, which reads them
    says: str


def second(**values: Any) -> list[Any]:
    """The rows with the second one changed."""
    return [GOOD[0], {**GOOD[1], **values}]


def bad_utf8(ending: str) -> bytes:
    """A byte in the second row that UTF-8 does not know."""
    return FORMATS[ending](GOOD).replace(b"They did 1", b"They \xffid 1")


SOURCES = [
    *(
        Source(f"{ending}: cut short", ending, half(FORMATS[ending](GOOD * 9)), "fetch", said)
        for ending, said in (
            ("jsonl", "row 8 is not as expected"),
            ("jsonl.gz", "is corrupt"),
            ("json", "is not as expected"),
            ("parquet", "is corrupt"),
        )
    ),
    *(
        Source(f"{ending}: not UTF-8", ending, bad_utf8(ending), verb, f"{said} ('utf-8' codec")
        for ending, verb, said in (
            ("jsonl", "fetch", "row 1 is not as expected"),
            ("tsv", "fetch", "row 1 is not as expected"),
            ("json", "fetch", "is not as expected"),
            ("parquet", "prepare", "row 1 is not as expected"),
        )
    ),
    Source("half of a character", "jsonl", lines(second(premise="\ud83d")), "prepare",
           "row 1 (mnli 1): half of a surrogate pair, which UTF-8 cannot hold"),
    Source("label out of range", "jsonl", lines(second(label=7)), "prepare",
           "row 1 (mnli 1): label 7 is not in 0..2"),
    Source("label of another type", "jsonl", lines(second(label="neutral")), "prepare",
           "row 1 (mnli 1): label 'neutral' is not in 0..2"),
    Source("label true or false", "jsonl", lines(second(label=True)), "prepare",
           "row 1 (mnli 1): label True is not in 0..2"),
    Source("empty text", "jsonl", lines(second(premise=" ")), "prepare",
           "row 1 (mnli 1): text_a is empty"),
    Source("text that is a number", "jsonl", lines(second(hypothesis=7)), "prepare",
           "row 1 (mnli 1): text_b is no text"),
    Source("column missing", "jsonl", lines([GOOD[0], {"premise": "a"}]), "prepare",
           "row 1 is not as mnli expects (KeyError: "),
    Source("row that is a list", "jsonl", lines([GOOD[0], [1]]), "fetch",
           "row 1 is not as expected (an object is expected"),
    Source("an error page", "parquet", b"<html>429 Too Many Requests</html>", "fetch",
           "is corrupt"),
    Source("an empty file", "tsv", b"", "prepare",
           "row 0 is not as expected (there is no head line"),
]  # fmt: skip


def lay_out(ending: str, content: bytes) -> None:
    """A mirror `there` with one file of MNLI."""
    folder = Path("there/datasets/nyu-mll/glue")
    card = {
        "configs": [
            {
                "config_name": "mnli",
                "data_files": [{"split": "train", "path": f"mnli/train.{ending}"}],
            }
        ]
    }
    (folder / "mnli").mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump(card)}---\n", encoding="utf-8")
    (folder / f"mnli/train.{ending}").write_bytes(content)


def fetching(**spec: Any) -> None:
    """Give the study the data set of MNLI, and MNLI's preparation."""
    mnli = {
        **{"task": "mnli", "role": "training", "fetched": f"data/fetch/small/{DATASET}"},
        **{"out": "data/prepare/small/training/mnli", "splits": {"train": ["en"]}},
    }
    fetched = {"dataset": "nyu-mll/glue", "revision": COMMIT, **spec}
    designs.put({f"fetch__{DATASET}": fetched, "prepare__mnli": mnli})()
