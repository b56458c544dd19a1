"""Phase ii of a study: grids of sizes and seeds -> runs, and the subsets that they share.

A grid is of one task, a mix of tasks, tasks beside text, or text alone; `single`, `mix` and `text`
say where the rows of a run are. Called by `compiler`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from xstilts import tasks
from xstilts.core import paths
from xstilts.core.params import Mixing, Size
from xstilts.kinds.spec import KINDS
from xstilts.study.design import Design
from xstilts.study.schema import MUL, Grid, Member, Mlm
from xstilts.tasks.base import Task

Members = list[tuple[Member, Task]]
TEXT = "text"  # the file of a mix's text


class Grids:
    """All runs of phase ii, and the keys of `subsample` that they read."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self.runs: dict[str, dict[str, Any]] = {}
        self.subsample: dict[str, dict[str, Any]] = {}

    def add(self, number: int, grid: Grid) -> None:
        """Add the runs of one grid of the study; what cannot run here is left out, said so.

        Raises:
            UserError: an unknown task or language, a size that is too large, a run that occurs
                twice, a mix whose rows are not those of another mix of its name.
        """
        where = f"intermediate.{number}"
        members = self._members(grid, where)
        if grid.members and not members:
            return
        for cell in self._cells(grid, members, where):
            if cell.run in self.runs:
                raise self.design.fail(where, f"run {cell.run} occurs twice", "keep one")
            source = self._source(cell, members)
            self._share(source, cell)
            self.runs[cell.run] = {
                "method": grid.design,
                "variant": cell.variant,
                "task": grid.title,
                **{name: getattr(cell, name) for name in ("language", "size", "seed")},
                "rows": source.rows,
                "watch": source.watch or f"{self.design.base}/tokenizer.json",
                "parts": source.parts,
                "mixing": source.mixing,
                "checkpoint": self.design.base,
                "training": cell.training,
            }

    def _members(self, grid: Grid, where: str) -> Members:
        """The tasks of a grid that can be run here."""
        found = []
        for member in grid.members:
            task = self.design.task(member.task, where)
            if not KINDS[task.kind].intermediate:
                mend = "take another, or for text give `mlm`"
                raise self.design.fail(where, f"{task.name} is no intermediate task", mend)
            if grid.design == "shuffled" and not KINDS[task.kind].shuffled:
                wrong = f"the labels of {task.name} cannot be shuffled"
                raise self.design.fail(where, wrong, "leave `method: shuffled` out")
            if why := self.design.absent(task):
                what = f"{grid.name}: {task.name}" if grid.name else task.name
                self.design.left_out[f"{what} ({where})"] = why
            else:
                found.append((member, task))
        return found

    def _cells(self, grid: Grid, members: Members, where: str) -> Iterator[Cell]:
        """Rates x languages x sizes x seeds, each checked against the tasks."""
        own = self.design.training(grid.training, where, validated=bool(members))
        for _, task in members:
            self.design.check_model(task, own, where)
        if own.get("prompt"):
            wrong = "soft prompts are no weights of the model, so that no phase goes on from them"
            raise self.design.fail(where, wrong, "give `prompt` to a target's training")
        if grid.mlm and self.design.study.pretrain.family:
            wrong = "an encoder-decoder has no masked language modelling to go on with"
            raise self.design.fail(where, wrong, "leave `mlm` out")
        trainings = {"": own} | {
            variant: {**own, "learning_rate": rate}
            for variant, rate in self.design.rates(grid.rates, own, where).items()
        }
        sizes = grid.sizes or ([grid.mlm.rows] if grid.mlm else [])
        for language in grid.languages:
            for member, task in members:
                known = task.train_languages
                self.design.language(task, language, known, f"{where}.languages")
                if member.rows is not None:
                    place = f"{where}.tasks.{task.name}.rows"
                    self.design.check_size(task, language, member.rows, place)
                for size in sizes if grid.task else []:
                    self.design.check_size(task, language, size, f"{where}.sizes")
            for size, (rate, training) in product(sizes, trainings.items()):
                variant = "-".join(part for part in (grid.variant, rate) if part)
                for seed in grid.seeds:
                    yield Cell(grid, where, language, size, seed, variant, training)

    def _source(self, cell: Cell, members: Members) -> Source:
        """The rows of a run, by its method."""
        if not members:
            return text(self.design, cell)
        if cell.grid.tasks or cell.grid.mlm:
            return mix(self.design, cell, members)
        ((member, task),) = members
        return single(self.design, cell, member, task)

    def _share(self, source: Source, cell: Cell) -> None:
        """Put a run's subsets beside those of other runs with the same key."""
        spec = self.subsample.setdefault(source.key, {**source.spec, "subsets": []})
        old = {subset["out"]: subset for subset in spec["subsets"]}
        new = {subset["out"]: subset for subset in source.spec["subsets"]}
        mixed = source.mixing is not None and old and old != new
        if mixed or any(old[name] != new[name] for name in old.keys() & new.keys()):
            wrong = f"the rows of {cell.run} are not those of another grid of this name"
            raise self.design.fail(cell.where, wrong, "give this mix a name of its own")
        spec["subsets"] += [subset for name, subset in new.items() if name not in old]
        if source.spec["copies"]:
            spec["copies"] |= source.spec["copies"]
            spec["reads"] = source.spec["reads"]


