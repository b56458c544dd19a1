"""Run one stage, as the CLI and so `dvc repro` do: alone, tracked, timed, in so many processes."""

from __future__ import annotations

import gc
import importlib
import time
from pathlib import Path
from typing import Any

from xstilts import machine as machines
from xstilts import params, paths, provenance, stages, tracking
from xstilts.errors import UserError, disk
from xstilts.launch import is_worker, rank, relaunch, share_of
from xstilts.lock import held
from xstilts.machine import Machine
from xstilts.observe import Observe
from xstilts.params import Params
from xstilts.report import runs_page


def run_stage(word: str, key: str | None = None) -> None:
    """Run a stage of the compiled study.

    Raises:
        UserError: no such key, what the stage itself refuses, a full disk, or it is being run.
    """
    loaded, machine = params.load(), machines.load_machine()
    arguments = [word] if key is None else [word, key]
    key = loaded.study if key is None else key
    spec = _spec(loaded, word, key)
    if word in stages.TRAINED:
        _check_share(loaded, word, key, machine.processes)
    if is_worker():  # whoever started it holds the lock
        _run(loaded, machine, word, key, spec)
        return
    with held(output(loaded, word, key), " ".join(arguments)) as lock:
        if word in stages.TRAINED:
            relaunch(machine, arguments, lock)
        _run(loaded, machine, word, key, spec)


def _run(loaded: Params, machine: Machine, word: str, key: str, spec: dict[str, Any]) -> None:
    """Run a stage in this process, and record how."""
    first, folder = rank() == 0, output(loaded, word, key)
    stage = importlib.import_module(f"xstilts.stages.{word}")
    began, clock = time.time(), time.monotonic()
    with (
        tracking.track(word, key, loaded.study, spec, enabled=first) as tracker,
        disk(folder),
    ):
        gc.enable()  # off since the start, for the imports
        record = stage.run(loaded, key, Observe(tracker.log, quiet=not first))
        if first:
            run_id = tracker.finish(record, folder)
            seconds = time.monotonic() - clock
            hardware = machine.model_dump()
            provenance.write(loaded.study, word, key, began, seconds, run_id, hardware)
            runs_page.write(loaded.study)


def _check_share(loaded: Params, word: str, key: str, processes: int) -> None:
    """Refuse, before any worker starts, a global batch that the processes cannot share."""
    if word == "transfer":
        budgets = [loaded.targets[name].training for name in loaded.transfer[key].targets]
    else:
        spec = loaded.pretrain if word == "pretrain" else loaded.intermediate[key]
        budgets = [spec.training]
    for budget in budgets:
        if budget is not None:
            share_of(budget, processes)


def _spec(loaded: Params, word: str, key: str) -> dict[str, Any]:
    """The params of one run of a stage."""
    section = getattr(loaded, word)
    if word in stages.SINGLE:
        return dict(section.model_dump())
    if key not in section:
        known = ", ".join(sorted(section)) or "none in this study"
        raise UserError(f"params.yaml: {word} has no key {key!r}. Mend: use one of {known}")
    return dict(section[key].model_dump())


def output(loaded: Params, word: str, key: str) -> Path:
    """The output folder of a stage."""
    study = loaded.study
    by_word = {
        "fetch": lambda: Path("data/fetch") / key,
        "prepare": lambda: Path(loaded.prepare[key].out),
        "check": lambda: paths.check_record(study),
        "subsample": lambda: paths.subsampled(study, key),
        "pretrain": lambda: paths.pretrained(study),
        "intermediate": lambda: paths.intermediate(study, key),
        "transfer": lambda: paths.transferred(study, key),
        "aggregate": lambda: paths.aggregated(study),
        "report": lambda: paths.REPORT,
    }
    return by_word[word]()
