"""`xstilts verify [REF]`: is the study that was run here the one that was committed?

exact             every output in dvc.lock has the same bytes               exit code 0
within tolerance  not so, but no score differs by more than `--tolerance`   exit code 0
diverged          some score does, or the studies have not the same runs    exit code 1

A mistake of the person (no such revision, a study that is not finished) has exit code 2.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from xstilts.commands.graph import status
from xstilts.commands.verify import finished
from xstilts.commands.verify.compare import (
    Cause,
    Differences,
    Stages,
    changed,
    compare_scores,
    compare_stages,
    judge,
)
from xstilts.core import design, flow
from xstilts.core.errors import UserError

CACHE = "not in cache"
SHOWN = 10  # lines of a table
WIDTH = 100  # columns of a log
COLOUR = {"exact": "bold green", "within tolerance": "bold green", "diverged": "bold red"}


def show_verdict(reference: str, tolerance: float) -> None:
    """Print how the finished study of this workspace compares with a reference.

    Args:
        reference: a git revision, or a folder with a finished study.
        tolerance: largest difference of a score that still counts as the same, in points (0-100).

    Raises:
        UserError: the study is not finished here, or the reference does not hold it.
        SystemExit: 1, where the two diverged.
    """
    if tolerance < 0:
        raise UserError(f"--tolerance {tolerance} is negative. Mend: give points, e.g. 0.5")
    study = design.in_use().study
    here = finished.folder(Path(), "this workspace")
    place = finished.find(reference)
    mine = finished.stages(here, study)
    theirs = finished.stages(place, study)
    stale = check_finished(study, mine)
    found = compare_stages(mine, theirs)
    scores, source = (None, "") if found.exact else _scores(here, place, study)
    verdict = judge(found, scores, tolerance)
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDTH)
    console.print(f"study {study}: {here.label} against {place.label}", markup=False)
    console.print(f"verdict: [{COLOUR[verdict]}]{verdict}[/]")
    _show_stages(console, found)
    if stale:
        console.print(
            f"note: code or data changed since {_few(stale)} ran; the last run is compared"
        )
    if scores:
        _show_scores(console, scores, tolerance, source)
    elif not found.exact:
        console.print(f"scores: none of {place.label} are at hand (not in DVC's cache or remote)")
    _show_environment(console, here, place, study)
    if verdict == "diverged":
        sys.exit(1)


def check_finished(study: str, locked: dict[str, Any]) -> list[str]:
    """See that the outputs in dvc.lock are here, as they were made.

    Returns:
        Stages whose inputs have changed since.

    Raises:
        UserError: outputs are missing or changed, or DVC cannot tell.
    """
    lost: dict[str, str] = {}
    stale = []
    for name, changes in status().items():
        outs = [change.get("changed outs", {}) for change in changes if isinstance(change, dict)]
        words = {path: word for found in outs for path, word in found.items()}
        # DVC says so too of an output that is here; only its copy in the cache is gone.
        words = {path: w for path, w in words.items() if w != CACHE or not Path(path).exists()}
        lost |= {path: "missing" if w == CACHE else w for path, w in words.items()}
        if not words and name in locked:
            stale.append(name)
    if lost:
        total = sum(len(stage.outs) for stage in locked.values())
        first = _few([f"{path} is {word}" for path, word in lost.items()])
        raise UserError(
            f"the study {study} is not finished here: {len(lost)} of {total} outputs are not as "
            f"dvc.lock says ({first}). Mend: `dvc repro` to run what is missing, or `dvc pull` to "
            "get what was pushed"
        )
    return stale


def _scores(
    here: finished.Place, place: finished.Place, study: str
) -> tuple[Differences | None, str]:
    """Differences of score rows, or where these are not at hand of the committed means."""
    for read, source in (
        (finished.scores, "score rows"),
        (finished.metrics, "committed means"),
    ):
        mine, theirs = read(here, study), read(place, study)
        if mine and theirs:
            return compare_scores(mine, theirs), source
    return None, ""


def _few(names: list[str]) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _show_stages(console: Console, found: Stages) -> None:
    """How many stages of each word are equal; where the studies part."""
    outs = len(found.equal)
    if found.exact:
        console.print(f"all {outs} stages have outputs of equal bytes")
        return
    table = Table("stage", "equal", "differ", "only here", "only there", box=None, padding=(0, 2))
    lists = (found.equal, found.differing, found.only_here, found.only_there)
    for word in flow.WORDS:
        counts = [sum(name.partition("@")[0] == word for name in names) for names in lists]
        if any(counts):
            table.add_row(word, *(str(count or "") for count in counts))
    console.print(table)
    if found.cause:
        _show_cause(console, found.cause)


def _show_cause(console: Console, cause: Cause) -> None:
    """The first stage that parts, and what of it differs."""
    if cause.inputs:
        console.print(f"first difference: {cause.stage}, whose inputs differ", markup=False)
    else:
        console.print(
            f"first difference: {cause.stage}: equal params and data, another output", markup=False
        )
    rows = [("input", text) for text in cause.inputs] + [("output", text) for text in cause.outs]
    rows += [("code", text) for text in cause.code]
    for kind in ("input", "code", "output"):
        of_kind = [text for name, text in rows if name == kind]
        for text in of_kind[:SHOWN]:
            console.print(f"  {kind:<7} {text}", markup=False)
        if len(of_kind) > SHOWN:
            console.print(f"  {kind:<7} ... and {len(of_kind) - SHOWN} more")
    if not cause.inputs and not cause.code:
        console.print("  code    equal: so the machine, a version or a setting decides; see below")


def _show_scores(console: Console, scores: Differences, tolerance: float, source: str) -> None:
    """The largest differences."""
    beyond = scores.beyond(tolerance)
    console.print(
        f"{source}: {scores.compared} compared, {len(scores.changed)} differ, "
        f"{beyond} by more than {tolerance:g} points"
    )
    if scores.unlike:
        unlike = _few(["/".join(name) for name in scores.unlike])
        console.print(f"  on one side only, or of other examples: {unlike}", markup=False)
    if not scores.changed:
        return
    heads = ("run", "target", "language", "metric") if source == "score rows" else ("mean",)
    table = Table(*heads, box=None, padding=(0, 1))
    for name in ("here", "there", "difference"):
        table.add_column(name, justify="right")
    for names, mine, other in scores.changed[:SHOWN]:
        delta = mine - other
        style = "red" if abs(delta) > tolerance else ""
        table.add_row(*names, f"{mine:.4f}", f"{other:.4f}", f"{delta:+.2g}", style=style)
    console.print(table)


def _show_environment(
    console: Console, here: finished.Place, place: finished.Place, study: str
) -> None:
    """Hardware, versions and settings that differ: what people ask next."""
    mine, other = finished.environment(here, study), finished.environment(place, study)
    if not mine or not other:
        missing = here.label if not mine else place.label
        console.print(f"hardware and versions: no provenance of {missing}", markup=False)
        return
    names = changed(mine, other)
    if not names:
        console.print(f"hardware and versions: equal in all {len(mine)} fields")
        return
    console.print(f"hardware and versions: {len(names)} of {len({*mine, *other})} fields differ")
    table = Table("field", "here", "there", box=None, padding=(0, 1))
    for name in names:
        table.add_row(name, mine.get(name, "-"), other.get(name, "-"))
    console.print(table)
