"""`xstilts verify [REF] [--study NAME]`: is the study that was run here the one that was committed?

exact             every output in dvc.lock has the same bytes                     exit code 0
same conclusions  every target's mean lies within the joint interval of the two,
                  no effect has turned, and no claim that one has reproduced is
                  not reproduced by the other                                     exit code 0
different         not so, or the studies have not the same runs                   exit code 1

With `--study`, another study of REF is the reference, such as the same one with other seeds: what
both conclude is compared, and no bytes. What only one of the two tells from chance is counted, and
contradicts nothing (compare.py). The first line says it all. A mistake of the person (no
such revision, a study that is not finished) has exit code 2.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from xstilts.commands.graph import status
from xstilts.commands.verify import finished
from xstilts.commands.verify.compare import (
    Cause,
    Conclusions,
    Stages,
    Verdict,
    changed,
    compare_conclusions,
    compare_scores,
    compare_stages,
    judge,
)
from xstilts.core import design, flow, paths
from xstilts.core.errors import UserError

CACHE = "not in cache"
SHOWN = 10  # lines of a table
WIDTH = 100  # columns of a log
COLOUR = {"exact": "bold green", "same conclusions": "bold green", "different": "bold red"}


def show_verdict(reference: str) -> None:
    """Print how the finished study of this workspace compares with a reference.

    Args:
        reference: a git revision, or a folder with a finished study.

    Raises:
        UserError: the study is not finished here, or the reference does not hold it.
        SystemExit: 1, where the two are different.
    """
    study = design.in_use().study
    here = finished.folder(Path(), "this workspace")
    place = finished.find(reference)
    mine = finished.stages(here, study)
    theirs = finished.stages(place, study)
    stale = check_finished(study, mine)
    found = compare_stages(mine, theirs)
    concluded = None if found.exact else _conclusions(here, place, study, study)
    verdict = judge(found, concluded)
    console = _console()
    said = escape(_said(verdict, found, concluded, place.label))
    console.print(f"{study}: [{COLOUR[verdict]}]{verdict}[/]{said}")
    if stale:
        console.print(
            f"note: code or data changed since {_few(stale)} ran; the last run is compared"
        )
    if verdict != "exact":
        _show_stages(console, found)
        _show_conclusions(console, concluded, place)
        _show_scores(console, here, place, study)
    _show_environment(console, here, place, study)
    if verdict == "different":
        sys.exit(1)


def show_second_look(reference: str, other: str) -> None:
    """Print whether another study concludes the same, as far as both have settings and claims.

    Nothing has to be at hand but what is in git.

    Args:
        reference: a git revision, or a folder, where the other study is.
        other: its name.

    Raises:
        UserError: one of the two concludes nothing.
        SystemExit: 1, where they are different.
    """
    study = design.in_use().study
    here, place = finished.folder(Path(), "this workspace"), finished.find(reference)
    concluded = _conclusions(here, place, study, other)
    if concluded is None:
        missing = f"{study} here" if finished.conclusions(here, study) is None else other
        raise UserError(
            f"there are no conclusions of {missing} ({paths.metrics_file(other).name} and its like "
            f"in {paths.metrics_file(other).parent}). Mend: finish it with `dvc repro`, and commit"
        )
    both = replace(concluded, unlike=[])
    if not both.moved:
        raise UserError(f"{study} and {other} share no setting. Mend: name a study that has some")
    verdict: Verdict = "same conclusions" if both.same else "different"
    console = _console()
    label = f"{other} of {place.label}"
    said = escape(_told(verdict, both, label))
    console.print(f"{study}: [{COLOUR[verdict]}]{verdict}[/]{said}")
    _show_conclusions(console, concluded, place)
    if verdict == "different":
        sys.exit(1)


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDTH)


def _conclusions(
    here: finished.Place, place: finished.Place, study: str, other: str
) -> Conclusions | None:
    """How what was concluded compares; None where one side tells nothing."""
    sides = ((here, study), (place, other))
    mine, theirs = (finished.conclusions(*side) for side in sides)
    answers = (finished.answers(*side) for side in sides)
    return compare_conclusions(mine, theirs, *answers) if mine and theirs else None


def _said(verdict: Verdict, found: Stages, concluded: Conclusions | None, label: str) -> str:
    """The rest of the first line."""
    if verdict == "exact":
        return f": all {len(found.equal)} stages have the bytes of {label}"
    if found.only_here or found.only_there:
        return f" from {label}: not the same runs"
    if concluded is None:
        return f" from {label}: other bytes, and it tells no conclusions to compare"
    return _told(verdict, concluded, label)


def _told(verdict: Verdict, concluded: Conclusions, label: str) -> str:
    """What was concluded alike, or otherwise."""
    name, here, there, _ = concluded.moved[0]
    largest = f"largest move {abs(here - there):.2f} points ({'/'.join(name)})"
    if verdict == "same conclusions":
        means = f"all {len(concluded.moved)} means within the joint interval"
        once = (len(concluded.told_once), len(concluded.decided_once))
        alike = (concluded.effects - once[0], concluded.claims - once[1])
        agreed = f"{_effects_and_claims(*alike)} alike"
        agreed += f", {_effects_and_claims(*once)} told in one only" * any(once)
        return f" as {label}: {means}, {largest}; {agreed}"
    reasons = (
        ("mean", "outside of the joint interval", concluded.beyond),
        ("effect", "turned", concluded.turned),
        ("claim", "contradicted", concluded.contradicted),
        ("setting", "in one of them only", concluded.unlike),
    )
    told = [f"{_count(len(names), word)} {how}" for word, how, names in reasons if names]
    return f" from {label}: {'; '.join(told)}; {largest}"


def _effects_and_claims(effects: int, claims: int) -> str:
    return f"{_count(effects, 'effect')} and {_count(claims, 'claim')}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")


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


def _few(names: list[str]) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _show_stages(console: Console, found: Stages) -> None:
    """How many stages of each word are equal; where the studies part."""
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


def _show_conclusions(
    console: Console, concluded: Conclusions | None, place: finished.Place
) -> None:
    """The means that moved most, what they may move, and the effects that turned."""
    if concluded is None:
        console.print(f"conclusions: none of {place.label} are at hand", markup=False)
        return
    beyond = len(concluded.beyond)
    console.print(f"means: {len(concluded.moved)} compared, {beyond} outside of the joint interval")
    untested = f", {len(concluded.untested)} tested in one only" * bool(concluded.untested)
    console.print(
        f"effects: {concluded.effects} compared, {len(concluded.turned)} turned, "
        f"{len(concluded.told_once)} told in one only{untested}"
    )
    if concluded.claims:
        console.print(
            f"claims: {concluded.claims} compared, {len(concluded.contradicted)} contradicted, "
            f"{len(concluded.decided_once)} told in one only"
        )
    for claim, said, read in [*concluded.contradicted, *concluded.decided_once]:
        console.print(f"  claim: {claim}: {said} here, {read} there", markup=False)
    for what, names in (
        ("effect turned", concluded.turned),
        ("effect told in one only", concluded.told_once),
        ("on one side only", concluded.unlike),
    ):
        if names:
            listed = _few(["/".join(name) for name in names])
            console.print(f"  {what}: {listed}", markup=False)
    table = Table("target", "setting", box=None, padding=(0, 1))
    for head in ("here", "there", "difference", "allowed"):
        table.add_column(head, justify="right")
    for name, mine, other, most in concluded.moved[:SHOWN]:
        style = "red" if abs(mine - other) > most else ""
        numbers = f"{mine:.2f}", f"{other:.2f}", f"{mine - other:+.2f}", f"{most:.2f}"
        table.add_row(*name, *numbers, style=style)
    console.print(table)


def _show_scores(console: Console, here: finished.Place, place: finished.Place, study: str) -> None:
    """The largest differences of single scores, where the rows of both are at hand."""
    mine, theirs = (finished.scores(one, study) for one in (here, place))
    if not mine or not theirs:
        console.print(f"score rows of {place.label} are not there", markup=False)
        return
    scores = compare_scores(mine, theirs)
    console.print(f"score rows: {scores.compared} compared, {len(scores.changed)} differ")
    if scores.unlike:
        unlike = _few(["/".join(name) for name in scores.unlike])
        console.print(f"  on one side only, or of other examples: {unlike}", markup=False)
    if not scores.changed:
        return
    table = Table("run", "target", "language", "metric", box=None, padding=(0, 1))
    for name in ("here", "there", "difference"):
        table.add_column(name, justify="right")
    for names, one, other in scores.changed[:SHOWN]:
        table.add_row(*names, f"{one:.4f}", f"{other:.4f}", f"{one - other:+.2g}")
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
