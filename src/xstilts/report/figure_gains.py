"""Gains with their intervals, a row each: of every language, or of every setting.

`language_figure` has a panel for each target and a row for each language, from the source to the
farthest. `setting_figure` has a row for each setting: the key figure of studies without sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from xstilts.report.data import (
    Results,
    Row,
    Series,
    headline_text,
    series_text,
    setting_text,
    signed,
)
from xstilts.report.figure_panels import Figure, Panel
from xstilts.report.figure_size import Look, Looks, look_of, name_of
from xstilts.report.order import SAID
from xstilts.report.style import INK, PALETTE, PAPER, SHAPES, SOFT
from xstilts.report.table import anchor
from xstilts.results.inference import SIGNIFICANT
from xstilts.results.scores import ZERO_SHOT

ROW = 0.17  # inches of a language or setting
AROUND = 0.75  # inches above and below the rows
SMALL, LARGE = 10.0, 34.0  # area of the mark of the fewest and of the most rows, points squared
FEW = 3  # series, of which intervals and all sizes can be told apart in a row
APART = 0.22  # of a row, between two series


@dataclass(frozen=True)
class Dot:
    """One estimate: a row of the summary and how it looks."""

    row: Row
    look: Look
    area: float
    aside: float = 0.0  # of a row
    bar: bool = True
    hollow: bool = False

    def value(self, name: str = "") -> Any:
        """The difference to `none`, or its bound `low` or `high`; without baseline the score's."""
        if self.row["delta"] is None:
            return self.row[name or "mean"]
        return self.row[f"delta_{name}" if name else "delta"]


Lines = Mapping[str, Sequence[Dot]]  # name of a row -> what stands in it


def language_figure(results: Results, series: Sequence[Series]) -> Figure:
    """Gain in every language: larger marks are of more rows; of many series the largest size."""
    # Marks have no dashes: a variant needs a look of its own.
    styles = {one: look_of(number) for number, one in enumerate(series)}
    panels = []
    # Of rising height, as panels of about one height stand side by side.
    for target in sorted(results.targets, key=lambda target: len(_rows(results, target))):
        lines = {
            one: _language_dots(results, target, one, styles) for one in _rows(results, target)
        }
        panels.append(_panel(target, lines, "language"))
    sizes = "larger marks are of more rows" if len(series) <= FEW else "of each line's most rows"
    measure = f"{_measured(results)} in every language, {sizes}"
    caption = f"{measure}. Languages: {SAID}; the source is what the target is fine-tuned in"
    away = any(results.headline(target) == ZERO_SHOT for target in results.targets)
    caption += ", zero-shot the mean over all others." if away else "."
    if len(series) <= FEW:
        caption += f" Bars: {results.confidence} intervals over seeds and examples."
    return Figure("languages", "Gain by language", caption, panels, _keys(styles))


def setting_figure(results: Results) -> Figure:
    """Gain of every setting in the headline, a panel for each target."""
    panels = []
    for target in results.columns:
        rows = {
            group["group"]: results.row(target, results.headline(target), group["group"])
            for group in results.groups
            if group["group"] != "none"
        }
        dots = {setting_text(row): [_setting_dot(row)] for row in rows.values() if row is not None}
        panels.append(_panel(target, dots, "setting"))
    caption = (
        f"{_measured(results)} in the {headline_text(results)}, with {results.confidence} interval"
        " over seeds and examples in these languages; filled where it is told from none after"
        " Holm's correction."
    )
    return Figure("settings", "Gain of every setting", caption, panels)


def _measured(results: Results) -> str:
    baseline = any(group["group"] == "none" for group in results.groups)
    return "Points over no intermediate training" if baseline else "Score"


def _rows(results: Results, target: str) -> list[str]:
    """Languages, then their zero-shot mean."""
    return [*results.languages(target), *[ZERO_SHOT] * (results.headline(target) == ZERO_SHOT)]


def _language_dots(results: Results, target: str, language: str, styles: Looks) -> list[Dot]:
    """Every series in one language."""
    dots = []
    for number, (series, look) in enumerate(styles.items()):
        rows = results.along(target, language, series)
        few = len(styles) <= FEW
        for place, row in enumerate(rows):
            if few or place == len(rows) - 1:
                area = SMALL + (LARGE - SMALL) * (place + 1) / len(rows) if few else LARGE * 0.6
                aside = APART * (number - (len(styles) - 1) / 2) if few else 0.0
                dots.append(Dot(row, look, area, aside, few))
    return dots


def _setting_dot(row: Row) -> Dot:
    up = (row["delta"] or 0.0) >= 0
    told = row["p_holm"] is not None and row["p_holm"] < SIGNIFICANT
    return Dot(row, Look(PALETTE[not up], SHAPES[0]), 18, hollow=not told)


def _panel(target: str, lines: Lines, what: str) -> Panel:
    """One target, with its extremes in words."""
    values = {(name, dot.row["group"]): dot.value() for name, dots in lines.items() for dot in dots}
    told = f"{len(lines)} {what}s."
    if values:
        ends = [(end, *end(values.items(), key=lambda item: item[1])) for end in (max, min)]
        told += " " + "; ".join(
            f"{'highest' if end is max else 'lowest'} {signed(value)} ({place}, {group})"
            for end, (place, group), value in ends
        )
    height = AROUND + ROW * len(lines)
    return Panel(name_of(target), told, partial(_draw, lines=lines), height)


def _draw(ax: Axes, lines: Lines) -> None:
    """One panel: a row for each language or setting."""
    ax.axvline(0, color=SOFT, lw=1.0)
    placed = [(y + dot.aside, dot) for y, dots in enumerate(lines.values()) for dot in dots]
    for look, hollow in dict.fromkeys((dot.look, dot.hollow) for _, dot in placed):
        own = [(y, dot) for y, dot in placed if (dot.look, dot.hollow) == (look, hollow)]
        _draw_dots(ax, own, look, hollow)
    names = list(lines)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_yticks(range(len(names)), names)
    for label in ax.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == ZERO_SHOT else "normal")
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="both")
    measured = any(dot.row["delta"] is not None for dots in lines.values() for dot in dots)
    ax.set_xlabel("points over none" if measured else "score")


def _draw_dots(ax: Axes, placed: Sequence[tuple[float, Dot]], look: Look, hollow: bool) -> None:
    """Marks of one look, their intervals, and the way from each to its runs."""
    for y, dot in placed:
        low, high = dot.value("low"), dot.value("high")
        if dot.bar and low is not None and high is not None:
            ax.hlines([y], low, high, color=look.colour, lw=0.9)
    face, edge = (PAPER, look.colour) if hollow else (look.colour, PAPER)
    points = ax.scatter(
        [dot.value() for _, dot in placed],
        [y for y, _ in placed],
        s=[dot.area for _, dot in placed],
        marker=look.shape, c=face, edgecolors=edge, lw=0.9 if hollow else 0.4, zorder=3,
    )  # fmt: skip
    points.set_urls([f"../index.html#{anchor(dot.row['group'])}" for _, dot in placed])


def _keys(styles: Looks) -> list[Line2D]:
    """What shapes mean."""
    return [
        Line2D([], [], ls="None", marker=look.shape, ms=5.5, color=look.colour, mec=INK, mew=0,
               label=series_text(one))
        for one, look in styles.items()
    ]  # fmt: skip
