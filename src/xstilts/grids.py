"""Phase ii of a study: a grid of sizes and seeds -> runs, and the subsets that they share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from xstilts import mixes
from xstilts.design import Design
from xstilts.mixes import Cell, Members, Source
from xstilts.study import Grid
from xstilts.tasks.base import Kind

UNTAUGHT: tuple[Kind, ...] = ("retrieval", "mining", "ranking", "mlm")  # no intermediate task


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
                "variant": grid.variant,
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
            if task.kind in UNTAUGHT:
                mend = "take another, or for text give `mlm`"
                raise self.design.fail(where, f"{task.name} is no intermediate task", mend)
            if why := self.design.absent(task):
                what = f"{grid.name}: {task.name}" if grid.name else task.name
                self.design.left_out[f"{what} ({where})"] = why
            else:
                found.append((member, task))
        return found

    def _cells(self, grid: Grid, members: Members, where: str) -> Iterator[Cell]:
        """Languages x sizes x seeds, each checked against the tasks."""
        training = self.design.training(grid.training, where, validated=bool(members))
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
            for size in sizes:
                for seed in grid.seeds:
                    yield Cell(grid, where, language, size, seed, training)

    def _source(self, cell: Cell, members: Members) -> Source:
        """The rows of a run, by its method."""
        if not members:
            return mixes.text(self.design, cell)
        if cell.grid.tasks or cell.grid.mlm:
            return mixes.mix(self.design, cell, members)
        ((member, task),) = members
        return mixes.single(self.design, cell, member, task)

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
