"""Every task's literal is filled in and true to itself; rows of each shape read as they should."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from xstilts import data, tasks
from xstilts.errors import UserError
from xstilts.metrics import METRICS
from xstilts.sources import url_path
from xstilts.tasks.base import Task
from xstilts.tasks.languages import LANGUAGES

FIXTURES = Path(__file__).parents[1] / "fixtures"
ALL = [pytest.param(tasks.load(name), id=name) for name in tasks.NAMES]
PUBLISHED = [name for name in tasks.NAMES if not name.startswith("world_")]
NO_COMMIT_VERIFIED = {"cosmos_qa", "ocnli", "siqa", "xcopa", "wikiann"}
PROTOCOLS = {"xtreme", "xtreme-r", "x-stilts"}
SPLITS = {"train", "validation", "test"}


@pytest.mark.parametrize("task", ALL)
def test_what_a_reader_may_ask_of_a_task_is_there(task: Task) -> None:
    """An empty description or licence would end up in the report."""
    for name in ("name", "title", "description", "dataset", "licence", "reference", "metric"):
        assert str(getattr(task, name)).strip(), name
    assert task.kind in data.SCHEMAS
    assert task.metric in METRICS
    assert set(task.splits) | set(task.urls) <= SPLITS
    assert set(task.protocols) <= PROTOCOLS
    assert task.evaluation in {*task.splits, *task.urls} or task.kind == "mlm"


@pytest.mark.parametrize("task", ALL)
def test_languages_are_known_and_listed_once(task: Task) -> None:
    """A code that the table lacks would have no name in the report; a double one counts twice."""
    for listed in (task.languages, task.train_languages, *task.official.values()):
        assert set(listed) <= set(LANGUAGES)
        assert len(set(listed)) == len(listed)
    for protocol, listed in task.official.items():
        assert protocol in task.protocols
        assert set(listed) <= set(task.languages)
    assert set(task.train_rows) <= set(task.train_languages)
    if task.codes:
        assert len(set(task.codes.values())) == len(task.codes)


@pytest.mark.parametrize("task", ALL)
def test_sources_are_pinned(task: Task) -> None:
    """Data that may change under a pin's back cannot be reproduced; the exceptions are named."""
    if task.urls:
        assert task.revision is None
        for urls in task.urls.values():
            for url, sha256 in urls.items():
                assert re.search(r"^https://[^/]+/.*/[0-9a-f]{40}/", url), url
                assert re.fullmatch(r"[0-9a-f]{64}", sha256)
    elif task.dataset.startswith("world/") or task.name in NO_COMMIT_VERIFIED:
        assert task.revision is None
    else:
        assert re.fullmatch(r"[0-9a-f]{40}", str(task.revision))


@pytest.mark.parametrize("task", ALL)
def test_chance_is_that_of_the_labels(task: Task) -> None:
    """Reports draw a line at chance and call a run collapsed by it."""
    if task.kind in ("classification", "multiple_choice"):
        assert task.chance == pytest.approx(100 / len(task.labels))
    else:
        assert 0 <= task.chance < 5
    assert len(set(task.labels)) == len(task.labels)
    assert bool(task.labels) == (task.kind in ("classification", "multiple_choice", "tagging"))


@pytest.mark.parametrize("task", ALL)
def test_a_target_can_be_trained(task: Task) -> None:
    """A target without rows of its own names a task of its kind that has English ones."""
    if task.train_task:
        trained = tasks.load(task.train_task)
        assert trained.kind == task.kind
        assert "train" in {*trained.splits, *trained.urls}
        if task.kind == "classification":
            assert trained.labels == task.labels
    elif task.train_languages:
        assert "train" in {*task.splits, *task.urls}


def test_language_lists_have_their_published_lengths() -> None:
    """A lost language would move every average over languages."""
    have = {name: len(tasks.load(name).languages) for name in PUBLISHED}
    published = {"xnli": 15, "paws_x": 7, "xcopa": 11, "wikiann": 48, "udpos": 38, "xquad": 12}
    published |= {"mlqa": 7, "tydiqa": 9, "tatoeba": 41}
    assert {name: have[name] for name in published} == published
    xtreme = {name: len(tasks.load(name).official["xtreme"]) for name in ("udpos", "wikiann")}
    assert xtreme == {"udpos": 33, "wikiann": 40}
    assert len(tasks.load("tatoeba").official["xtreme"]) == 36


def test_the_list_names_every_task_file() -> None:
    """A file that nobody lists is a task that silently does not exist."""
    folder = Path(str(tasks.__file__)).parent
    others = {"__init__", "base", "languages", "shapes"}
    assert {path.stem for path in folder.glob("*.py")} - others == set(tasks.NAMES)
    assert {name: task.name for name, task in tasks.TASKS.items()} == {n: n for n in tasks.NAMES}
    with pytest.raises(UserError, match=r"no task 'mnlii'.*Mend"):
        tasks.load("mnlii")


def test_every_published_task_has_a_fixture() -> None:
    """The rule for a new task: one file, one line, one fixture."""
    assert {path.stem for path in FIXTURES.glob("*.json")} == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_rows_of_the_published_shape_become_rows_of_the_kind(name: str, tmp_path: Path) -> None:
    """Four made-up rows in the source's columns; some are to be left out or put right."""
    fixture = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    task = lay_out(tasks.load(name), fixture["files"], tmp_path)
    rows = data.load_rows(task, tmp_path, fixture["language"], fixture["split"])
    assert rows[0] == fixture["first"]
    assert len(rows) == fixture["rows"]
    assert len({row["id"] for row in rows}) == len(rows)
    table = pa.Table.from_pylist(rows, schema=data.SCHEMAS[task.kind])
    assert table.to_pylist() == rows
    for row in rows if task.kind == "span" else []:
        for answer in row["answers"]:
            assert row["context"][answer["start"] :].startswith(answer["text"])


def lay_out(task: Task, files: dict[str, list[dict[str, Any]]], folder: Path) -> Task:
    """Write rows as the source would; of a task with many files per split, as its first file."""
    if task.urls:
        urls: Any = {split: dict([next(iter(task.urls[split].items()))]) for split in files}
        for split, rows in files.items():
            path = folder / url_path(next(iter(urls[split])))
            path.parent.mkdir(parents=True)
            path.write_text(WRITERS[task.parse](rows), encoding="utf-8")
        return replace(task, urls=urls)
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
    return task


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


WRITERS: dict[str, Callable[[list[dict[str, Any]]], str]] = {
    "jsonl": lambda rows: "".join(json.dumps(row) + "\n" for row in rows),
    "tsv": _tsv,
    "squad_json": _squad,
}
