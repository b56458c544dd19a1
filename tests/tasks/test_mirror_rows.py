"""The published rows of a mirror, read through fetch's and prepare's own path: none is lost."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from xstilts import tasks
from xstilts.core.progress import Observe
from xstilts.rows import read
from xstilts.rows.read import raw_files
from xstilts.sources import card, obtain, raw
from xstilts.sources.places import url_path
from xstilts.tasks.base import Split, Task
from xstilts.tasks.kinship import TRANSLATED
from xstilts.tasks.shapes import CLUE_LABELS

MIRROR = os.environ.get("XSTILTS_MIRROR")
pytestmark = pytest.mark.skipif(not MIRROR, reason="XSTILTS_MIRROR names no mirror")
PUBLISHED = [name for name in tasks.NAMES if not name.startswith("world_")]
# TyDi QA rows whose stated answer starts are wrong, by the mirror's own description
TYDIQA_MOVED = {"ar": 413, "bn": 11, "en": 6, "fi": 302, "id": 104}
TYDIQA_MOVED |= {"ko": 84, "ru": 231, "sw": 104, "te": 28}
# What a mirror has and no task reads, and why.
UNREAD = {
    "nyu-mll/glue rte": "RTE is no intermediate task of the study",
    "google/xtreme udpos": "a part of what XTREME makes of the treebanks; see test_links.py",
}


def mirror() -> Path:
    return Path(str(MIRROR))


def manifest() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((mirror() / "manifest.json").read_text("utf-8"))
    return found


def cells(task: Task) -> list[tuple[Split, str]]:
    """(split, language) of a task that the mirror holds."""
    facts = card.read_file(mirror() / "datasets" / task.dataset)
    out: list[tuple[Split, str]] = []
    for split in dict.fromkeys((*task.splits, *task.urls)):
        listed = task.train_languages if split == "train" else task.languages
        out += [(split, language) for language in listed if _there(task, facts, split, language)]
    return out


def _there(task: Task, facts: dict[str, Any], split: Split, language: str) -> bool:
    if split not in task.splits:
        addresses = task.addresses(language, split)
        return all((mirror() / url_path(url)).exists() for url in addresses)
    config, source = task.source(language, split)
    return set(source.split("+")) <= set(card.splits(facts, config))


def wanted(task: Task) -> SimpleNamespace:
    """What `fetch` is asked for so that all cells at hand can be read."""
    configs: dict[str, list[str]] = {}
    urls: dict[str, str | None] = {}
    for split, language in cells(task):
        if split not in task.splits:
            urls |= task.addresses(language, split)
            continue
        config, source = task.source(language, split)
        configs[config] = list(dict.fromkeys([*configs.get(config, []), source]))
    return SimpleNamespace(
        source="mirror:$XSTILTS_MIRROR",
        dataset=task.dataset,
        revision=task.revision,
        configs=configs,
        urls=urls,
        place=None,
        world=None,
    )


def obtained(name: str, place: Path) -> Task:
    """A task whose rows, as far as the mirror has them, have been brought to a folder."""
    task = tasks.load(name)
    spec = wanted(task)
    if not spec.configs and not spec.urls:
        pytest.skip(f"the mirror has no {name}")
    obtain.dataset(spec, place, Observe(quiet=True))
    return task


def test_labels_are_in_the_sources_order() -> None:
    """A swapped pair of labels trains and scores without any error."""
    for name in ("mnli", "anli", "xnli", "udpos_2_7", "wikiann", "ocnli"):
        task = tasks.load(name)
        facts = card.read_file(mirror() / "datasets" / task.dataset)
        split, language = cells(task)[0]
        config, _ = task.source(language, split)
        infos = facts["dataset_info"]
        info = next(one for one in infos if one["config_name"] == config)
        column = {"udpos_2_7": "pos_tags", "wikiann": "ner_tags"}.get(name, "label")
        feature = next(one for one in info["features"] if one["name"] == column)
        named = feature.get("dtype", feature.get("sequence"))["class_label"]["names"]
        expected = CLUE_LABELS if name == "ocnli" else task.labels
        assert tuple(named[str(index)] for index in range(len(named))) == expected


def test_rows_are_those_that_the_datasets_library_reads(tmp_path: Path) -> None:
    """Files are found by the card without that library; the same rows in the same order come."""
    datasets = pytest.importorskip("datasets")
    cases: list[tuple[str, Split, str]] = [("xnli", "test", "sw"), ("squad_v1", "train", "en")]
    for name, split, language in cases:
        task = tasks.load(name)
        folder = mirror() / "datasets" / task.dataset
        config, source = task.source(language, split)
        theirs = datasets.load_dataset(
            str(folder), config, split=source, cache_dir=str(tmp_path / name)
        )
        (path,) = read.raw_files(task, folder, language, split)
        assert list(raw.read(path, "hub")) == theirs.to_list()


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_row_of_the_mirror_is_read(name: str, tmp_path: Path) -> None:
    """Rows read + rows left out = rows that the mirror's manifest says its files have."""
    task = obtained(name, tmp_path)
    listed = manifest()
    for split, language in cells(task):
        if name == "lareqa":
            continue  # sentences and questions of one file: counted in the test of its reader
        rows = read.read_split(task, tmp_path, language, split)
        assert rows.rows
        prefix = "" if split not in task.splits else f"datasets/{task.dataset}/"
        paths = read.raw_files(task, tmp_path, language, split)
        have = sum(listed[prefix + path.relative_to(tmp_path).as_posix()]["rows"] for path in paths)
        assert len(rows.rows) + rows.dropped + rows.unmatched + rows.elsewhere == have
        if task.name == "tydiqa" and split == "validation":
            assert rows.realigned == TYDIQA_MOVED[language]


@pytest.mark.parametrize("name", sorted(set(PUBLISHED) & TRANSLATED - {"lareqa"}))
def test_rows_under_one_id_are_translations(name: str, tmp_path: Path) -> None:
    """They have one label (of PAWS-X nearly all); rows that meet by chance agree by chance."""
    task = obtained(name, tmp_path)
    split = next(one for one in ("test", "validation") if one in dict(cells(task)))
    languages = [language for one, language in cells(task) if one == split]
    read_rows = [read.read_split(task, tmp_path, one, split).rows for one in languages]
    first, *others = [{row["id"]: row.get("label") for row in rows} for rows in read_rows]
    assert others, "one language tells nothing"
    for other in others:
        common = first.keys() & other.keys()
        assert len(common) > 100
        assert sum(first[one] == other[one] for one in common) >= 0.99 * len(common)


def test_every_file_of_the_mirror_is_read_by_a_task() -> None:
    """Rows that no task reads are a task forgotten, or named above with the reason."""
    read: set[str] = set()
    for name in PUBLISHED:
        task = tasks.load(name)
        folder = mirror() / "datasets" / task.dataset
        for split, language in cells(task):
            root = mirror() if split not in task.splits else folder
            paths = raw_files(task, root, language, split)
            read |= {path.relative_to(mirror()).as_posix() for path in paths}
    unread = {path for path in manifest() if path not in read and Path(path).suffix != ".md"}
    assert {_group(path) for path in unread} == set(UNREAD)


def _group(path: str) -> str:
    """Data set and config of datasets/<org>/<name>/<config>/<file>, without what follows a dot."""
    organisation, name, config = Path(path).parts[1:4]
    return f"{organisation}/{name} {config.split('.')[0]}"
