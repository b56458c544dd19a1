"""The key figure: score over the number of intermediate training rows, a panel for each target.

A line for each task and language. English, other languages and machine-translated data have figures
of their own where a study has several of them, since a curve of translated rows says nothing of
rows that people wrote. A line whose training is unlike the study's own is dashed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from xstilts.report.data import Results, Row, Series, headline_text, series_text, size_text
from xstilts.report.figure_panels import Figure, Panel
from xstilts.report.style import INK, PALETTE, PAPER, SHAPES, SOFT
from xstilts.report.table import anchor
from xstilts.results.scores import ALL

ENGLISH, OTHER, MACHINE = "english", "other", "translated"
SORTS = {
    ENGLISH: "English data",
    OTHER: "Data in other languages",
    MACHINE: "Machine-translated data",
}
DASHES = ((4, 1.6), (1.2, 1.4), (5, 1.5, 1, 1.5), (2.5, 1.2))  # of variants, in their order
COUNTED = (0, (4, 2.5))  # dashes of what must come out
FEW = 2  # lines, up to which intervals are bands; those of more would hide each other
GAP, LETTER = 0.025, 0.03  # of the x axis: between the words of two ticks, and a letter of them
MANY = 4  # targets
ASIDE = 0.02  # of a tenfold, between the bars of two lines at one size
REACH = 2  # widths of a panel's typical interval, to which one is followed from its mean
AWAY = "over the languages that the target was not fine-tuned in (zero-shot)"
OVER = {  # what the headline is taken over
    "zero-shot mean": AWAY,
    "mean": "in the only language of the target, its source",
    "score": f"{AWAY}, or in its source where that is its only language",
}
Looks = Mapping[Series, "Look"]


@dataclass(frozen=True)
class Look:
    """How a series is drawn: colour and shape are its task's, dashes its variant's."""

    colour: str
    shape: str
    dashes: Any = "-"


def size_figures(results: Results, series: Sequence[Series]) -> Iterator[Figure]:
    """A figure for each sort of data."""
    sorts = {sort: [s for s in series if _sort(results, s) == sort] for sort in SORTS}
    sorts = {sort: own for sort, own in sorts.items() if own}
    for sort, own in sorts.items():
        styles = looks(own)
        panels = [_panel(results, target, styles) for target in _places(results)]
        alone = len(sorts) == 1
        name, title = ("size", "Score by size") if alone else (f"size-{sort}", SORTS[sort])
        yield Figure(name, title, _caption(results), panels, keys(results, styles))


def _places(results: Results) -> list[str]:
    """Targets; of many their mean first, as nobody keeps a dozen panels in mind."""
    many = len(results.targets) > MANY and ALL in results.columns
    return [ALL, *results.targets] if many else results.targets


def _sort(results: Results, series: Series) -> str:
    """Which data a line is of: curves of different sorts are not compared in one panel."""
    _, task, language, _ = series
    if results.machine(task):
        return MACHINE
    return ENGLISH if language == "en" else OTHER


def looks(series: Sequence[Series]) -> Looks:
    """A look for each series; variants of one training share its colour."""
    plain = list(dict.fromkeys(one[:3] for one in series))
    variants = sorted({one[3] for one in series if one[3]})
    found = {}
    for one in series:
        dashes = (0, DASHES[variants.index(one[3]) % len(DASHES)]) if one[3] else "-"
        found[one] = look_of(plain.index(one[:3]), dashes)
    return found


def look_of(number: int, dashes: Any = "-") -> Look:
    """The look of the so-manieth line; colours and shapes go on in another order after eight."""
    shape = SHAPES[(number + number // len(PALETTE)) % len(SHAPES)]
    return Look(PALETTE[number % len(PALETTE)], shape, dashes)


def name_of(target: str) -> str:
    """As titles have it."""
    return "mean of targets" if target == ALL else target


def _cells(results: Results, target: str, series: Series) -> list[Row]:
    """Headline rows of a series, by rising size."""
    return results.along(target, results.headline(target), series)


def _panel(results: Results, target: str, styles: Looks) -> Panel:
    """One target, with its numbers in words."""
    told = [
        f"after {series_text(one)}: "
        + ", ".join(f"{row['mean']:.1f} at {size_text(row['size'])}" for row in rows)
        for one in styles
        if (rows := _cells(results, target, one))
    ]
    none = results.baseline(target, results.headline(target))
    if none is not None:
        told = [f"without intermediate training: {none['mean']:.1f}", *told]
    draw = partial(_draw, results=results, target=target, styles=styles)
    what = headline_text(results, target).capitalize()
    return Panel(name_of(target), f"{what} " + "; ".join(told) + ".", draw)


def _draw(ax: Axes, results: Results, target: str, styles: Looks) -> None:
    """Every series of a target, its baseline and its control."""
    sizes = sorted({row["size"] for one in styles for row in _cells(results, target, one)})
    none = results.baseline(target, results.headline(target))
    if none is not None:
        ax.axhline(none["mean"], color=SOFT, lw=1.2)
    for number, (one, look) in enumerate(styles.items()):
        aside = ASIDE * (number - (len(styles) - 1) / 2) if len(styles) > FEW else 0.0
        _line(ax, _cells(results, target, one), look, aside, len(styles) <= FEW)
    for one in styles:
        for row in _cells(results, target, ("shuffled", *one[1:])):
            x = [math.log10(row["size"])]
            _bars(ax, x, [row], INK)
            _marks(ax, x, [row], "X", INK, PAPER, 34)
    _axes(ax, results, target, sizes, ASIDE * len(styles) / 2)


def _line(ax: Axes, rows: Sequence[Row], look: Look, aside: float, band: bool) -> None:
    """One series: intervals as a band or bars, what must come out as dashes, points to click on."""
    x = [math.log10(row["size"]) + aside for row in rows]
    ends = [end for row in rows if (end := _interval(row)) is not None]
    if band and len(x) > 1 and len(ends) == len(x):
        low, high = zip(*ends, strict=True)
        ax.fill_between(x, low, high, color=look.colour, alpha=0.18, lw=0)
    else:
        _bars(ax, x, rows, look.colour)
    known = [(place, row["expected"]) for place, row in zip(x, rows, strict=True)]
    known = [(place, value) for place, value in known if value is not None]
    if known:
        wide = [known[0][0] - 0.06, known[0][0] + 0.06], [known[0][1]] * 2
        ax.plot(*(zip(*known, strict=True) if len(known) > 1 else wide), color=INK, lw=1.1,
                ls=COUNTED if len(known) > 1 else "-", zorder=4)  # fmt: skip
    ax.plot(x, [row["mean"] for row in rows], color=look.colour, lw=1.5, ls=look.dashes)
    _marks(ax, x, rows, look.shape, look.colour, PAPER, 22)


def _bars(ax: Axes, x: Sequence[float], rows: Sequence[Row], colour: str) -> None:
    """Intervals, where there are any."""
    for place, row in zip(x, rows, strict=True):
        if (end := _interval(row)) is not None:
            ax.vlines([place], *end, color=colour, lw=0.8, alpha=0.8)


def _interval(row: Row) -> tuple[float, float] | None:
    """That of the difference to `none`, laid at the score: known far better than either score.

    An interval that does not reach the line of `none` differs from it. It is the score's own where
    there is no baseline, or where the question is whether the score is the one that was counted.
    """
    low, high = row["low"], row["high"]
    if row["delta"] is not None and row["expected"] is None:
        base = row["mean"] - row["delta"]
        low, high = (
            None if end is None else base + end for end in (row["delta_low"], row["delta_high"])
        )
    return None if low is None or high is None else (low, high)


def _marks(
    ax: Axes, x: Sequence[float], rows: Sequence[Row], shape: str, face: str, edge: str, area: float
) -> None:
    """Points, each of which leads to the runs that made it."""
    y = [row["mean"] for row in rows]
    points = ax.scatter(x, y, s=area, marker=shape, c=face, edgecolors=edge, lw=0.5, zorder=5)
    points.set_urls([f"../index.html#{anchor(row['group'])}" for row in rows])


def _axes(ax: Axes, results: Results, target: str, sizes: Sequence[int], aside: float) -> None:
    """Ticks at the study's sizes; the y range of a target is the same in all figures."""
    left, right = math.log10(sizes[0]), math.log10(sizes[-1])
    ticks: list[int] = []
    for size in reversed(sizes):
        words = GAP + LETTER * max(len(size_text(one)) for one in (size, *ticks[-1:]))
        if not ticks or math.log10(ticks[-1] / size) > words * (right - left):
            ticks.append(size)
    ax.set_xticks([math.log10(tick) for tick in ticks], [size_text(tick) for tick in ticks])
    ax.set_xticks([math.log10(size) for size in sizes if size not in ticks], minor=True)
    margin = max(0.12, 0.06 * (right - left)) + aside
    ax.set_xlim(left - margin, right + margin)
    rows = _headlines(results, target)
    shown = [row[name] for row in rows for name in ("mean", "expected") if row[name] is not None]
    shown += [end for _, *ends in _followed(results, target) for end in ends]
    margin = max(0.5, 0.05 * (max(shown) - min(shown)))
    ax.set_ylim(min(shown) - margin, max(shown) + margin)
    ax.grid(axis="y")
    ax.set_ylabel(rows[0]["metric"] if target != ALL else "score")
    ax.set_xlabel("rows of intermediate training")


