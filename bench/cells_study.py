"""A study of so many cells as bench/cells.py measures it, with what its stages would have made.

    python bench/cells_study.py        in a project with such a study, submitted: "runs" its jobs

A cell is a run's score on a target in a language: ten a run, two targets of the control world in
five languages. Data and the base model are made by the stages themselves. No encoder is trained: of
each intermediate run the base model is kept under another first weight, and the answers of a
transfer run are gold or not by lot, with a probability that grows with size. From these on all is
as the stages do it: scores and predictions by the metric of the target, the files by the writers
of the stages, with 20 examples a cell.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import conftest

TASKS = ("world_qa", "world_classes", "world_tags")
MIX = {"name": "mix", "tasks": ["world_qa", "world_tags"]}
TARGETS = ("world_new_classes", "world_new_tags")
PER_RUN = 10  # cells: two targets in five languages
SIZES = [5 * number for number in range(1, 13)]
GROWTH = ((500, 12), (100, 6), (0, 1))  # runs, from which a study has so many sizes
EXAMPLES = 20  # at most, of a cell
POINTS = 25  # of a curve
RUN_BY_STAGES = ("fetch", "prepare", "check", "subsample", "pretrain")
Json = dict[str, Any]


def study(cells: int) -> Json:
    """A study file's content: seeds and sizes double in turn as cells do; the rest is `none`."""
    runs = cells // PER_RUN
    sizes = next(count for least, count in GROWTH if runs >= least)
    seeds = runs // ((len(TASKS) + 1) * sizes)
    content = conftest.small_study() | {
        "title": f"A generated study of {cells:,} cells",
        "description": "Nothing was trained: answers are made up",
        "baseline_seeds": list(range(1, 1 + runs - (len(TASKS) + 1) * sizes * seeds)),
        "targets": {task: {"source_language": "qaa", "protocol": "x-stilts"} for task in TARGETS},
    }
    grid = {"languages": ["qaa"], "sizes": SIZES[:sizes], "seeds": list(range(1, 1 + seeds))}
    content["intermediate"] = [{**one, **grid} for one in (*({"task": t} for t in TASKS), MIX)]
    many = {"train": SIZES[-1], "validation": 5, "test": EXAMPLES}
    content["data"]["world"] |= dict.fromkeys(
        ("qa", "classes", "tags", "new_classes", "new_tags"), many
    )
    return content


