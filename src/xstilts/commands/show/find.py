"""Which run a person means: `none-s1`, `demo/none-s1`, `subsample@demo/mnli-en-s1`, `pretrain`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path

from xstilts.commands import graph
from xstilts.core import design, flow, paths
from xstilts.core.errors import UserError
from xstilts.core.params import Params
from xstilts.study import dvc_files

FIRST = ("transfer", *(word for word in flow.WORDS if word != "transfer"))  # of equal keys
KEYED = tuple(word for word in FIRST if word not in flow.SINGLE)
SHOWN = 3  # names that a message offers
Run = tuple[Params, str, str]  # the study, the stage, its key


def find(words: Sequence[str]) -> Run:
    """The run that a name stands for.

    A key alone is a transfer run's, or else that of the first stage in the flow that has it.

    Raises:
        UserError: no run has the name; the study is not compiled.
    """
    stage, study, key = split(" ".join(words))
    loaded = design.load(study)
    known = list(runs(loaded))
    if stage in flow.SINGLE:
        key = key or loaded.study
    for word in [stage] if stage else KEYED:
        if (word, key) in known:
            return loaded, word, key
    raise UserError(_unknown(loaded, stage, key, known))


def split(name: str) -> tuple[str | None, str | None, str]:
    """(stage, study, key) of a name; None and "" where it does not say.

    `transfer@demo/none-s1` and `transfer demo/none-s1` name all three.
    """
    head, _, rest = name.strip().replace(" ", "@", 1).partition("@")
    if head not in flow.WORDS:
        head, rest = "", name.strip()
    study, _, key = rest.rpartition("/")
    if head in flow.SINGLE:  # their key is the study's name
        return head, key or None, key
    return head or None, study or None, key


def runs(loaded: Params) -> Iterator[tuple[str, str]]:
    """(stage, key) of every run of a study, transfer runs first."""
    for word in FIRST:
        yield from ((word, key) for key in graph.keys(loaded, word))


def _unknown(loaded: Params, stage: str | None, key: str, known: Sequence[tuple[str, str]]) -> str:
    """What there is instead, in one line."""
    names = {one: word for word, one in reversed(known) if stage in (None, word)}
    near = difflib.get_close_matches(key, names, n=SHOWN, cutoff=0.5) or list(names)[-SHOWN:]
    shown = [one if names[one] == "transfer" else f"{names[one]}@{one}" for one in near]
    what = f"{stage} run" if stage else "run"
    listed = f"the nearest are {', '.join(shown)}; " if shown else ""
    return (
        f"the study {loaded.study} has no {what} {key!r}. Mend: {listed}"
        "`xstilts show` without a name lists all"
    )


def folder(run: Run) -> Path:
    """The folder of a finished run.

    Raises:
        UserError: it is not made; the command that makes it is named.
    """
    loaded, word, key = run
    path = paths.output(loaded, word, key)
    if (path / "record.json").is_file():
        return path
    name = graph.stage_name(loaded.study, word, key)
    used = design.in_use().study
    first = f"`xstilts study use {loaded.study}`, then " if loaded.study != used else ""
    address = dvc_files.address(loaded, word, key)
    raise UserError(
        f"{name} is not made yet ({path} has no record.json). Mend: {first}`dvc repro {address}`,"
        " or `dvc pull` it where somebody has made it"
    )
