"""Which rows a study uses, and so what it fetches and prepares: no more than that. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xstilts import paths, tasks
from xstilts.study import Study

TEXT = "text-"  # begins the key of a task prepared for its text alone, to pretrain on


class Needs:
    """Splits and languages of tasks, as the compiler comes across them."""

    def __init__(self, study: Study, of_targets: set[str]) -> None:
        self.study = study
        self.of_targets = of_targets  # targets, and the tasks that they are trained on
        self.splits: dict[str, dict[str, list[str]]] = {}  # key of prepare -> split -> languages

    def add(self, key: str, split: str, language: str) -> Path:
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
            spec = out.setdefault(
                paths.dataset_key(task.dataset),
                {
                    "source": self.study.data.source,
                    "dataset": task.dataset,
                    "revision": task.revision,
                    "configs": {},
                    "urls": {},
                    "world": self.study.data.world,
                },
            )
            for split, languages in splits.items():
                for language in languages:
                    if split in task.urls:
                        spec["urls"] |= task.urls[split]  # type: ignore[index]
                        continue
                    config, source_split = task.source(language, split)  # type: ignore[arg-type]
                    wanted = spec["configs"].setdefault(config, [])
                    if source_split not in wanted:
                        wanted.append(source_split)
        return out

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
