"""The headline figure: score over the number of intermediate training rows, small multiples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from xstilts.report.data import Results, Row, Series, series_text, size_text
from xstilts.report.style import GRID, INK, PALETTE, PAPER, SOFT, WIDTH, Figure
from xstilts.results.scores import ZERO_SHOT

FAINT = "#8b949e"  # one of many languages
PANEL_HEIGHT = 2.65  # inches
TITLE = 34  # letters of 9 points that fit above a panel


def scaling_figure(results: Results, series: Sequence[Series]) -> Figure:
    """Small multiples, target x intermediate task, of a small study."""
    title = "Zero-shot transfer by intermediate size"
    return _scaling(results, "scaling", title, results.targets, series)


def line_figures(results: Results, series: Sequence[Series]) -> Iterator[Figure]:
    """The same of a large study: a figure per target, a panel per series."""
    for target in results.targets:
        yield _scaling(results, f"lines-{target}", f"{target}, by language", [target], series)


def _scaling(
    results: Results, name: str, title: str, targets: Sequence[str], series: Sequence[Series]
) -> Figure:
    """One figure of panels; the panels of a target share their y axis."""
    panels = [(target, one) for target in targets for one in series]
    columns = len(series) if 1 < len(series) <= 3 else min(3, len(panels))
    lines = math.ceil(len(panels) / columns)
    height = lines * PANEL_HEIGHT + 0.45
    canvas = Canvas(figsize=(WIDTH if columns > 1 else 6.4, height))
    FigureCanvasAgg(canvas)
    axes = canvas.subplots(lines, columns, squeeze=False).ravel()
    for ax, (target, one) in zip(axes, panels, strict=False):
        draw_scaling(ax, results, target, one)
        head = series_text(one) + (", translated" if results.machine(one[1]) else "")
        head = head if name.startswith("lines") else f"{target}  ←  {head}"
        small = 9 if len(head) <= TITLE else 9 * TITLE / len(head)
        ax.set_title(head, loc="left", fontsize=small, fontweight="bold")
    for index, ax in enumerate(axes[: len(panels)]):
        if index % columns and panels[index][0] == panels[index - 1][0]:
            ax.set_ylabel("")  # as at the left, and there would be a name in its way
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    for ax in axes[max(0, len(panels) - columns) : len(panels)]:
        ax.set_xlabel("rows of intermediate training")
    canvas.legend(
        handles=_legend(results),
        loc="upper left",
        ncols=5,
        frameon=False,
        bbox_to_anchor=(0.0, 1.0),
        handlelength=2.2,
        columnspacing=1.6,
    )
    canvas.subplots_adjust(
        left=0.055,
        right=0.9,
        top=1 - 0.62 / height,
        bottom=0.48 / height,
        wspace=0.66 if columns > 2 else 0.42,  # room for the names of the lines
        hspace=0.42,
    )
    caption = _caption(results, targets)
    return Figure(name, title, caption, canvas)


def _caption(results: Results, targets: Sequence[str]) -> str:
    """How to read the panels."""
    text = (
        "Score over the number of intermediate training rows (log axis), one line per language,"
        f" mean over seeds; bands and bars are {results.confidence} intervals over"
        " examples and seeds. Open circles at the left: no intermediate training. Thick line:"
        " mean of the languages the target was not fine-tuned in; the level grey line is the same"
        " mean with no intermediate training."
    )
    if any(map(results.counted, targets)):
        text += (
            " Dashed: the score that follows from the nouns that were taught, by counting alone."
        )
    if any(len(results.languages(target)) > len(PALETTE) for target in targets):
        text += (
            " Of many languages, in grey and without bands, the source and the best, middle and"
            " worst at the largest size are named."
        )
    return text


def draw_scaling(ax: Axes, results: Results, target: str, series: Series) -> None:
    """One panel: every language, the zero-shot mean, the baseline and the control."""
    languages = results.languages(target)
    headline = results.headline(target)
    main = results.along(target, headline, series)
    sizes = [row["size"] for row in main]
    first, last = math.log10(sizes[0]), math.log10(sizes[-1])
    start = first - max(0.25, 0.22 * (last - first))
    for row in (results.baseline(target, headline),):
        if row is not None:
            ax.axhspan(row["low"], row["high"], color=SOFT, alpha=0.16, lw=0)
            ax.axhline(row["mean"], color=SOFT, lw=1.0)
    ax.axhline(results.params.targets[target].chance, color=SOFT, lw=0.7, ls=":")
    few = len(languages) <= len(PALETTE)
    ends = []
    for index, language in enumerate(languages):
        colour = PALETTE[index] if few else FAINT
        rows = results.along(target, language, series)
        if few:
            _start(ax, results.baseline(target, language), rows[0], start, colour)
        _line(ax, rows, colour, 1.1 if few else 0.7, few)
        _expected(ax, rows, colour, 0.9)
        source = " (source)" if language == results.params.targets[target].source_language else ""
        ends.append((rows[-1]["mean"], language + source, colour))
    if headline == ZERO_SHOT:
        _start(ax, results.baseline(target, headline), main[0], start, INK)
        _line(ax, main, INK, 2.0, not few)
        _expected(ax, main, INK, 1.2)
    _control(ax, results, target, headline, series)
    _axis(ax, results, target, series, sizes, start)
    ends = ends if few else _outer(ends)
    _end_labels(ax, last, [*ends, (main[-1]["mean"], "zero-shot", INK)])


def _line(ax: Axes, rows: Sequence[Row], colour: str, width: float, band: bool) -> None:
    """One line; its intervals as a band, or as a bar where it is a single point."""
    x = [math.log10(row["size"]) for row in rows]
    low, high = [row["low"] for row in rows], [row["high"] for row in rows]
    if band and len(x) > 1:
        ax.fill_between(x, low, high, color=colour, alpha=0.13, lw=0)
    elif band:
        ax.vlines(x, low, high, color=colour, lw=0.8)
    mean = [row["mean"] for row in rows]
    ax.plot(x, mean, color=colour, lw=width, marker="o", ms=1.6 + 1.2 * width, mew=0)


def _expected(ax: Axes, rows: Sequence[Row], colour: str, width: float) -> None:
    """The scores that follow by construction, where they do: dashes, or a bar for a single one."""
    rows = [row for row in rows if row["expected"] is not None]
    x, y = [math.log10(row["size"]) for row in rows], [row["expected"] for row in rows]
    if len(rows) > 1:
        ax.plot(x, y, color=colour, lw=width, dashes=(4, 2.5), zorder=3)
    else:
        ax.plot(x, y, "_", color=colour, ms=11, mew=width, zorder=3)


def _start(ax: Axes, none: Row | None, first: Row, start: float, colour: str) -> None:
    """A line's baseline: an open circle in the slot at the left, tied to the line's first point."""
    if none is None:
        return
    x = [start, math.log10(first["size"])]
    ax.plot(x, [none["mean"], first["mean"]], color=colour, lw=0.7, dashes=(1, 2), alpha=0.8)
    ax.vlines([start], none["low"], none["high"], color=colour, lw=0.8)
    ax.plot([start], [none["mean"]], "o", ms=3.4, mfc=PAPER, mec=colour, mew=0.9)


def _control(ax: Axes, results: Results, target: str, headline: str, series: Series) -> None:
    """The shuffled-label control of the same task and language, as crosses."""
    for row in results.along(target, headline, ("shuffled", *series[1:])):
        x = math.log10(row["size"])
        ax.vlines([x], row["low"], row["high"], color=INK, lw=0.9, zorder=4)
        ax.plot([x], [row["mean"]], "X", ms=6.5, mfc=INK, mec=PAPER, mew=0.7, zorder=5)


def _axis(
    ax: Axes, results: Results, target: str, series: Series, sizes: Sequence[int], start: float
) -> None:
    """Ticks at the sizes of the study, one y range for all panels of a target."""
    ticks = [start, *(math.log10(size) for size in sizes)]
    ax.set_xticks(ticks, ["none", *(size_text(size) for size in sizes)])
    ax.set_xlim(start - 0.12, ticks[-1] + 0.06)
    rows = [row for row in results.summary if row["target"] == target]
    low, high = min(row["low"] for row in rows), max(row["high"] for row in rows)
    low = min(low, results.params.targets[target].chance)
    margin = max(1.0, 0.05 * (high - low))
    ax.set_ylim(low - margin, high + margin)
    ax.grid(axis="y", color=GRID, lw=0.6)
    ax.set_axisbelow(True)
    metric = next(row["metric"] for row in rows)
    ax.set_ylabel(metric, labelpad=2)


def _outer(ends: list[tuple[float, str, str]]) -> list[tuple[float, str, str]]:
    """Of many languages: the best, the middle and the worst, and the source."""
    ordered = sorted(ends)
    chosen = {ordered[0], ordered[len(ordered) // 2], ordered[-1]}
    return [end for end in ends if end in chosen or "(source)" in end[1]]


def _end_labels(ax: Axes, x: float, ends: Sequence[tuple[float, str, str]]) -> None:
    """Names at the ends of the lines, pushed apart, each tied to its line."""
    bottom, top = ax.get_ylim()
    wanted = sorted(ends, key=lambda end: (end[0], end[1]))
    places = spread([end[0] for end in wanted], 0.062 * (top - bottom), bottom, top)
    right = ax.get_xlim()[1]
    reach = 0.05 * (right - ax.get_xlim()[0])
    for (value, name, colour), place in zip(wanted, places, strict=True):
        ax.plot(
            [x, right + 0.35 * reach, right + 0.9 * reach],
            [value, place, place],
            color=colour,
            lw=0.5,
            clip_on=False,
        )
        weight = "bold" if colour == INK else "normal"
        ax.text(
            right + reach, place, name, color=colour, va="center", fontsize=7.5, fontweight=weight
        )


def spread(values: Sequence[float], gap: float, bottom: float, top: float) -> list[float]:
    """Places nearest to sorted values that are `gap` apart and inside the axis.

    Least squares: isotonic regression (pool adjacent violators) of value - gap * index.
    """
    gap = min(gap, (top - bottom) / max(len(values), 1))
    pools: list[tuple[float, int]] = []  # (sum, count)
    for index, value in enumerate(values):
        pools.append((value - gap * index, 1))
        while len(pools) > 1 and pools[-1][0] * pools[-2][1] < pools[-2][0] * pools[-1][1]:
            (right, n), (left, m) = pools.pop(), pools.pop()
            pools.append((left + right, m + n))
    flat = [total / count for total, count in pools for _ in range(count)]
    inside = [
        min(max(place, bottom + gap / 2), top - gap / 2 - gap * (len(flat) - 1)) for place in flat
    ]
    return [place + gap * index for index, place in enumerate(inside)]


def _legend(results: Results) -> list[Line2D]:
    """Keys of what is no language: the means, the control and guessing."""
    line = Line2D([], [], color=INK, lw=2, marker="o", ms=4, mew=0, label="zero-shot mean")
    keys = [line]
    groups = {group["method"] for group in results.groups}
    if "none" in groups:
        label = "same without intermediate training"
        keys.append(Line2D([], [], color=SOFT, lw=1.0, label=label))
        keys.append(_mark("o", PAPER, SOFT, 3.8, "one language without it"))
    if "shuffled" in groups:
        keys.append(_mark("X", INK, PAPER, 7.0, "shuffled labels (control)"))
    if any(map(results.counted, results.targets)):
        label = "what must come out, counted"
        keys.append(Line2D([], [], color=INK, lw=1.2, dashes=(4, 2.5), label=label))
    return [*keys, Line2D([], [], color=SOFT, lw=0.8, ls=":", label="guessing")]


def _mark(shape: str, face: str, edge: str, size: float, label: str) -> Line2D:
    """A key that is a marker without a line."""
    return Line2D([], [], ls="", marker=shape, ms=size, mfc=face, mec=edge, label=label)
