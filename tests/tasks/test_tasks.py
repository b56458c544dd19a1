"""Every task's literal is filled in and true to itself; rows of each shape read as they should."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from xstilts import tasks
from xstilts.core.errors import UserError
from xstilts.kinds.spec import KINDS
from xstilts.metrics import METRICS
from xstilts.rows import read
from xstilts.tasks.base import Split, Task
from xstilts.tasks.languages import LANGUAGES

FIXTURES = Path(__file__).parents[1] / "fixtures"
ALL = [pytest.param(tasks.load(name), id=name) for name in tasks.NAMES]
PUBLISHED = [name for name in tasks.NAMES if not name.startswith("world_")]
# Rows of several files that are put together: tested with their readers.
JOINED_FILES = {"bucc", "lareqa", "udpos"}
PROTOCOLS = {"xtreme", "xtreme-r", "x-stilts"}
SPLITS = {"train", "validation", "test", "candidates"}
UNPINNED = {"xlsum"}  # no commit of its parquet files could be verified: `xstilts pin`
ORIGINS = {"human", "machine"}
CHOOSING = ("classification", "multiple_choice")
COMMIT = re.compile(r"[0-9a-f]{40}")


def splits(task: Task) -> set[Split]:
    """All splits of a task, wherever they come from."""
    joined = [splits(tasks.load(name)) for name in task.joins]
    return {*task.splits, *task.urls, *task.members}.union(*joined)


@pytest.mark.parametrize("task", ALL)
def test_what_a_reader_may_ask_of_a_task_is_there(task: Task) -> None:
    """An empty description or licence would end up in the report."""
    for name in ("name", "title", "description", "dataset", "licence", "reference", "metric"):
        assert str(getattr(task, name)).strip(), name
    assert task.reference.startswith("https://") or task.dataset.startswith("world/")
    assert task.kind in KINDS
    assert task.metric in METRICS
    assert task.origin in ORIGINS
    assert splits(task) <= SPLITS
    assert set(task.protocols) <= PROTOCOLS
    assert task.evaluation in splits(task) or KINDS[task.kind].scored is None


@pytest.mark.parametrize("task", ALL)
def test_languages_are_known_and_listed_once(task: Task) -> None:
    """A code that the table lacks would have no name in the report; a double one counts twice."""
    for listed in (task.languages, task.train_languages, *task.official.values()):
        assert set(listed) <= set(LANGUAGES)
        assert len(set(listed)) == len(listed)
    for protocol, listed in task.official.items():
        assert protocol in task.protocols
        assert set(listed) <= set(task.languages)
    if task.codes:
        assert len(set(task.codes.values())) == len(task.codes)


@pytest.mark.parametrize("task", ALL)
def test_sizes_are_known_where_something_is_trained(task: Task) -> None:
    """A size that is larger than the task is refused by these, before anything is downloaded."""
    assert set(task.train_rows) <= set(task.train_languages)
    assert all(count > 0 for count in task.train_rows.values())
    if KINDS[task.kind].scored and not task.dataset.startswith("world/"):
        assert set(task.train_rows) == set(task.train_languages)


@pytest.mark.parametrize("task", ALL)
def test_sources_are_pinned(task: Task) -> None:
    """Data that may change under a pin's back cannot be reproduced."""
    assert not task.urls or set(task.splits) <= set(task.urls)  # by URL altogether, or not at all
    nowhere = task.place or task.joins or task.dataset.startswith("world/")
    if set(task.splits) <= set(task.urls) or nowhere or task.name in UNPINNED:
        assert task.revision is None
    else:
        assert COMMIT.fullmatch(str(task.revision))
    addresses: dict[str, str | None] = {}
    for split in task.urls:
        for language in (*task.languages, *task.train_languages):
            addresses |= task.addresses(language, split)
    for url, sha256 in addresses.items():
        assert re.fullmatch(r"https://[^/{}]+/[^{}]+", url)
        assert re.fullmatch(r"[0-9a-f]{64}", str(sha256)), url
    assert set(task.hashes) <= set(addresses)


def test_one_data_set_has_one_pin() -> None:
    """Two tasks of one data set are fetched together: they cannot ask for two commits."""
    pins: dict[str, set[str | None]] = {}
    for task in tasks.TASKS.values():
        if not task.urls and not task.place:
            pins.setdefault(task.dataset, set()).add(task.revision)
    assert {dataset: found for dataset, found in pins.items() if len(found) > 1} == {}