@dataclass(frozen=True)
class Cell:
    """One run of a grid, before it is written down."""

    grid: Grid
    where: str  # place in the study file
    language: str
    size: Size
    seed: int
    variant: str  # the grid's, and where its rates are several the rate's
    training: dict[str, Any]

    @property
    def key(self) -> str:
        """The run's id without what leaves its rows as they are."""
        name = f"{self.grid.title}-{self.language}-{self.size}-s{self.seed}"
        return name + ("-mlm" if self.grid.mlm and self.grid.members else "")

    @property
    def run(self) -> str:
        """The run's id."""
        shuffled = "-shuffled" if self.grid.design == "shuffled" else ""
        return self.key + shuffled + (f"-{self.variant}" if self.variant else "")


@dataclass(frozen=True)
class Source:
    """Where a run's rows are: a key of `subsample`, what it holds, and the run's own parts."""

    key: str
    spec: dict[str, Any]
    parts: list[dict[str, Any]]
    rows: str  # what the run reads: one subset, or the folder of all of a mix
    watch: str | None  # its validation rows, where they do not lie in that folder
    mixing: dict[str, Any] | None = None


def single(design: Design, cell: Cell, member: Member, task: Task) -> Source:
    """One task: its sizes are heads of one order, so all sizes of a seed share a key."""
    key = f"{task.name}-{cell.language}-s{cell.seed}"
    rows, validation = _rows(design, cell, task)
    copies, watched = {}, validation[0] if validation else None
    if len(validation) > 1:
        copies = {"validation": validation}
        watched = f"{paths.subsampled(design.study.study, key)}/validation.parquet"
    subset = {"out": str(cell.size), "task": task.name, "rows": rows, "size": cell.size}
    spec = _spec(design, cell, [subset], copies)
    path = str(paths.subset(design.study.study, key, cell.size))
    part = _part(design, cell, member, task, path, watched)
    part["validation_sets"] = max(1, len(validation))
    return Source(key, spec, [part], path, watched)


def text(design: Design, cell: Cell) -> Source:
    """Continued masked language modelling, and nothing else."""
    assert cell.grid.mlm is not None
    key = f"mlm-{cell.language}-s{cell.seed}"
    subset, kind = _text(design, cell, cell.grid.mlm)
    spec = _spec(design, cell, [{**subset, "out": str(cell.size)}], {})
    path = str(paths.subset(design.study.study, key, cell.size))
    return Source(key, spec, [_text_part(cell, cell.grid.mlm, path, kind)], path, None)


