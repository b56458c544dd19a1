"""What all parts of the compiler share: the study, what it leaves out, and the rows it needs.

`Design` checks each task, language and training as it comes up; `Needs` collects whose rows are
used, and gives the sections `fetch` and `prepare` of params.yaml.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xstilts import tasks
from xstilts.core import paths
from xstilts.core.errors import UserError
from xstilts.core.params import Size
from xstilts.core.strict import parse
from xstilts.kinds.spec import KINDS
from xstilts.model.codes import CODES, lacks
from xstilts.sources.places import MIRROR
from xstilts.sources.world.spec import World
from xstilts.study.pins import Pins
from xstilts.study.schema import Study, StudyTraining, rate_name
from xstilts.tasks.base import Split, Task

USUAL_LENGTH = 128  # tokens
TEXT = "text-"  # begins the key of a task prepared for its text alone, to pretrain on


class Design:
    """Collects what a study needs; each part is checked, its data remembered."""

    def __init__(self, study: Study, place: Path | str, pins: Pins) -> None:
        self.study = study
        self.place = place
        self.left_out: dict[str, str] = {}
        # task -> prepared files: what is trained on, what chooses, what is scored
        self.trained: dict[str, list[str]] = {}
        self.choosing: dict[str, list[str]] = {}
        self.scored: dict[str, list[str]] = {}
        self.check_defaults()
        self.needs = Needs(study, self._of_targets(), pins)

    def _of_targets(self) -> set[str]:
        """The targets, and every task whose rows fine-tune one of them."""
        targets = [self.task(name, f"targets.{name}") for name in self.study.targets]
        names = {name for one in targets for name in (one.name, one.train_task or one.name)}
        names |= {name for one in targets for name in one.train_before}
        return names | {member for name in names for member in tasks.load(name).joins}

    def fail(self, where: str, wrong: str, mend: str) -> UserError:
        """One line: file, place in it, what is wrong, the mend."""
        return UserError(f"{self.place}: {where}: {wrong}. Mend: {mend}")

    def task(self, name: str, where: str) -> Task:
        """Look a task up by name and see that its source fits the study's."""
        if name not in tasks.NAMES:
            mend = f"use one of {', '.join(tasks.NAMES)}"
            raise self.fail(where, f"unknown task {name!r}", mend)
        task = tasks.load(name)
        if task.kind not in KINDS:
            wrong = f"{name} is of the kind {task.kind!r}, which nobody knows"
            raise self.fail(where, wrong, f"use one of {', '.join(KINDS)}")
        world = task.dataset.startswith("world/")
        if world != (self.study.data.source == "world"):
            other = "world" if world else "hub or mirror:<dir>"
            raise self.fail(where, f"{name} needs `data.source: {other}`", "change one of the two")
        return task

    def language(self, task: Task, language: str, known: tuple[str, ...], where: str) -> None:
        """Refuse a language that the task does not have."""
        codes = CODES.get(self.study.pretrain.family or "", {})
        if KINDS[task.kind].decodes and codes and language not in codes:
            who = f"{self.place}: {where}: the study's model"
            raise lacks(codes, language, who)
        if language not in known:
            mend = f"use one of {', '.join(known) or '(none)'}"
            raise self.fail(where, f"{task.name} has no language {language!r}", mend)

    def check_model(self, task: Task, training: Mapping[str, Any], where: str) -> None:
        """Refuse what the study's model cannot learn, and what its kind has no use for."""
        family, decodes = self.study.pretrain.family, KINDS[task.kind].decodes
        if family is not None and bool(family) != decodes:
            wanted = "an encoder-decoder" if decodes else "an encoder"
            mend = "take another task, or another model in `pretrain`"
            raise self.fail(where, f"{task.name} needs {wanted}, and this study has none", mend)
        if decodes and self.study.pretrain.vocabulary == "used":
            wrong = "an encoder-decoder writes pieces that the texts do not have"
            raise self.fail("pretrain.vocabulary", wrong, "take `whole`")
        if decodes and training.get("layers") == "attention":
            wrong = f"{task.name} has no head that could attend to layers"
            raise self.fail(where, wrong, "leave `layers` out")
        for name in () if decodes else ("output", "prompt"):
            if training.get(name) is not None:
                wrong = f"`{name}` is of generation, and {task.name} is of {task.kind}"
                raise self.fail(where, wrong, "leave it out")

    def need(self, task: Task, split: Split, language: str, where: str, text: bool = False) -> str:
        """Remember that a split is used (`text`: only to pretrain on); give its path."""
        have = dict.fromkeys([*task.splits, *task.urls, *task.members])
        if split not in have:
            names = ", ".join(have)
            raise self.fail(where, f"{task.name} has no {split} split", f"it has {names}")
        return str(self.needs.add(TEXT + task.name if text else task.name, split, language))

    def rows(self, task: Task, split: Split, language: str, where: str) -> list[str]:
        """As `need`; of a task that joins others, the files of each of these."""
        used = {"train": self.trained, "validation": self.choosing}.get(split, {})
        out = []
        for name in task.joins or (task.name,):
            path = self.need(tasks.load(name), split, language, where)
            files = used.setdefault(name, [])
            if path not in files:
                files.append(path)
            out.append(path)
        return out

    def absent(self, task: Task) -> str | None:
        """Why a licensed task cannot be run here, and the mend; None where it can."""
        if task.place is None:
            return None
        folder = os.environ.get(task.place)
        if folder and Path(folder).is_dir():
            return None
        wrong = f"{task.place} is not set" if not folder else f"{folder} is no folder"
        return f"licensed, {wrong}. {task.obtain} Mend: export {task.place}=<its folder>"

    def labels(self, task: Task) -> list[str]:
        """The task's labels; those of a licensed set are in the user's folder."""
        if task.labels_from and task.place:
            return list(task.labels_from(Path(os.environ[task.place])))
        return list(task.labels)

    def check_defaults(self) -> None:
        """Name the study's defaults, and not their first use, where one of them is wrong."""
        given = self.study.training
        budget = {} if {"steps", "epochs"} & given.keys() else {"epochs": 1}
        filled = {"batch": 1, "learning_rate": 0.1, **budget, **given}
        parse(StudyTraining, filled, f"{self.place}: training", "mend the study")

    def training(
        self, override: Mapping[str, Any], where: str, validated: bool = True
    ) -> dict[str, Any]:
        """The study's defaults, overridden; a budget or warm-up replaces one of the other form.

        Args:
            validated: False where there are no validation rows to choose by; then the study's
                defaults for choosing do not hold, and to ask for it here is refused.
        """
        base = dict(self.study.training)
        if not validated:
            base |= {"select": "last", "sweep": []}
        where = f"{where}.training"
        content = over(base, override)
        merged = parse(StudyTraining, content, f"{self.place}: {where}", "mend the study")
        if merged.validated and not validated:
            wrong = "there are no validation rows to choose by"
            raise self.fail(where, wrong, "leave `select: best` and `sweep` out")
        self.check_length(merged.max_length, where)
        return merged.model_dump()

    def rates(
        self, rates: Sequence[float], training: Mapping[str, Any], where: str
    ) -> dict[str, float]:
        """Variant -> learning rate, of each rate that is not the training's own."""
        if rates and training["sweep"]:
            wrong = "each of `rates` is a setting that is scored, `sweep` keeps the best alone"
            raise self.fail(f"{where}.rates", wrong, "give one of `rates` and `sweep`")
        own = training["learning_rate"]
        return {rate_name(rate): rate for rate in rates if rate != own}

    def usual_length(self) -> int:
        """128 tokens, or as many as the model takes."""
        return min(USUAL_LENGTH, self.study.pretrain.positions or USUAL_LENGTH)

    def check_length(self, length: int, where: str) -> None:
        """A text cannot be longer than the model has positions."""
        most = self.study.pretrain.positions
        if most is not None and length > most:
            wrong = f"max_length {length} is more than the model's max_positions"
            raise self.fail(where, f"{wrong} ({most})", "take a smaller one, or a larger model")

    def check_size(self, task: Task, language: str, size: Size, where: str) -> None:
        """The published number of rows; a mirror may hold fewer, which `plan` and `subsample` see.

        The control world has as many as the study asks of it.
        """
        rows = task.train_rows.get(language)
        if task.dataset.startswith("world/"):
            world = self.study.data.world or World.model_validate({})
            made = getattr(world, task.name.removeprefix("world_"), None)
            rows = made if isinstance(made, int) else getattr(made, "train", None)
        if isinstance(size, int) and rows is not None and size > rows:
            wrong = f"size {size} is larger than the {rows} training rows of {task.name} {language}"
            raise self.fail(where, wrong, "take a smaller size or `all`")

    @property
    def base(self) -> str:
        """The model of phase i."""
        return str(paths.pretrained(self.study.study))


