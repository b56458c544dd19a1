"""The published rows of a mirror, read through fetch's and prepare's own path: none is lost."""

import json
import os
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from xstilts import data, tasks
from xstilts.observe import Observe
from xstilts.sources import card, obtain, raw
from xstilts.tasks.base import Task
from xstilts.tasks.ocnli import HUB_LABELS

MIRROR = os.environ.get("XSTILTS_MIRROR")
pytestmark = pytest.mark.skipif(not MIRROR, reason="XSTILTS_MIRROR names no mirror")
PUBLISHED = [name for name in tasks.NAMES if not name.startswith("world_")]
# TyDi QA rows whose stated answer starts are wrong, by the mirror's own description
TYDIQA_MOVED = {"ar": 413, "bn": 11, "en": 6, "fi": 302, "id": 104}
TYDIQA_MOVED |= {"ko": 84, "ru": 231, "sw": 104, "te": 28}


def cells(task: Task) -> list[tuple[str, str]]:
    """(split, language) of a task that the mirror holds."""
    if task.urls:
        return [(split, task.languages[0]) for split in task.urls]
    facts = card.read_file(Path(str(MIRROR)) / "datasets" / task.dataset)
    out = []
    for split in task.splits:
        for language in task.train_languages if split == "train" else task.languages:
            config, source = task.source(language, split)
            if set(source.split("+")) <= set(card.splits(facts, config)):
                out.append((split, language))
    return out


def wanted(task: Task) -> SimpleNamespace:
    """What `fetch` is asked for so that all cells at hand can be read."""
    configs: dict[str, list[str]] = {}
    urls: dict[str, str] = {}
    for split, language in cells(task):
        if task.urls:
            urls |= task.urls[split]
            continue
        config, source = task.source(language, split)
        configs[config] = list(dict.fromkeys([*configs.get(config, []), source]))
    return SimpleNamespace(
        source="mirror:$XSTILTS_MIRROR",
        dataset=task.dataset,
        revision=task.revision,
        configs=configs,
        urls=urls,
        world=None,
    )


def test_labels_are_in_the_sources_order() -> None:
    """A swapped pair of labels trains and scores without any error."""
    for name in ("mnli", "anli", "xnli", "udpos", "wikiann", "ocnli"):
        task = tasks.load(name)
        facts = card.read_file(Path(str(MIRROR)) / "datasets" / task.dataset)
        split, language = cells(task)[0]
        config, _ = task.source(language, split)
        infos = facts["dataset_info"]
        info = next(one for one in infos if one["config_name"] == config)
        column = {"udpos": "pos_tags", "wikiann": "ner_tags"}.get(name, "label")
        feature = next(one for one in info["features"] if one["name"] == column)
        named = feature.get("dtype", feature.get("sequence"))["class_label"]["names"]
        expected = HUB_LABELS if name == "ocnli" else task.labels
        assert tuple(named[str(index)] for index in range(len(named))) == expected


def test_rows_are_those_that_the_datasets_library_reads(tmp_path: Path) -> None:
    """Files are found by the card without that library; the same rows in the same order come."""
    datasets = pytest.importorskip("datasets")
    for name, split, language in (("xnli", "test", "sw"), ("squad_v1", "train", "en")):
        task = tasks.load(name)
        folder = Path(str(MIRROR)) / "datasets" / task.dataset
        config, source = task.source(language, split)
        theirs = datasets.load_dataset(
            str(folder), config, split=source, cache_dir=str(tmp_path / name)
        )
        (path,) = data.raw_files(task, folder, language, split)
        assert list(raw.read(path, "hub")) == theirs.to_list()


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_row_of_the_mirror_is_read(name: str, tmp_path: Path) -> None:
    """Rows read + rows left out = rows that the mirror's manifest says its files have."""
    task = tasks.load(name)
    spec = wanted(task)
    if not spec.configs and not spec.urls:
        pytest.skip(f"the mirror has no {name}")
    obtain(spec, tmp_path, Observe(quiet=True))
    manifest = json.loads((Path(str(MIRROR)) / "manifest.json").read_text())
    prefix = "" if task.urls else f"datasets/{task.dataset}/"
    read: Counter[Path] = Counter()
    for split, language in cells(task):
        paths = data.raw_files(task, tmp_path, language, split)
        rows = data.read(task, tmp_path, language, split)
        assert rows.rows
        listed = [f"{prefix}{path.relative_to(tmp_path).as_posix()}" for path in paths]
        have = sum(manifest[one]["rows"] for one in listed)
        if task.name == "tydiqa" and split == "validation":
            read[paths[0]] += len(rows.rows) + rows.dropped
            assert rows.realigned == TYDIQA_MOVED[language]
        else:
            assert len(rows.rows) + rows.dropped == have
    for path, count in read.items():
        assert count == manifest[f"{prefix}{path.relative_to(tmp_path).as_posix()}"]["rows"]
