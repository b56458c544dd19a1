"""Phase ii: train the base model on one intermediate task or a mix; only the encoder is kept.

Run by `xstilts intermediate RUN` or `dvc repro`. Writes `models/intermediate/<study>/<run>/`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from xstilts.core import files, paths
from xstilts.core.machine import load_machine
from xstilts.core.params import Intermediate, Params, Part
from xstilts.core.progress import Observe, Record
from xstilts.kinds import modules
from xstilts.kinds.base import Row
from xstilts.kinds.spec import KINDS
from xstilts.kinds.store import Store
from xstilts.model import checkpoint, tokenizer
from xstilts.records import record
from xstilts.training import state
from xstilts.training.engine import Setup, Workers
from xstilts.training.finetune import FineTuned, finetune
from xstilts.training.loop import TrainingSpec


def run(params: Params, key: str, observe: Observe) -> Record:
    """Write the encoder of one run.

    Raises:
        UserError: an input is missing or broken, or the loss is no number.
    """
    spec, machine = params.intermediate[key], load_machine()
    base = Path(spec.checkpoint)
    inputs = inputs_of(spec)
    rows = [part_rows(spec, part) for part in spec.parts]
    workers, store = Workers.start(machine), Store.of(machine)
    setup = Setup(tokenizer.load(base), machine, workers, observe, store)
    place = state.folder("intermediate", spec.model_dump(), inputs, machine)
    title = f"intermediate {key}"
    training = TrainingSpec(title, spec.training, spec.seed, spec.parts, spec.mixing)
    tuned = finetune(base, training, rows, place, setup)
    metrics = _summary(spec, tuned, rows)
    curves = tuned.history.curves()
    done = record.make(params, "intermediate", key, spec, inputs, metrics, curves)
    if taught := _taught(spec, rows):
        done["taught"] = taught
    if setup.workers.rank == 0:
        with files.output_folder(paths.intermediate(params.study, key)) as out:
            checkpoint.save_encoder(tuned.model.encoder, out)
            files.write_json(out / "record.json", done)
        shutil.rmtree(place)
    setup.workers.barrier()
    return done


def inputs_of(spec: Intermediate) -> list[Path]:
    """Files that a run reads: each part's rows and validation rows, weights and tokenizer."""
    base = Path(spec.checkpoint)
    named = [path for part in spec.parts for path in (part.rows, part.validation) if path]
    read = [Path(path) for path in dict.fromkeys(named)]
    return [*read, *checkpoint.model_files(base), base / "tokenizer.json"]


def part_rows(spec: Intermediate, part: Part) -> list[Row]:
    """The subset; as text for masked language modelling; in the control with shuffled labels."""
    rows: list[Row] = files.read_parquet(Path(part.rows)).to_pylist()
    learnt, kind = modules.get(part.kind), modules.get(part.rows_kind)
    if hasattr(learnt, "rows_of"):
        made: list[Row] = learnt.rows_of(rows, kind)
        return made
    if spec.method == "shuffled":
        rows = kind.shuffle(rows, np.random.default_rng([spec.seed, 2]))
    return rows


def _taught(spec: Intermediate, rows: list[list[Row]]) -> list[str]:
    """The words of the control world that a run was taught: what its scores are counted from."""
    texts = (
        text
        for part, own in zip(spec.parts, rows, strict=True)
        if part.teaches
        for row in own
        for text in KINDS[part.rows_kind].texts(row)
    )
    return sorted({word for text in texts for word in text.split()})


def _summary(spec: Intermediate, tuned: FineTuned, rows: list[list[Row]]) -> dict[str, float]:
    """What a training comes to, as metrics of its record.

    `rows` are those of the tasks; text beside them is told apart, as `rows.<part>` is of a mix.
    """
    counts = {part.task: len(own) for part, own in zip(spec.parts, rows, strict=True)}
    tasks = [part.task for part in spec.parts if part.share is None] or list(counts)
    metrics = {
        **tuned.history.losses(),
        "rows": float(sum(counts[task] for task in tasks)),
        "steps": float(tuned.history.step),
        "learning_rate": tuned.learning_rate,
    }
    if len(counts) > 1:
        metrics |= {f"rows.{task}": float(count) for task, count in counts.items()}
    if tuned.validation is not None:
        metrics["validation"] = tuned.validation
    return metrics | {f"validation.rate_{rate:g}": v for rate, v in tuned.tried.items()}