class Made:
    """Writes what the stages of a submitted study would have written.

    Args:
        submission: of `xstilts submit`, whose jobs nobody has run.
    """

    def __init__(self, submission: Any) -> None:
        from xstilts.core import design, files, paths
        from xstilts.model import checkpoint
        from xstilts.records import provenance

        self.submission, self.loaded = submission, design.load()
        self.base = paths.pretrained(self.loaded.study)
        self.encoder = checkpoint.load_encoder(self.base)
        told = provenance.write(
            self.loaded.study, "check", "x", time.time(), 1.0, None, None, {}, ""
        )
        self.provenance = files.read_json(told)
        told.unlink()
        self.rows: dict[tuple[str, str], list[Json]] = {}

    def every(self) -> None:
        """All cells up to the stages that join them, in the order of the flow."""
        for cell in self.submission.cells.values():
            if cell.word in ("aggregate", "report"):
                continue
            key = cell.name.rpartition("/")[2] if "/" in cell.name else self.loaded.study
            if cell.word in ("intermediate", "transfer"):
                getattr(self, cell.word)(key)
            self.noted(cell, key)

    def noted(self, cell: Any, key: str) -> None:
        """What the pipeline and the job leave beside an output."""
        from xstilts.commands.submit import ledger
        from xstilts.core import files, paths

        path = paths.provenance(self.loaded.study, cell.word, key)
        files.write_json(path, self.provenance | {"stage": cell.word, "key": key})
        mark(cell, self.submission.name)
        assert ledger.finished(cell), cell.name

    def intermediate(self, key: str) -> None:
        """The base model with another first weight, and a record."""
        from xstilts.core import files, paths
        from xstilts.model import checkpoint
        from xstilts.records import record
        from xstilts.stages.intermediate import inputs_of

        spec = self.loaded.intermediate[key]
        rows = sum(files.read_parquet(Path(part.rows)).num_rows for part in spec.parts)
        rng = np.random.default_rng([spec.seed, len(key), rows])
        next(self.encoder.parameters()).data.flatten()[0] = float(rng.normal())
        metrics = {"loss": 0.5, "rows": float(rows), "steps": float(rows), "learning_rate": 1e-3}
        done = record.make(
            self.loaded, "intermediate", key, spec, inputs_of(spec), metrics, {"loss": curve(rng)}
        )
        with files.output_folder(paths.intermediate(self.loaded.study, key)) as out:
            checkpoint.save_encoder(self.encoder, out)
            files.write_json(out / "record.json", done)

    def transfer(self, key: str) -> None:
        """Scores, predictions and record of a run whose answers are drawn."""
        from xstilts.core import paths
        from xstilts.evaluation import score
        from xstilts.evaluation.target import read_files
        from xstilts.model import checkpoint
        from xstilts.records import record
        from xstilts.results import scores
        from xstilts.stages import transfer

        spec, targets = self.loaded.transfer[key], self.loaded.targets_of(key)
        encoder = Path(spec.checkpoint)
        common = {"study": self.loaded.study, "run": key, **transfer.identity(spec)}
        common["model_sha"] = checkpoint.weights_sha(encoder)
        rng = np.random.default_rng([spec.seed, spec.size, *key.encode()])
        rows: list[Any] = []
        tables, curves = [], {}
        for name, target in targets.items():
            curves[f"{name}.loss"] = curve(rng)
            for language in target.languages:
                found = self.predicted(name, language, min(0.9, 0.3 + spec.size / 120), rng)
                rows += score.score_rows(common, target, language, found)
                told = score.prediction_rows(target, language, found)
                tables.append(pa.Table.from_pylist(told, schema=scores.PREDICTIONS_SCHEMA))
        shared = [*checkpoint.model_files(encoder), self.base / "tokenizer.json"]
        inputs = [*shared, *(path for one in targets.values() for path in read_files(one))]
        metrics = score.headline(rows, self.loaded)
        shown = ("scores.json",)
        done = record.make(self.loaded, "transfer", key, spec, inputs, metrics, curves, shown)
        predictions, study = pa.concat_tables(tables), self.loaded.study
        transfer._write_predictions(paths.predicted(study, key), predictions, tables, {})
        transfer._write_scores(paths.transferred(study, key), rows, predictions, done)

    def predicted(self, name: str, language: str, chance: float, rng: Any) -> Any:
        """Gold for as many examples as the lot says, another one's for the rest."""
        from xstilts.evaluation.predictors import Predicted, read_rows
        from xstilts.kinds import modules

        target = self.loaded.targets[name]
        if (name, language) not in self.rows:
            self.rows[name, language] = read_rows(target, language)
        rows = self.rows[name, language]
        gold = modules.get(target.kind).references(rows, target.labels)
        right = rng.random(len(rows)) < chance
        found = [one if good else gold[0] for one, good in zip(gold, right, strict=True)]
        return Predicted(rows, found, gold)


def curve(rng: Any) -> list[list[float]]:
    """A loss that falls."""
    return [[step, float(2 / (1 + step) + 0.1 * rng.random())] for step in range(POINTS)]


def mark(cell: Any, submission: str) -> None:
    """The marker that its job would have left."""
    from xstilts.commands.submit import ledger

    ledger.Marker(
        **{"stage": cell.name, "signature": cell.signature, "state": ledger.DONE},
        **{"submission": submission, "job": "1_0", "host": "node", "log": "log"},
        **{"began": 1.0, "ended": 2.0, "code": 0},
    ).write()


def mark_named(names: Sequence[str]) -> None:
    """Markers of some cells of the last submission, whose commands were given by hand."""
    from xstilts.commands.submit import ledger

    submission = ledger.submissions()[-1]
    for name in names:
        mark(submission.cells[name], submission.name)


def main() -> None:
    """Run the stages that make data and the base model, and make up all others but the last two."""
    from xstilts.core import design, determinism, machine

    determinism.prepare(machine.load_machine())
    import projects

    from xstilts.commands.submit import ledger

    projects.run_stages(design.load(), RUN_BY_STAGES)
    Made(ledger.submissions()[-1]).every()


if __name__ == "__main__":
    main()
