"""Which rows a study uses, and so what it fetches and prepares: no more than that. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xstilts import paths, tasks
from xstilts.pins import Pins
from xstilts.study import Study
from xstilts.tasks.base import Split, Task

TEXT = "text-"  # begins the key of a task prepared for its text alone, to pretrain on


class Needs:
    """Splits and languages of tasks, as the compiler comes across them."""

    def __init__(self, study: Study, of_targets: set[str], pins: Pins) -> None:
        self.study = study
        self.of_targets = of_targets  # targets, and the tasks that they are trained on
        self.pins = pins
        self.splits: dict[str, dict[Split, list[str]]] = {}  # key of prepare -> split -> languages

    def add(self, key: str, split: Split, language: str) -> Path:
        """Remember that a split is used in a language; give its path."""
        languages = self.splits.setdefault(key, {}).setdefault(split, [])
        if language not in languages:
            languages.append(language)
        return paths.rows(self.folder(key), language, split)

    def role(self, key: str) -> str:
        """Apart by use, so that what is new to one use reruns no other."""
        if key.startswith(TEXT):
            return "pretraining"
        return "targets" if key in self.of_targets else "training"

    def folder(self, key: str) -> Path:
        """Where the rows of a key of `prepare` go."""
        return paths.prepared(self.study.study, self.role(key), key.removeprefix(TEXT))

    def fetch(self) -> dict[str, Any]:
        """Raw data of everything that was needed: pinned, and no more than is used."""
        out: dict[str, Any] = {}
        for key, splits in self.splits.items():
            task = tasks.load(key.removeprefix(TEXT))
            spec = out.setdefault(paths.dataset_key(task.dataset), self._origin(task))
            for split, languages in splits.items():
                for language in languages:
                    self._files(spec, task, split, language)
        return out

    def _origin(self, task: Task) -> dict[str, Any]:
        """Where a data set comes from, before it is said which of its files are wanted."""
        return {
            "source": "folder" if task.place else self.study.data.source,
            "dataset": task.dataset,
            "revision": task.revision or self.pins.dataset(task.dataset),
            "configs": {},
            "urls": {},
            "place": f"${task.place}" if task.place else None,
            "world": self.study.data.world,
        }

    def _files(self, spec: dict[str, Any], task: Task, split: Split, language: str) -> None:
        """Add the files of one split and language to what is fetched."""
        if split in task.urls:
            for url, sha256 in task.addresses(language, split).items():
                spec["urls"][url] = sha256 or self.pins.url(url)
        elif not task.place:
            config, source_split = task.source(language, split)
            wanted = spec["configs"].setdefault(config, [])
            if source_split not in wanted:
                wanted.append(source_split)

    def prepare(self) -> dict[str, Any]:
        """Tasks whose rows are used, with the languages of each split."""
        out = {}
        for key, splits in self.splits.items():
            task = tasks.load(key.removeprefix(TEXT))
            out[key] = {
                "task": task.name,
                "role": self.role(key),
                "fetched": str(paths.fetched(task.dataset)),
                "out": str(self.folder(key)),
                "splits": splits,
            }
        return out