@pytest.mark.parametrize("task", ALL)
def test_chance_is_that_of_the_labels(task: Task) -> None:
    """Reports draw a line at chance and call a run collapsed by it."""
    if task.kind in CHOOSING:
        assert task.chance == pytest.approx(100 / len(task.labels))
    elif task.expected == "class" or task.teaches:  # tags whose chance is known: verbs are told
        assert task.chance == 100 / (len(task.labels) - 1)
    else:
        assert 0 <= task.chance < 5
    assert len(set(task.labels)) == len(task.labels)
    named = bool(task.labels) != bool(task.labels_from)
    assert named == (task.kind in (*CHOOSING, "tagging")) or task.kind == "span"


@pytest.mark.parametrize("task", ALL)
def test_a_target_can_be_trained(task: Task) -> None:
    """A target without rows of its own names tasks of its kind and labels that have some."""
    before = [tasks.load(name) for name in task.train_before]
    trained = [tasks.load(task.train_task)] if task.train_task else []
    for other in (*before, *trained):
        assert other.kind == task.kind
        assert "train" in splits(other)
    for other in trained if task.kind in CHOOSING else []:
        assert other.labels == task.labels
    if task.train_languages and not trained:
        assert "train" in splits(task)
    if task.train_before:
        assert trained


def test_language_lists_have_their_published_lengths() -> None:
    """A lost language would move every average over languages."""
    have = {name: len(tasks.load(name).languages) for name in PUBLISHED}
    published = {"xnli": 15, "paws_x": 7, "xcopa": 11, "wikiann": 48, "udpos": 38, "xquad": 12}
    published |= {"udpos_2_7": 38}
    published |= {"mlqa": 7, "tydiqa": 9, "tatoeba": 41, "wikipedia": 50}
    published |= {"bucc": 4, "lareqa": 11, "mewsli_x": 11}
    published |= {"xnli_translated": 14, "paws_x_translated": 6}
    published |= {"squad_mlqa_translated": 6, "squad_xtreme_translated": 10}
    assert {name: have[name] for name in published} == published
    xtreme = {name: len(tasks.load(name).official["xtreme"]) for name in ("udpos", "wikiann")}
    assert xtreme == {"udpos": 33, "wikiann": 40}
    assert len(tasks.load("tatoeba").official["xtreme"]) == 36


def test_the_list_names_every_task_file() -> None:
    """A file that nobody lists is a task that silently does not exist."""
    folder = Path(str(tasks.__file__)).parent
    others = {"__init__", "base", "distances", "kinship", "languages", "shapes"}
    assert {path.stem for path in folder.glob("*.py")} - others == set(tasks.NAMES)
    assert {name: task.name for name, task in tasks.TASKS.items()} == {n: n for n in tasks.NAMES}
    with pytest.raises(UserError, match=r"no task 'mnlii'.*Mend"):
        tasks.load("mnlii")


def test_every_published_task_has_a_fixture() -> None:
    """The rule for a new task: one file, one line, one fixture."""
    own = {name for name in PUBLISHED if not tasks.load(name).joins}
    assert own - JOINED_FILES <= {path.stem for path in FIXTURES.iterdir()}


@pytest.mark.parametrize("name", sorted(path.stem for path in FIXTURES.glob("*.json")))
def test_rows_of_the_published_shape_become_rows_of_the_kind(
    name: str, tmp_path: Path, lay_out: Callable[..., Task], fixture: Callable[[str], Any]
) -> None:
    """Four made-up rows in the source's columns; some are to be left out or put right."""
    made = fixture(name)
    task = lay_out(tasks.load(name), made["files"], made["language"], tmp_path)
    rows = read.read_split(task, tmp_path, made["language"], made["split"]).rows
    assert rows[0] == made["first"]
    assert len(rows) == made["rows"]
    assert len({row["id"] for row in rows}) == len(rows)
    table = pa.Table.from_pylist(rows, schema=KINDS[task.kind].schema)
    assert table.to_pylist() == rows
    for row in rows if task.kind == "span" else []:
        for answer in row["answers"]:
            assert row["context"][answer["start"] :].startswith(answer["text"])
