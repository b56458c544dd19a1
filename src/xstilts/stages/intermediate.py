"""Phase ii: train the base model on one intermediate task; only the encoder is kept.

Run by `xstilts intermediate RUN` or `dvc repro`. Writes `models/intermediate/<study>/<run>/`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from xstilts import files, kinds, paths, record, state, tokenizer, training
from xstilts.distributed import Workers
from xstilts.finetuning import Goal, Setup, finetune
from xstilts.kinds import Row
from xstilts.observe import Observe, Record
from xstilts.params import Intermediate, Params, load_machine


def run(params: Params, key: str, observe: Observe) -> Record:
    """Write the encoder of one run.

    Raises:
        UserError: an input is missing or broken, or the loss is no number.
    """
    spec, machine = params.intermediate[key], load_machine()
    base = Path(spec.checkpoint)
    inputs = [Path(spec.rows), base / "model.safetensors", base / "tokenizer.json"]
    inputs += [Path(spec.validation)] if spec.validation else []
    rows = intermediate_rows(spec)
    setup = Setup(tokenizer.load(base), machine, Workers.start(machine), observe)
    place = state.folder("intermediate", spec.model_dump(), inputs, machine)
    goal = Goal(
        spec.kind,
        spec.labels,
        spec.metric,
        spec.language,
        spec.validation,
        spec.training,
        spec.seed,
    )
    net, history = finetune(f"intermediate {key}", base, goal, rows, place, setup)
    metrics = _summary(history, rows)
    done = record.make(params, "intermediate", key, spec, inputs, metrics, history.curves())
    if setup.workers.rank == 0:
        with files.output_folder(paths.intermediate(params.study, key)) as out:
            net.encoder.save_pretrained(out)
            files.write_json(out / "record.json", done)
        shutil.rmtree(place)
    setup.workers.barrier()
    return done


def intermediate_rows(spec: Intermediate) -> list[Row]:
    """The subset; for the negative control with labels that say nothing."""
    rows: list[Row] = files.read_parquet(Path(spec.rows)).to_pylist()
    if spec.method == "shuffled":
        rows = kinds.get(spec.kind).shuffle(rows, np.random.default_rng([spec.seed, 2]))
    return rows


def _summary(history: training.History, rows: list[Row]) -> dict[str, float]:
    """What a training comes to, as metrics of its record."""
    found = {
        "loss": history.loss[-1][1],
        "rows": float(len(rows)),
        "steps": float(history.step),
    }
    if history.validation:
        found["validation"] = max(score for _, score in history.validation)
    return found
