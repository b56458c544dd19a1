"""The design of an experiment: a study -> runs and cells -> the content of params.yaml. Pure.

`xstilts study use NAME` calls `compile_study`; the same study always gives the same params.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xstilts import paths, tasks
from xstilts.errors import UserError
from xstilts.needs import TEXT, Needs
from xstilts.params import Params, Size, Training, parse
from xstilts.study import Grid, Study, StudyTarget
from xstilts.tasks.base import Task

BASELINE = {"method": "none", "task": "none", "language": "none", "size": 0}


class _Compiler:
    """Collects what a study needs; each part is checked, its data remembered."""

    def __init__(self, study: Study, place: Path | str) -> None:
        self.study = study
        self.place = place
        self.check_defaults()
        targets = [self.task(name, f"targets.{name}") for name in study.targets]
        of_targets = {name for task in targets for name in (task.name, task.train_task or "")}
        self.needs = Needs(study, of_targets)

    def fail(self, where: str, wrong: str, mend: str) -> UserError:
        """One line: file, place in it, what is wrong, the mend."""
        return UserError(f"{self.place}: {where}: {wrong}. Mend: {mend}")

    def task(self, name: str, where: str) -> Task:
        """Look a task up by name and see that its source fits the study's."""
        if name not in tasks.NAMES:
            mend = f"use one of {', '.join(tasks.NAMES)}"
            raise self.fail(where, f"unknown task {name!r}", mend)
        task = tasks.load(name)
        world = task.dataset.startswith("world/")
        if world != (self.study.data.source == "world"):
            other = "world" if world else "hub or mirror:<dir>"
            raise self.fail(where, f"{name} needs `data.source: {other}`", "change one of the two")
        return task

    def language(self, task: Task, language: str, known: tuple[str, ...], where: str) -> None:
        """Refuse a language that the task does not have."""
        if language not in known:
            mend = f"use one of {', '.join(known) or '(none)'}"
            raise self.fail(where, f"{task.name} has no language {language!r}", mend)

    def need(self, task: Task, split: str, language: str, where: str, text: bool = False) -> str:
        """Remember that a split is used (`text`: only to pretrain on); give its path."""
        if split not in task.splits and split not in task.urls:
            have = ", ".join([*task.splits, *task.urls])
            raise self.fail(where, f"{task.name} has no {split} split", f"it has {have}")
        return str(self.needs.add(TEXT + task.name if text else task.name, split, language))

    def check_defaults(self) -> None:
        """Name the study's defaults, and not their first use, where one of them is wrong."""
        given = self.study.training
        budget = {} if {"steps", "epochs"} & given.keys() else {"epochs": 1}
        filled = {"batch": 1, "learning_rate": 1, **budget, **given}
        parse(Training, filled, f"{self.place}: training", "mend the study")

    def training(self, override: Mapping[str, Any], where: str) -> dict[str, Any]:
        """The study's defaults, overridden; a budget given here replaces the default budget."""
        base, budget = dict(self.study.training), {"steps", "epochs"}
        if budget & override.keys():
            base = {name: value for name, value in base.items() if name not in budget}
        where = f"{where}.training"
        merged = parse(Training, {**base, **override}, f"{self.place}: {where}", "mend the study")
        self.check_length(merged.max_length, where)
        return merged.model_dump()

    def usual_length(self) -> int:
        """128 tokens, or as many as a model from scratch takes."""
        scratch = self.study.pretrain.scratch
        return min(128, scratch.architecture.max_positions) if scratch else 128

    def check_length(self, length: int, where: str) -> None:
        """A text cannot be longer than a model from scratch has positions."""
        scratch = self.study.pretrain.scratch
        if scratch and length > scratch.architecture.max_positions:
            wrong = f"max_length {length} is more than the model's max_positions"
            raise self.fail(where, wrong, "take a smaller one, or a larger model")

    def pretrain(self) -> dict[str, Any]:
        """Phase i."""
        choice = self.study.pretrain
        if (choice.scratch is None) == (choice.hub is None):
            raise self.fail("pretrain", "give exactly one of `scratch` and `hub`", "keep one")
        if choice.hub:
            source = {"source": self.study.data.source, "reads": "src/xstilts/sources"}
            return {**source, "model": choice.hub.model, "revision": choice.hub.revision}
        scratch = choice.scratch
        assert scratch is not None
        corpora = []
        for number, corpus in enumerate(scratch.corpora):
            where = f"pretrain.scratch.corpora.{number}"
            task = self.task(corpus.task, where)
            for language in corpus.languages:
                self.language(task, language, (*task.languages, *task.train_languages), where)
                self.need(task, corpus.split, language, where, text=True)
            found = {"rows": str(self.needs.folder(TEXT + task.name)), "kind": task.kind}
            corpora.append(corpus.model_copy(update=found).model_dump())
        return {
            "source": "scratch",
            "reads": str(paths.prepared(self.study.study, "pretraining", "")),
            "architecture": scratch.architecture.model_dump(),
            "corpora": corpora,
            "training": self.training(scratch.training, "pretrain.scratch"),
            "seed": scratch.seed,
        }

    def target(self, name: str, spec: StudyTarget) -> dict[str, Any]:
        """Phase iii: one target."""
        where = f"targets.{name}"
        task = self.task(name, where)
        trained = tasks.load(task.train_task) if task.train_task else task
        official = task.official.get(spec.protocol, task.languages)
        languages = list(official) if spec.languages == "all" else spec.languages
        for language in languages:
            self.language(task, language, task.languages, f"{where}.languages")
            self.need(task, spec.split or task.evaluation, language, where)
        if not languages or len(set(languages)) < len(languages):
            wrong = "a language occurs twice" if languages else "there is no language"
            raise self.fail(f"{where}.languages", wrong, "give each language once")
        if spec.protocol not in task.protocols:
            wrong = f"{name} has no protocol {spec.protocol!r}"
            raise self.fail(where, wrong, f"use one of {', '.join(task.protocols)}")
        out: dict[str, Any] = {
            "task": name,
            "kind": task.kind,
            "labels": list(task.labels),
            "metric": task.metric,
            "chance": task.chance,
            "rows": str(self.needs.folder(name)),
            "split": spec.split or task.evaluation,
            "languages": languages,
            "train_rows": None,
            "validation": None,
            "training": None,
        }
        out |= spec.model_dump(exclude={"languages", "split", "training"})
        out["max_length"] = spec.max_length or self.usual_length()
        if task.kind == "retrieval":
            self.check_length(out["max_length"], where)
            return out
        source = spec.source_language
        self.language(trained, source, trained.train_languages, f"{where}.source_language")
        out["training"] = self.training(spec.training or {}, where)
        out["train_rows"] = self.need(trained, "train", source, where)
        if out["training"]["select"] == "best":
            out["validation"] = self.need(trained, "validation", source, where)
        return out

    def grid(self, number: int, grid: Grid) -> dict[str, tuple[dict[str, Any], str, Path]]:
        """Runs of one grid: run id -> (phase ii spec, subset key, its training rows)."""
        where = f"intermediate.{number}"
        task = self.task(grid.task, where)
        training = self.training(grid.training, where)
        base = str(paths.pretrained(self.study.study))
        runs = {}
        for language in grid.languages:
            self.language(task, language, task.train_languages, f"{where}.languages")
            rows = self.need(task, "train", language, where)
            valid = None
            if training["select"] == "best":
                valid = self.need(task, "validation", language, where)
            for size in grid.sizes:
                self.check_size(task, language, size, where)
                for seed in grid.seeds:
                    key = f"{task.name}-{language}-s{seed}"
                    run = f"{task.name}-{language}-{size}-s{seed}"
                    run += "" if grid.method == "single" else f"-{grid.method}"
                    spec = {
                        "method": grid.method,
                        "task": task.name,
                        "kind": task.kind,
                        "labels": list(task.labels),
                        "language": language,
                        "size": size,
                        "seed": seed,
                        "rows": str(paths.subset(self.study.study, key, size)),
                        "validation": valid,
                        "watch": valid or f"{base}/tokenizer.json",
                        "metric": task.metric,
                        "checkpoint": base,
                        "training": training,
                    }
                    runs[run] = (spec, key, Path(rows))
        return runs

    def check_size(self, task: Task, language: str, size: Size, where: str) -> None:
        """The published number of rows; a mirror may hold fewer, which `subsample` checks."""
        rows = task.train_rows.get(language)
        if isinstance(size, int) and rows is not None and size > rows:
            wrong = f"size {size} is larger than the {rows} training rows of {task.name} {language}"
            raise self.fail(f"{where}.sizes", wrong, "take a smaller size or `all`")


