"""Heat map of a target: run group x language."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Patch, Rectangle

from xstilts.report.drawing import DIVERGING, PAPER, SOFT, WIDTH, Figure
from xstilts.report.results import Results, signed
from xstilts.summary import AGGREGATES


def heat_map(results: Results, target: str) -> Figure:
    """Run group x language: the number is the score, the colour the difference to `none`."""
    columns = results.languages(target)
    means = [n for n in AGGREGATES if results.row(target, n, results.groups[0]["group"])]
    groups = [g for g in results.groups if results.row(target, columns[0], g["group"])]
    cells = [results.row(target, c, g["group"]) for c in columns + means for g in groups]
    reach = max((abs(cell["delta"] or 0.0) for cell in cells if cell), default=1.0) or 1.0
    wide, tall = len(columns) + len(means) + 0.25, len(groups)
    width = min(WIDTH, 2.3 + 0.62 * wide)
    height = 0.85 + 0.235 * tall
    canvas = Canvas(figsize=(width, height))
    FigureCanvasAgg(canvas)
    ax = canvas.add_axes((2.0 / width, 0.6 / height, (width - 2.1) / width, 1 - 0.85 / height))
    for y, group in enumerate(groups):
        for x, language in enumerate(columns + means):
            cell = results.row(target, language, group["group"])
            _heat_cell(ax, x + 0.25 * (language in means), y, cell, reach)
    places = [x + 0.5 + 0.25 * (x >= len(columns)) for x in range(len(columns + means))]
    ax.set_xticks(places, [*columns, *means], fontsize=7.5)
    ax.set_yticks([y + 0.5 for y in range(tall)], [g["group"] for g in groups], fontsize=7.5)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlim=(0, wide), ylim=(tall, 0))
    _key(canvas, reach, width, height)
    caption = (
        "Number: score, mean over seeds; colour: difference to “none” in the same"
        f" language, in points. †: a run predicts one class only. {target} is fine-tuned in"
        f" {results.params.targets[target].source_language}."
    )
    return Figure(f"languages-{target}", target, caption, canvas)


def _key(canvas: Canvas, reach: float, width: float, height: float) -> None:
    """What the colours mean, under the tiles."""
    steps = [reach * step for step in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    canvas.legend(
        handles=[
            Patch(fc=_tint(step, reach), ec=SOFT, lw=0.4, label=signed(step) if step else "0")
            for step in steps
        ],
        title="points to “none”",
        title_fontsize=7.5,
        alignment="left",
        loc="lower left",
        ncols=5,
        frameon=False,
        bbox_to_anchor=(1.9 / width, -0.03 / height),
        fontsize=7.5,
    )


def _tint(delta: float, reach: float) -> Any:
    """Colour of a difference."""
    return DIVERGING(Normalize(-reach, reach)(delta))


def _heat_cell(ax: Axes, x: float, y: float, cell: Any, reach: float) -> None:
    """One tile; grey where there is no difference to show, empty where there is no score."""
    if cell is None:
        return
    delta = cell["delta"]
    colour = "#d0d4d9" if delta is None else _tint(delta, reach)
    ax.add_patch(Rectangle((x, y), 1, 1, fc=colour, ec=PAPER, lw=1))
    text = f"{cell['mean']:.1f}" + ("†" if cell["collapsed"] else "")
    ink = "#ffffff" if delta is not None and abs(delta) > 0.62 * reach else "#16191d"
    ax.text(x + 0.5, y + 0.52, text, ha="center", va="center", fontsize=7.5, color=ink)
