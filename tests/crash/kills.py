"""Moments at which a running study is killed: at random, or just while something is being written.

No hook in the product: the moments are seen from outside, in the file system and the log.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from projects import Repro

from xstilts.core.flow import WORDS

POLL = 0.002
GIVE_UP = 90.0  # seconds; a moment that does not come is told as missed


@dataclass(frozen=True)
class Moment:
    """When to kill: in a stage, at a random time after its start or when something is seen.

    Where the study is past that stage already, the stage that comes first takes its place.
    """

    stage: str  # word of the stage
    what: str  # 'at random' or a key of SIGNS
    delay: float = 0.0


@dataclass(frozen=True)
class Kill:
    """What became of a moment."""

    moment: Moment
    stage: str  # stage that ran when the signal was sent; '' where the study ended before it
    seconds: float

    def __str__(self) -> str:
        where = self.stage or "(the study had ended)"
        return f"{self.seconds:6.1f} s  {where:36} {self.moment.what}"


def _half_saved(folder: Path) -> bool:
    """A resumable state whose files are being written: no whole one is marked yet."""
    for state in folder.glob(".state/**/zero"):
        steps = [path.name for path in state.glob("step*")]
        latest = state.parent / "hashes.json"
        if steps and (not latest.exists() or len(steps) > 1):
            return True
    return False


def _half_written(folder: Path) -> bool:
    """An output under its temporary name."""
    tops = [folder / top for top in ("data", "models", "results", "report")]
    found = (path for top in tops for path in top.glob("**/.*.tmp"))
    return next(found, None) is not None or (folder / ".code.tmp").exists()


def _committing(folder: Path) -> bool:
    """DVC moves an output into its cache."""
    return any((folder / ".dvc/cache/files/md5").glob("**/.*")) or any(
        (folder / ".dvc/tmp").glob("*.lock.*")
    )


SIGNS: dict[str, Callable[[Path], bool]] = {
    "while a state is saved": _half_saved,
    "while an output is written": _half_written,
    "while DVC caches": _committing,
}


def _seen(what: str, folder: Path) -> bool:
    """Whether the moment has come."""
    try:
        return what not in SIGNS or SIGNS[what](folder)
    except FileNotFoundError:  # a folder went while it was being looked through
        return False


def strike(folder: Path, moment: Moment, number: int) -> Kill:
    """Run the study until the moment, then send the signal to its whole process group."""
    began = time.monotonic()
    repro = Repro(folder)
    entered = 0.0
    while repro.running() and time.monotonic() - began < GIVE_UP:
        word = repro.stage().partition("@")[0]
        reached = word in WORDS and WORDS.index(word) >= WORDS.index(moment.stage)
        entered = entered or (time.monotonic() if reached else 0.0)
        due = entered and time.monotonic() - entered >= moment.delay
        if due and (_seen(moment.what, folder) or word != moment.stage):
            break
        time.sleep(POLL)
    stage = repro.stage() if repro.running() else ""
    if repro.running():
        repro.signal(number)
    elif repro.process.returncode:
        raise AssertionError(f"`dvc repro` failed by itself: {repro.said()[-3000:]}")
    return Kill(moment, stage, time.monotonic() - began)


def plan(count: int, seed: int, spans: dict[str, float]) -> list[Moment]:
    """Moments over all stages, in the order of the flow; most of them where training is.

    Args:
        spans: seconds that one run of each stage took undisturbed.
    """
    draw = random.Random(seed)
    trained = ("pretrain", "intermediate", "transfer")
    turns = [word for word in spans for _ in range(4 if word in trained else 1)]
    chosen = [turns[i * len(turns) // count] for i in range(count)]
    moments = []
    for index, word in enumerate(chosen):
        kinds = ["at random", "while an output is written"]
        kinds += ["while a state is saved", "at random"] if word in trained else []
        what = kinds[index % len(kinds)]
        span = spans[word] if what == "at random" else 0.0
        moments.append(Moment(word, what, draw.uniform(0.0, span)))
    return moments
