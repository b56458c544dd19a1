"""All settings of a study at once: scores by language, and the gain of each.

`heat_map` has a row a setting and a column a language of one target; `gains` has a row a setting
and a panel a target, for studies without sizes to draw a line over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Patch, Rectangle

from xstilts.report.data import Results, Row, series_of, series_text, signed, size_text
from xstilts.report.figure_panels import target_name
from xstilts.report.style import DIVERGING, GRID, INK, LETTER, PALETTE, PAPER, SOFT, WIDTH, Figure
from xstilts.results.scores import AGGREGATES, ALL, ZERO_SHOT

ROW = 0.235  # inches of a setting
HEAD = 0.32  # between two blocks of languages
NARROW = 0.42  # of the narrowest column
GAIN_ROW = 0.17  # inches of a setting
GAIN_NARROW = 1.2  # of the narrowest panel


def heat_map(results: Results, target: str) -> Figure:
    """Run group x language: the number is the score, the colour the difference to `none`.

    More languages than fit side by side go below, the settings named anew.
    """
    languages = results.languages(target)
    means = [n for n in AGGREGATES if results.row(target, n, results.groups[0]["group"])]
    groups = [g for g in results.groups if results.row(target, languages[0], g["group"])]
    cells = [results.row(target, c, g["group"]) for c in languages + means for g in groups]
    reach = max((abs(cell["delta"] or 0.0) for cell in cells if cell), default=1.0) or 1.0
    names = max(2.0, 0.2 + LETTER * max(len(group["group"]) for group in groups))
    blocks = _blocks(languages, means, names)
    widest = max(_width(block, means) for block in blocks)
    width = min(WIDTH, names + 0.3 + 0.62 * widest)
    tall = ROW * len(groups)
    height = 0.85 + tall + (len(blocks) - 1) * (tall + HEAD)
    canvas = Canvas(figsize=(width, height))
    FigureCanvasAgg(canvas)
    for number, block in enumerate(blocks):
        base = height - 0.25 - tall - number * (tall + HEAD)
        wide = (width - names - 0.1) * _width(block, means) / widest
        ax = canvas.add_axes((names / width, base / height, wide / width, tall / height))
        _block(ax, results, target, block, means, groups, reach)
    _key(canvas, reach, width, height, names)
    caption = (
        "Number: score, mean over seeds; colour: difference to “none” in the same"
        f" language, in points. †: a run predicts one class only. {target} is fine-tuned in"
        f" {results.params.targets[target].source_language}."
    )
    return Figure(f"languages-{target}", target, caption, canvas)


def _blocks(languages: list[str], means: list[str], names: float) -> list[list[str]]:
    """Languages and means in as few rows of columns as are legible, of nearly equal length."""
    columns = [*languages, *means]
    fit = max(4, int((WIDTH - names - 0.1) / NARROW))
    count = -(-len(columns) // fit)
    length = -(-len(columns) // count)
    return [columns[start : start + length] for start in range(0, len(columns), length)]


def _width(block: list[str], means: list[str]) -> float:
    """In columns; means stand a little apart."""
    return len(block) + 0.25 * any(name in means for name in block)


def _block(
    ax: Axes,
    results: Results,
    target: str,
    block: list[str],
    means: list[str],
    groups: list[Row],
    reach: float,
) -> None:
    """Some columns for all settings."""
    for y, group in enumerate(groups):
        for x, language in enumerate(block):
            cell = results.row(target, language, group["group"])
            _heat_cell(ax, x + 0.25 * (language in means), y, cell, reach)
    places = [x + 0.5 + 0.25 * (name in means) for x, name in enumerate(block)]
    ax.set_xticks(places, block, fontsize=7.5)
    ax.set_yticks([y + 0.5 for y in range(len(groups))], [g["group"] for g in groups], fontsize=7.5)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlim=(0, _width(block, means)), ylim=(len(groups), 0))


def _key(canvas: Canvas, reach: float, width: float, height: float, names: float) -> None:
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
        bbox_to_anchor=((names - 0.1) / width, -0.03 / height),
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


def gains(results: Results) -> Figure:
    """Difference to `none` with its interval: a row per setting, a panel per target."""
    groups = [group for group in results.groups if group["method"] != "none"]
    names = [_setting_name(group) for group in groups]
    left = 0.3 + LETTER * max(len(name) for name in names)
    places = [ALL] * (ALL in results.columns) + results.targets
    fit = max(1, int((WIDTH - left) / GAIN_NARROW))
    columns = -(-len(places) // -(-len(places) // fit))
    lines = [places[start : start + columns] for start in range(0, len(places), columns)]
    tall = GAIN_ROW * len(groups)
    height = len(lines) * (tall + 0.75) + 0.1
    canvas = Canvas(figsize=(WIDTH, height))
    FigureCanvasAgg(canvas)
    width = (WIDTH - left - 0.1) / columns
    for line, targets in enumerate(lines):
        base = height - (line + 1) * (tall + 0.75) + 0.4
        for column, target in enumerate(targets):
            place = ((left + column * width) / WIDTH, base / height)
            ax = canvas.add_axes((*place, (width - 0.3) / WIDTH, tall / height))
            _gain_panel(ax, results, target, groups, names if column == 0 else None)
    caption = (
        "Zero-shot mean minus that without intermediate training, in points, with its"
        f" {results.confidence} interval; filled where p < 0.05 after Holm's correction"
        " (“best for each target” is not tested)."
    )
    return Figure("scaling-gains", "Gain of every setting", caption, canvas)


def _setting_name(group: Row) -> str:
    if group["method"] == "best":
        return "best for each target"
    return f"{series_text(series_of(group))} {size_text(group['size'])}"


def _gain_panel(
    ax: Axes, results: Results, target: str, groups: Sequence[Row], names: Sequence[str] | None
) -> None:
    """One target of the gains."""
    ax.axvline(0, color=INK, lw=0.8)
    language = ZERO_SHOT if target == ALL else results.headline(target)
    for y, group in enumerate(groups):
        row = results.row(target, language, group["group"])
        if row is None or row["delta"] is None:
            continue
        colour = PALETTE[0] if row["delta"] > 0 else PALETTE[1]
        sure = row["p_holm"] is not None and row["p_holm"] < 0.05
        ax.hlines([y], row["delta_low"], row["delta_high"], color=colour, lw=1)
        face = colour if sure else PAPER
        ax.plot([row["delta"]], [y], "o", ms=3.6, mfc=face, mec=colour, mew=0.9)
    ax.set_ylim(len(groups) - 0.5, -0.5)
    ax.set_yticks(range(len(groups)), names or [""] * len(groups), fontsize=7.5)
    ax.tick_params(axis="y", length=0)
    ax.locator_params(axis="x", nbins=4, prune="both")
    ax.grid(axis="both", color=GRID, lw=0.5)
    ax.set_axisbelow(True)
    ax.set_title(target_name(target), loc="left", fontsize=8, fontweight="bold")
