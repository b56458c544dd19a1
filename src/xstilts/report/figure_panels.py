"""Small multiples: the one way in which figures are laid out, for the page and as files.

A figure is a list of panels and a key. On the page each panel is an SVG of its own, so that they
flow: one beside the other on a desk, one below the other on a phone. As files (SVG, PDF, PNG, for a
paper) they are one drawing; matplotlib's constrained layout finds the places of everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from xstilts.core.files import write_bytes
from xstilts.report.style import STYLE, inline, written

WIDTH, HEIGHT = 3.2, 2.4  # inches of a panel
COLUMNS = 3  # of a file: the width of a page
SUFFIXES = ("svg", "pdf", "png")


@dataclass(frozen=True)
class Panel:
    """One drawing of the same kind as its neighbours."""

    title: str
    told: str  # what it shows, in words and numbers
    draw: Callable[[Axes], None]
    height: float = HEIGHT


@dataclass(frozen=True)
class Figure:
    """Panels, their key, and what the page prints under them."""

    name: str  # file name without suffix
    title: str
    caption: str
    panels: Sequence[Panel]
    keys: Sequence[Line2D] = ()


def save(figure: Figure, folder: Path) -> None:
    """Write `<name>.svg`, `.pdf` and `.png`: all panels and the key in one drawing."""
    canvas = composed(figure)
    canvas.draw_without_rendering()
    canvas.set_layout_engine("none")  # the places are found: not again for every format
    for suffix in SUFFIXES:
        write_bytes(folder / f"{figure.name}.{suffix}", written(canvas, suffix))


def composed(figure: Figure) -> Canvas:
    """All panels in rows of three, the key above them."""
    count = len(figure.panels)
    columns = min(COLUMNS, count)
    starts = range(0, count, columns)
    heights = [max(p.height for p in figure.panels[s : s + columns]) for s in starts]
    with matplotlib.rc_context(STYLE):
        # A figure of one panel is made wider than it, for its key.
        size = (WIDTH * max(columns, 2), sum(heights) + 0.2 * (1 + len(figure.keys) // 3))
        room = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.06)  # inches around a panel
        canvas = Canvas(figsize=size, layout=room)
        axes = canvas.subplots(len(heights), columns, squeeze=False, height_ratios=heights).ravel()
        for ax, panel in zip(axes, figure.panels, strict=False):
            panel.draw(ax)
            ax.set_title(panel.title)
        for ax in axes[count:]:
            ax.set_axis_off()
        if figure.keys:
            columns = min(3, len(figure.keys))
            canvas.legend(
                handles=figure.keys, loc="outside upper left", ncols=columns, frameon=False
            )
    return canvas


def page_panels(figure: Figure) -> Iterator[str]:
    """An inline SVG for each panel."""
    for number, panel in enumerate(figure.panels):
        with matplotlib.rc_context(STYLE):
            canvas = Canvas(figsize=(WIDTH, panel.height), layout="constrained")
            ax = canvas.subplots()
            panel.draw(ax)
            ax.set_title(panel.title)
        name = f"{figure.name}-{number}"
        svg = written(canvas, "svg").decode()
        yield inline(svg, name, f"{figure.title}: {panel.title}", panel.told)


def page_keys(figure: Figure) -> Iterator[tuple[str, str]]:
    """The key as (inline SVG of the mark, words)."""
    for number, key in enumerate(figure.keys):
        with matplotlib.rc_context(STYLE):
            canvas = Canvas(figsize=(0.42, 0.16))
            canvas.patch.set_alpha(0)
            x = (0.1, 0.5, 0.9) if key.get_linestyle() != "None" else (0.5,)
            mark = Line2D(x, [0.5] * len(x), markevery=[len(x) // 2], transform=canvas.transFigure)
            mark.update_from(key)
            mark.set_transform(canvas.transFigure)
            canvas.add_artist(mark)
        svg = written(canvas, "svg").decode()
        yield inline(svg, f"{figure.name}-key-{number}"), str(key.get_label())