def over(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """A training with parts overridden; a budget or warm-up replaces one of the other form."""
    kept = dict(base)
    for either in ({"steps", "epochs"}, {"warmup", "warmup_steps"}):
        if either & override.keys():
            kept = {name: value for name, value in kept.items() if name not in either}
    return kept | dict(override)


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

    @property
    def _mirrored(self) -> bool:
        """A mirror may have in the hub's layout what the hub itself has at no known commit."""
        return self.study.data.source.startswith(MIRROR)

    def _origin(self, task: Task) -> dict[str, Any]:
        """Where a data set comes from, before it is said which of its files are wanted."""
        world = self.study.data.world
        return {
            "source": "folder" if task.place else self.study.data.source,
            "dataset": task.dataset,
            "revision": task.revision or self.pins.dataset(task.dataset),
            "configs": {},
            "urls": {},
            "place": f"${task.place}" if task.place else None,
            "world": world.model_dump(exclude_unset=True) if world else None,
        }

    def _files(self, spec: dict[str, Any], task: Task, split: Split, language: str) -> None:
        """Add the files of one split and language to what is fetched."""
        if split in task.urls:
            for url, sha256 in task.addresses(language, split).items():
                spec["urls"][url] = sha256 or self.pins.url(url)
        if split in task.splits and (split not in task.urls or self._mirrored):
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
                "fetched": str(paths.fetched(self.study.study, task.dataset)),
                "out": str(self.folder(key)),
                "splits": splits,
            }
        return out