def mix(design: Design, cell: Cell, members: Members) -> Source:
    """Several tasks, or tasks and text: a part each; their rows are one folder."""
    folder = str(paths.subsampled(design.study.study, cell.key))
    subsets, copies, parts = [], {}, []
    for member, task in members:
        rows, validation = _rows(design, cell, task)
        size = member.rows or cell.size
        subsets.append({"out": task.name, "task": task.name, "rows": rows, "size": size})
        watched = None
        if validation:
            copies[f"{task.name}.validation"] = validation
            watched = f"{folder}/{task.name}.validation.parquet"
        path = f"{folder}/{task.name}.parquet"
        part = _part(design, cell, member, task, path, watched)
        parts.append({**part, "validation_sets": max(1, len(validation))})
    if cell.grid.mlm:
        subset, kind = _text(design, cell, cell.grid.mlm)
        subsets.append(subset)
        parts.append(_text_part(cell, cell.grid.mlm, f"{folder}/{TEXT}.parquet", kind))
    spec = _spec(design, cell, subsets, copies)
    # epochs of a single task are epochs of all its rows: there is nothing to hold it back for
    usual = Mixing.model_validate({"cap": None} if len(members) == 1 else {})
    mixing = cell.grid.mixing or usual
    return Source(cell.key, spec, parts, folder, None, mixing.model_dump())


def _rows(design: Design, cell: Cell, task: Task) -> tuple[list[str], list[str]]:
    """Prepared training rows of a task, and those that choose where something is chosen."""
    rows = design.rows(task, "train", cell.language, cell.where)
    chosen = cell.training["select"] == "best" or cell.training["sweep"]
    return rows, design.rows(task, "validation", cell.language, cell.where) if chosen else []


def _spec(
    design: Design, cell: Cell, subsets: list[dict[str, Any]], copies: dict[str, list[str]]
) -> dict[str, Any]:
    """A key of `subsample`; it reads one file, or anything of what is prepared."""
    files = {name for subset in subsets for name in subset["rows"]}
    files |= {name for names in copies.values() for name in names}
    whole = str(paths.prepared(design.study.study, "", ""))
    reads = files.pop() if len(files) == 1 else whole
    return {"seed": cell.seed, "reads": reads, "subsets": subsets, "copies": copies}


def _part(
    design: Design, cell: Cell, member: Member, task: Task, rows: str, validation: str | None
) -> dict[str, Any]:
    """What a model learns from one task."""
    where = f"{cell.where}.tasks.{task.name}" if cell.grid.tasks else cell.where
    length = member.max_length or cell.training["max_length"]
    design.check_length(length, where)
    return {
        "task": task.name,
        "kind": task.kind,
        "rows_kind": task.kind,
        "labels": design.labels(task),
        "metric": task.metric,
        "language": cell.language,
        "rows": rows,
        "validation": validation,
        "max_length": length,
        "stride": member.stride or cell.training["stride"],
        "share": None,
        "output": cell.training.get("output", {}),
        "teaches": task.teaches and cell.grid.design != "shuffled",
    }


def _text(design: Design, cell: Cell, mlm: Mlm) -> tuple[dict[str, Any], str]:
    """The subset of a mix's text, and the kind of its rows."""
    files, kinds = [], set()
    for number, corpus in enumerate(mlm.corpora):
        where = f"{cell.where}.mlm.corpora.{number}"
        task = design.task(corpus.task, where)
        kinds.add(task.kind)
        for language in corpus.languages:
            design.language(task, language, (*task.languages, *task.train_languages), where)
            files.append(design.need(task, corpus.split, language, where, text=True))
    if len(kinds) > 1:
        wrong = f"rows of several kinds ({', '.join(sorted(kinds))}) cannot be one text"
        raise design.fail(f"{cell.where}.mlm.corpora", wrong, "take tasks of one kind")
    names = list(dict.fromkeys(corpus.task for corpus in mlm.corpora))
    smoothing = mlm.smoothing if len(files) > 1 else None
    subset = {"out": TEXT, "task": "+".join(names), "rows": files, "size": mlm.rows}
    return {**subset, "smoothing": smoothing}, kinds.pop()


def _text_part(cell: Cell, mlm: Mlm, rows: str, kind: str) -> dict[str, Any]:
    """What a model learns from text; it has no validation rows."""
    return {
        "task": "mlm",
        "kind": "mlm",
        "rows_kind": kind,
        "labels": [],
        "metric": tasks.load(mlm.corpora[0].task).metric,
        "language": MUL,
        "rows": rows,
        "validation": None,
        "max_length": mlm.max_length or cell.training["max_length"],
        "stride": cell.training["stride"],
        "share": mlm.share,
    }
