"""Made-up rows written as a task's source would give them: what `fetch` leaves in its folder."""

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from xstilts.sources.places import url_path
from xstilts.tasks.base import Task

Rows = dict[str, list[dict[str, Any]]]
FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.fixture(scope="session")
def fixture() -> Callable[[str], dict[str, Any]]:
    """fixture(name): a task's made-up rows, and what is to become of them."""

    def load(name: str) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))
        return value

    return load


@pytest.fixture(scope="session")
def lay_out() -> Callable[[Task, Rows, str, Path], Task]:
    """lay_out(task, files, language, folder): write the rows; give the task that reads them.

    Of a task whose split comes in many files only the first is written.
    """

    def write(task: Task, files: Rows, language: str, folder: Path) -> Task:
        if not task.place and not set(files) & set(task.urls):
            _hub(files, folder)
            return task
        urls: Any = {}
        for split, rows in files.items():
            text = WRITERS[task.parse](rows).encode()
            inside = task.inside(language, split)  # type: ignore[arg-type]
            if task.place:
                (folder / inside[0]).write_bytes(text)
                continue
            url = next(iter(task.addresses(language, split)))  # type: ignore[arg-type]
            urls[split] = {url: None}
            path = folder / url_path(url)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_packed(path, text, inside))
        return replace(task, urls=urls)

    return write


def _hub(files: Rows, folder: Path) -> None:
    """Parquet files as `config/split-*`, and the card that says so."""
    configs: dict[str, list[dict[str, str]]] = {}
    for name, rows in files.items():
        config, split = name.rsplit("/", 1)
        path = folder / f"{name}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), path)
        entry = {"split": split, "path": f"{config}/{split}-*"}
        configs.setdefault(config, []).append(entry)
    listed = [{"config_name": name, "data_files": files} for name, files in configs.items()]
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump({'configs': listed})}---\n")


def _packed(path: Path, text: bytes, inside: tuple[str, ...]) -> bytes:
    """The bytes of a file as its name promises: plain, gzipped, or a member of an archive."""
    if not inside:
        return gzip.compress(text) if path.suffix == ".gz" else text
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        facts = tarfile.TarInfo(inside[0])
        facts.size = len(text)
        archive.addfile(facts, io.BytesIO(text))
    return out.getvalue()


def _tsv(rows: list[dict[str, Any]]) -> str:
    lines = ["\t".join(rows[0])]
    lines += ["\t".join('"' + v.replace('"', '""') + '"' for v in row.values()) for row in rows]
    return "\r\n".join(lines) + "\r\n"


def _squad(rows: list[dict[str, Any]]) -> str:
    paragraphs = [
        {
            "context": row["context"],
            "qas": [
                {
                    "id": row["id"],
                    "question": row["question"],
                    "answers": [
                        {"text": text, "answer_start": start}
                        for text, start in zip(*row["answers"].values(), strict=True)
                    ],
                }
            ],
        }
        for row in rows
    ]
    return json.dumps({"data": [{"title": "Invented", "paragraphs": paragraphs}]})


def _tagged(rows: list[dict[str, Any]]) -> str:
    return "".join(f"{' '.join(row['tokens'])}\t{' '.join(row['tags'])}\n" for row in rows)


WRITERS: dict[str, Callable[[list[dict[str, Any]]], str]] = {
    "jsonl": lambda rows: "".join(json.dumps(row) + "\n" for row in rows),
    "tsv": _tsv,
    "squad_json": _squad,
    "tagged": _tagged,
}