def compile_study(study: Study, place: Path | str) -> dict[str, Any]:
    """Turn a study into the content of params.yaml (plain values, one section per stage word).

    Raises:
        UserError: unknown task, language, protocol or key; a size larger than the task; a run
            that occurs twice. The message names the place in the study file.
    """
    compiler = _Compiler(study, place)
    pretrain = compiler.pretrain()
    targets = {name: compiler.target(name, spec) for name, spec in study.targets.items()}
    intermediate: dict[str, Any] = {}
    subsample: dict[str, Any] = {}
    names = list(targets)
    transfer = {
        f"none-s{seed}": _transfer({**BASELINE, "seed": seed}, paths.pretrained(study.study), names)
        for seed in study.baseline_seeds
    }
    for number, grid in enumerate(study.intermediate):
        for run, (spec, key, rows) in compiler.grid(number, grid).items():
            if run in intermediate:
                raise compiler.fail(f"intermediate.{number}", f"run {run} occurs twice", "keep one")
            intermediate[run] = spec
            order = {name: spec[name] for name in ("task", "language", "seed")}
            subset = subsample.setdefault(key, {**order, "rows": str(rows), "sizes": []})
            if spec["size"] not in subset["sizes"]:
                subset["sizes"].append(spec["size"])
            transfer[run] = _transfer(spec, paths.intermediate(study.study, run), names)
    source = {"source": study.data.source}
    params = {
        "study": study.study,
        "fetch": compiler.needs.fetch(),
        "prepare": compiler.needs.prepare(),
        "subsample": subsample,
        "pretrain": pretrain,
        "intermediate": intermediate,
        "transfer": transfer,
        "targets": targets,
        "aggregate": study.aggregate.model_dump(),
        "report": {**study.model_dump(include={"title", "description"}), **source},
    }
    return parse(Params, params, place, "mend the study").model_dump()


def _transfer(spec: dict[str, Any], checkpoint: Path, targets: list[str]) -> dict[str, Any]:
    """Phase iii of one checkpoint: that of a run, or for the baseline that of phase i."""
    return {
        **{name: spec[name] for name in ("method", "task", "size", "seed")},
        "source_language": spec["language"],
        "checkpoint": str(checkpoint),
        "targets": targets,
    }
