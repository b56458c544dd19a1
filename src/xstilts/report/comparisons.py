"""Tables that set a study's scores against published ones, number by number.

`comparison-<protocol>` has what can be compared, `incomparable-<protocol>` what another scorer
or other rows gave. Called by `published`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from xstilts.benchmarks.aggregates import ALL, GROUP, SCORE, TASK
from xstilts.benchmarks.comparison import Compared, Own
from xstilts.benchmarks.signature import SCORERS
from xstilts.report.data import plain, signed
from xstilts.report.table import Entry, Table

MARKS = {"verified": "", "recalled": "?", "derived": "≈"}
MARKS_TEXT = (
    "? is recalled and was not found in a source that could be read; ≈ is derived from other"
    " numbers."
)
CAUTION = "*"
APART = ("system", "of", "published", "what differs", "source")
METRICS = {SCORE: "", "f1": "F1", "exact_match": "exact match", "map": "MAP"}
Column = tuple[str, str]  # level, name


def build(own: Own, compared: Sequence[Compared]) -> list[Table]:
    """The comparison, and where there is something to list apart, a second table of that."""
    made = [_comparison, _apart]
    parts = ([one for one in compared if not one.unlike], [one for one in compared if one.unlike])
    return [make(own, part) for make, part in zip(made, parts, strict=True) if part]


def _comparison(own: Own, compared: Sequence[Compared]) -> Table:
    """A row per entry: each published number, and below it ours with the difference."""
    columns = _columns(own, compared)
    entries: dict[tuple[str, ...], dict[Column, list[Compared]]] = {}
    for one in compared:
        place = (one.system, one.protocol, one.way, one.setting or one.why, one.source)
        entries.setdefault(place, {}).setdefault((one.level, one.name), []).append(one)
    reach = max((abs(one.difference) for one in compared if one.difference is not None), default=0)
    rows = [
        [
            Entry(system + ("" if name == own.protocol.name else f" ({name})"), way, head=True),
            Entry(setting),
            *(_entry(cells.get(column, []), reach or 1.0) for column in columns),
            Entry(source),
        ]
        for (system, name, way, setting, source), cells in entries.items()
    ]
    header = ("published", "our setting", *(name for _, name in columns), "source")
    title = f"{own.protocol.title}: published and ours"
    name = f"comparison-{own.protocol.name}"
    return Table(name, title, _caption(own, compared), header, rows, [*map(asdict, compared)])


def _columns(own: Own, compared: Sequence[Compared]) -> list[Column]:
    """Tasks, groups and the whole that a number is given for, in the protocol's order."""
    protocol = own.protocol
    every = [(TASK, name) for name in protocol.languages]
    every += [(GROUP, name) for name in protocol.groups]
    found = {(one.level, one.name) for one in compared}
    return [column for column in [*every, (ALL, ALL)] if column in found]


def _entry(numbers: Sequence[Compared], reach: float) -> Entry:
    """The protocol's own score, or where only a part of it was published, that by its name."""
    if not numbers:
        return Entry("")
    one = numbers[0]
    points = one.difference_to != ""
    said = [METRICS.get(one.metric, one.metric)]
    if one.ours is not None and one.difference is not None:
        ours = signed(one.ours) if points else f"{one.ours:.1f}"
        spread = "" if one.sd is None else f" ± {one.sd:.1f}"
        said.append(f"ours {ours}{spread} ({signed(one.difference)})")
    elif one.why.startswith("missing"):
        said.append("ours –")
    told = (f"{one.status}: {one.source}", one.caution, one.why)
    return Entry(
        signed(one.published) if points else f"{one.published:.1f}",
        "; ".join(part for part in said if part),
        MARKS[one.status] + (CAUTION if one.caution else ""),
        tint=(one.difference or 0.0) / reach,
        title=". ".join(part for part in told if part),
    )


def _caption(own: Own, compared: Sequence[Compared]) -> str:
    """How to read a cell, its marks, and what is to be known."""
    told = [one for one in compared if one.difference is not None]
    verified = [abs(one.difference or 0.0) for one in told if one.status == "verified"]
    text = (
        f"{len(compared)} published numbers that the same scorer gave on the same rows as ours;"
        f" {len(told)} of them have a counterpart in this study: a setting that is the same"
        " experiment with the same encoder (references.yaml says which). Below the published number"
        " stands ours, its standard deviation over seeds, and in brackets ours minus published, in"
        " points; with a sign in front, numbers are points above the system without intermediate"
        " training, and ours above “none”."
    )
    if verified:
        text += f" The largest difference to a verified number is {plain(max(verified))} points."
    text += f" {MARKS_TEXT}"
    cautions = dict.fromkeys(part for one in compared for part in one.caution.split(" | ") if part)
    return text + (f" {CAUTION} {' '.join(cautions)}" if cautions else "")


def _apart(own: Own, compared: Sequence[Compared]) -> Table:
    """A row per published number that is no comparison, and why."""
    rows = [
        [
            Entry(one.system, one.way, head=True),
            Entry(" ".join(part for part in (one.name, METRICS.get(one.metric, "")) if part)),
            Entry(
                signed(one.published) if one.difference_to else f"{one.published:.1f}",
                f"above {one.difference_to}" if one.difference_to else "",
                MARKS[one.status],
            ),
            Entry(one.unlike),
            Entry(one.source),
        ]
        for one in compared
    ]
    scorers = sorted({word for one in compared for word in SCORERS if f" {word}" in one.unlike})
    caption = (
        "Another scorer, or other rows, gave these numbers: to set them beside ours would compare"
        " two things, so no difference is given."
        + "".join(f" {name}: {SCORERS[name]}." for name in scorers)
        + f" {MARKS_TEXT}"
    )
    title = f"{own.protocol.title}: published, but not comparable with ours"
    name = f"incomparable-{own.protocol.name}"
    return Table(name, title, caption, APART, rows, [*map(asdict, compared)])
