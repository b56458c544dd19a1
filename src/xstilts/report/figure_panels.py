"""Scaling figures of large studies: all intermediate tasks of a kind in one panel.

The gain in the zero-shot mean over the number of rows (the mean itself where a study has no
baseline), a line per task and language: English, other languages and machine-translated data in
panels of their own, since a curve of translated rows says nothing of rows that people wrote. A line
whose training is unlike the study's own is dashed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from xstilts.report.data import Results, Row, Series, size_text
from xstilts.report.figure_lines import spread
from xstilts.report.style import GRID, INK, LETTER, PALETTE, PAPER, SOFT, WIDTH, Figure
from xstilts.results.scores import ALL, ZERO_SHOT, unusual

HEIGHT = 2.5  # inches of a panel and what stands above and below it
ASIDE = 0.012  # of a tenfold, between the bars of two lines
DASHES = ((4, 1.6), (1.2, 1.4), (5, 1.5, 1, 1.5), (2.5, 1.2))  # of variants, in their order
Place = tuple[str, str]  # title of a panel, its target


def curves(results: Results, series: Sequence[Series]) -> Iterator[Figure]:
    """The mean over targets, then every target; one grid of panels where all data are of a kind."""
    sorts: dict[str, list[Series]] = {}
    for one in series:
        sorts.setdefault(_sort(results, one), []).append(one)
    targets = [ALL] * (ALL in results.columns) + results.targets
    order = [name for name in SORTS if name in sorts]
    if len(order) == 1:
        panels = [(target, order[0]) for target in targets]
        lines = [panels[start : start + 3] for start in range(0, len(panels), 3)]
        yield _figure(results, "scaling", lines, sorts, "target")
        return
    for target in targets:
        name = "scaling" if target == ALL else f"scaling-{target}"
        yield _figure(results, name, [[(target, sort) for sort in order]], sorts, "sort")


ENGLISH, OTHER, MACHINE = "English", "other languages", "machine-translated"
SORTS = (ENGLISH, OTHER, MACHINE)


def _sort(results: Results, series: Series) -> str:
    """Which data a line is of: curves of different kinds are not compared in one panel."""
    _, task, language, _ = series
    if results.machine(task):
        return MACHINE
    return ENGLISH if language == "en" else OTHER


def _figure(
    results: Results,
    name: str,
    lines: Sequence[Sequence[Place]],
    sorts: Mapping[str, Sequence[Series]],
    titled: str,
) -> Figure:
    """Rows of panels, each with room at its right for the names of its lines."""
    widest = max(lines, key=len)
    gaps = [0.5 + LETTER * _longest(sorts[sort]) for _, sort in widest]
    width = (WIDTH - 0.5 - sum(gaps)) / len(widest) if len(widest) > 1 else 3.4
    top, bottom = 0.32, 0.45
    height = top + len(lines) * HEIGHT + 0.1
    wide = WIDTH if len(widest) > 1 else 0.5 + width + sum(gaps)
    canvas = Canvas(figsize=(wide, height))
    FigureCanvasAgg(canvas)
    for row, places in enumerate(lines):
        left = 0.5
        for (target, sort), gap in zip(places, gaps, strict=False):
            base = height - top - (row + 1) * HEIGHT + bottom
            box = (left / wide, base / height, width / wide, (HEIGHT - bottom - 0.3) / height)
            ax = canvas.add_axes(box)
            _panel(ax, results, target, sorts[sort], 2.1 * LETTER / (HEIGHT - bottom - 0.3))
            title = target_name(target) if titled == "target" else sort
            ax.set_title(title, loc="left", fontsize=9, fontweight="bold")
            if not left > 0.5:
                ax.set_ylabel("points to none" if _baseline(results) else "score", labelpad=2)
            if row == len(lines) - 1:
                ax.set_xlabel("rows of intermediate training")
            left += width + gap
    variants = sorted({one[3] for own in sorts.values() for one in own if one[3]})
    canvas.legend(
        handles=_legend(results, variants), loc="upper left", ncols=5, frameon=False,
        bbox_to_anchor=(0.0, 1.0), handlelength=2.6, columnspacing=1.4,
    )  # fmt: skip
    if titled == "target":
        return Figure(name, "All targets", _caption(results), canvas)
    target = lines[0][0][0]
    first = target == (results.columns if ALL in results.columns else results.targets)[-1]
    caption = _caption(results) if first else "As above."
    return Figure(name, target_name(target), caption, canvas)


def target_name(target: str) -> str:
    """As titles have it."""
    return "mean of targets" if target == ALL else target


def _caption(results: Results) -> str:
    what = "Zero-shot mean minus that without intermediate training, in points,"
    return (
        f"{what if _baseline(results) else 'Zero-shot mean'} over the number of intermediate"
        " training rows (log axis), a line per task and language, mean over seeds; bars are"
        f" {results.confidence} intervals over examples and seeds, paired with the"
        " baseline where there is one. Data that were machine-translated have a panel of their own."
    )


def _baseline(results: Results) -> bool:
    """Whether there is something to gain over."""
    return any(group["method"] == "none" for group in results.groups)


def _values(row: Row) -> tuple[float, float, float]:
    """Estimate and interval of what is drawn: the difference to the baseline, or the score."""
    names = (
        ("mean", "low", "high") if row["delta"] is None else ("delta", "delta_low", "delta_high")
    )
    middle, low, high = (float(row[name]) for name in names)
    return middle, low, high


def _longest(series: Sequence[Series]) -> int:
    return max(len(_line_name(one)) for one in series)


def _line_name(series: Series) -> str:
    """Short, for the end of a line; its panel says whether it is English."""
    method, task, language, _ = series
    where = "" if language == "en" else f" {language}"
    return f"{task}{where}" + (f", {method}" if unusual(method, task) else "")


def _panel(ax: Axes, results: Results, target: str, series: Sequence[Series], gap: float) -> None:
    """One target: a line per series, the baseline and the control."""
    language = ZERO_SHOT if target == ALL else results.headline(target)
    if _baseline(results):
        ax.axhline(0, color=INK, lw=1.1, dashes=(4, 2.5))
    names = list(dict.fromkeys(_line_name(one) for one in series))
    colours = dict(zip(names, cycle(PALETTE), strict=False))
    variants = sorted({one[3] for one in series if one[3]})
    ends: dict[str, tuple[float, float]] = {}
    for number, one in enumerate(sorted(series, key=lambda one: bool(one[3]))):
        rows = results.along(target, language, one)
        if not rows:
            continue
        dashes = DASHES[variants.index(one[3]) % len(DASHES)] if one[3] else None
        points = [_values(row) for row in rows]
        # Side by side, since the bars of all lines stand at the same few sizes.
        x = [math.log10(r["size"]) + ASIDE * (number - (len(series) - 1) / 2) for r in rows]
        _line(ax, x, points, colours[_line_name(one)], dashes)
        ends.setdefault(_line_name(one), (x[-1], points[-1][0]))
        for row in results.along(target, language, ("shuffled", *one[1:])):
            place, value = math.log10(row["size"]), _values(row)[0]
            ax.plot([place], [value], "X", ms=6, mfc=INK, mec=PAPER, mew=0.7, zorder=5)
    _axis(ax, results, target, series)
    _names(ax, ends, colours, gap)


def _line(
    ax: Axes,
    x: Sequence[float],
    points: Sequence[tuple[float, float, float]],
    colour: str,
    dashes: tuple[float, ...] | None,
) -> None:
    """Estimates tied by a line, each with its interval."""
    middle, low, high = zip(*points, strict=True)
    ax.vlines(x, low, high, color=colour, lw=0.7, alpha=0.7)
    style: dict[str, Any] = {} if dashes is None else {"dashes": dashes}
    ax.plot(x, middle, color=colour, lw=1.4, marker="o", ms=3.2, mew=0, **style)


def _axis(ax: Axes, results: Results, target: str, series: Sequence[Series]) -> None:
    """Ticks at powers of ten within the panel's sizes; one y range for a target's panels."""
    sizes = sorted({size for one in series for size in results.sizes(one)})
    low, high = math.log10(sizes[0]), math.log10(sizes[-1])
    ticks = [10**power for power in range(math.ceil(low), math.floor(high) + 1)]
    ticks = ticks if len(ticks) > 1 else list(dict.fromkeys((sizes[0], sizes[-1])))
    ax.set_xticks([math.log10(tick) for tick in ticks], [size_text(tick) for tick in ticks])
    ax.set_xlim(low - 0.12, max(high, low + 0.3) + 0.06)
    language = ZERO_SHOT if target == ALL else results.headline(target)
    rows = [
        _values(row)
        for row in results.summary
        if (row["target"], row["language"]) == (target, language) and row["size"]
    ]
    bottom, top = min(low for _, low, _ in rows), max(high for _, _, high in rows)
    margin = max(0.5, 0.05 * (top - bottom))
    ax.set_ylim(bottom - margin, top + margin)
    ax.grid(axis="y", color=GRID, lw=0.6)
    ax.set_axisbelow(True)


def _names(
    ax: Axes,
    ends: Mapping[str, tuple[float, float]],
    colours: Mapping[str, str],
    gap: float,
) -> None:
    """Names of the lines at the right, pushed apart, each tied to its line's end."""
    bottom, top = ax.get_ylim()
    left, right = ax.get_xlim()
    wanted = sorted(ends, key=lambda name: (ends[name][1], name))
    places = spread([ends[name][1] for name in wanted], gap * (top - bottom), bottom, top)
    reach = 0.06 * (right - left)
    for name, place in zip(wanted, places, strict=True):
        x, y = ends[name]
        style: dict[str, Any] = {"color": colours[name], "lw": 0.5, "clip_on": False}
        ax.plot([x, right + 0.35 * reach, right + 0.9 * reach], [y, place, place], **style)
        ax.text(right + reach, place, name, color=colours[name], va="center", fontsize=7.5)


def _legend(results: Results, variants: Sequence[str]) -> list[Line2D]:
    keys = []
    if _baseline(results):
        label = "without intermediate training"
        keys.append(Line2D([], [], color=INK, lw=1.1, dashes=(4, 2.5), label=label))
    if any(group["method"] == "shuffled" for group in results.groups):
        mark: dict[str, Any] = {"ls": "", "marker": "X", "ms": 7.0, "mfc": INK, "mec": PAPER}
        keys.append(Line2D([], [], label="shuffled labels (control)", **mark))
    if variants:
        keys.append(Line2D([], [], color=SOFT, lw=1.4, label="as the study trains"))
    for number, variant in enumerate(variants):
        dashes = DASHES[number % len(DASHES)]
        keys.append(Line2D([], [], color=SOFT, lw=1.4, dashes=dashes, label=variant))
    return keys