def _headlines(results: Results, target: str) -> list[Row]:
    """The rows that panels of a target show."""
    headline = results.headline(target)
    return [r for r in results.summary if (r["target"], r["language"]) == (target, headline)]


def _followed(results: Results, target: str) -> list[tuple[bool, float, float]]:
    """The ends of each interval that a panel has room for, after whether it goes on beyond them.

    Two seeds that differ much have an interval of a hundred points; with it in full, all else in
    the panel would be one level line.
    """
    rows = [row for row in _headlines(results, target) if row["method"] != "none"]
    ends = [(row["mean"], *end) for row in rows if (end := _interval(row))]
    reach = REACH * median(high - low for _, low, high in ends) if ends else 0.0
    return [
        (max(mean - low, high - mean) > reach, max(low, mean - reach), min(high, mean + reach))
        for mean, low, high in ends
    ]


def keys(results: Results, styles: Looks) -> list[Line2D]:
    """What lines and marks mean."""
    groups = {group["method"] for group in results.groups}
    found = []
    for one, look in styles.items():
        shape: dict[str, Any] = {"marker": look.shape, "ms": 5, "mew": 0}
        line = Line2D([], [], color=look.colour, lw=1.5, ls=look.dashes, **shape)
        line.set_label(series_text(one))
        found.append(line)
    if "none" in groups:
        found.append(Line2D([], [], color=SOFT, lw=1.2, label="no intermediate training"))
    if "shuffled" in groups:
        cross: dict[str, Any] = {"marker": "X", "ms": 6.5, "mfc": INK, "mec": PAPER, "mew": 0.5}
        found.append(Line2D([], [], ls="None", label="shuffled labels (control)", **cross))
    if any(map(results.counted, results.targets)):
        label = "what must come out, by counting"
        found.append(Line2D([], [], color=INK, lw=1.1, ls=COUNTED, label=label))
    return found


def _caption(results: Results) -> str:
    """How to read the panels."""
    text = (
        f"Mean score {OVER[headline_text(results)]}, over seeds, by the number of intermediate"
        " training rows (log axis)."
    )
    followed = (one for target in _places(results) for one in _followed(results, target))
    cut = " One that ends at the edge of its panel goes on." if any(c for c, *_ in followed) else ""
    intervals = f"{results.confidence} intervals over seeds and examples, in these languages"
    none = any(group["method"] == "none" for group in results.groups)
    if not none or any(map(results.counted, results.targets)):
        return f"{text} Bands and bars: {intervals}.{cut}"
    return (
        f"{text} Bands and bars: {intervals}, of the difference to no intermediate training (the"
        " level line), which is known better than a score, as all runs answer the same"
        f" examples.{cut}"
    )
