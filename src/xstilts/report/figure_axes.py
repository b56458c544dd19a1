"""Figures of studies that vary the fine-tuning: scores over the learning rate, weights of layers.

`rate_figure` and `layer_figure` draw the points of rates.py and layers.py, a panel for each target
and series or setting; the source language and all others have a line each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from xstilts.report import layers, rates
from xstilts.report.data import Results, Row
from xstilts.report.figure_panels import Figure, Panel
from xstilts.report.style import GRID, PALETTE, PAPER, SHAPES

SIDES = {"source": "source language", "others": "other languages"}
LOOKS = dict(zip(SIDES, zip(PALETTE, SHAPES, strict=False), strict=False))
Points = Sequence[tuple[float, float]]


def build(results: Results) -> Iterator[Figure]:
    """The figures that the study has points for."""
    if rows := rates.points(results):
        yield rate_figure(results, rows)
    if weights := layers.points(results):
        yield layer_figure(results, weights)


def rate_figure(results: Results, rows: Sequence[Row]) -> Figure:
    """Scores over the learning rate: whether the best in the source language is best for all."""
    panels = []
    for target, series in dict.fromkeys((row["target"], row["series"]) for row in rows):
        own = [row for row in rows if (row["target"], row["series"]) == (target, series)]
        told = "; ".join(
            f"{row['rate']:g}: "
            + ", ".join(f"{SIDES[side]} {row[side]:.1f}" for side in SIDES if row[side] is not None)
            for row in own
        )
        title = target if series == "none" else f"{target}, {series}"
        metric = next(one["metric"] for one in results.summary if one["target"] == target)
        panels.append(Panel(title, told, partial(_rates, own, metric)))
    caption = (
        "Score over the learning rate (log axis), in the source language of a target and as mean"
        f" over its other languages; bands: {results.confidence} intervals in these languages."
    )
    return Figure("rates", "Score by learning rate", caption, panels, _keys())


def _rates(rows: Sequence[Row], metric: str, ax: Axes) -> None:
    for side in SIDES:
        own = [row for row in rows if row[side] is not None]
        _line(ax, side, [(row["rate"], row[side]) for row in own])
        ax.fill_between(
            [row["rate"] for row in own],
            [row[f"{side}_low"] for row in own],
            [row[f"{side}_high"] for row in own],
            color=LOOKS[side][0],
            alpha=0.15,
            lw=0,
        )
    ax.set_xscale("log")
    ax.set_xticks([row["rate"] for row in rows], [f"{row['rate']:g}" for row in rows])
    ax.minorticks_off()
    ax.set_xlabel("learning rate")
    ax.set_ylabel(metric)
    ax.grid(axis="y", color=GRID)


def layer_figure(results: Results, rows: Sequence[Row]) -> Figure:
    """What each layer counts for, where a head attends to all."""
    panels = []
    for target, setting in dict.fromkeys((row["target"], row["group"]) for row in rows):
        own = [row for row in rows if (row["target"], row["group"]) == (target, setting)]
        source = results.params.targets[target].source_language
        lines = {"source": _weights(own, {source}), "others": _weights(own, None, source)}
        told = "; ".join(
            f"{SIDES[side]}: " + ", ".join(f"layer {x:g} {y:.1f}%" for x, y in points)
            for side, points in lines.items()
            if points
        )
        panels.append(Panel(f"{target}, {setting}", told, partial(_layers, lines)))
    caption = (
        "Weight of the states after each layer in percent, mean over seeds and the first 256 rows"
        " of a language."
    )
    return Figure("layers", "What each layer counts for", caption, panels, _keys())


def _weights(rows: Sequence[Row], only: set[str] | None, without: str = "") -> Points:
    """Mean percent of each layer over some languages."""
    found: dict[int, list[float]] = {}
    for row in rows:
        if row["language"] in only if only else row["language"] != without:
            found.setdefault(row["layer"], []).append(100 * row["weight"])
    return [(layer, fmean(values)) for layer, values in sorted(found.items())]


def _layers(lines: dict[str, Points], ax: Axes) -> None:
    for side, points in lines.items():
        _line(ax, side, points)
    ax.set_ylim(bottom=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("layer")
    ax.set_ylabel("weight, %")
    ax.grid(axis="y", color=GRID)


def _line(ax: Axes, side: str, points: Points) -> None:
    colour, shape = LOOKS[side]
    x, y = [one for one, _ in points], [one for _, one in points]
    ax.plot(x, y, color=colour, marker=shape, ms=4, mec=PAPER, mew=0.5, lw=1.4)


def _keys() -> list[Line2D]:
    return [
        Line2D([], [], color=colour, marker=shape, ms=4, lw=1.4, label=SIDES[side])
        for side, (colour, shape) in LOOKS.items()
    ]
