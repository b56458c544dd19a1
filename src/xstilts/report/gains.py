"""Figure of large studies with one size each: all gains, a row per setting, a panel per target."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from xstilts.report.drawing import GRID, INK, LETTER, PALETTE, PAPER, WIDTH, Figure
from xstilts.report.overview import target_name
from xstilts.report.results import Results, Row, series_of, series_text, size_text
from xstilts.summary import ALL, ZERO_SHOT

ROW = 0.17  # inches of a setting
NARROW = 1.2  # of the narrowest panel


def gains(results: Results) -> Figure:
    """Difference to `none` with its interval: a row per setting, a panel per target."""
    groups = [group for group in results.groups if group["method"] != "none"]
    names = [_setting_name(group) for group in groups]
    left = 0.3 + LETTER * max(len(name) for name in names)
    places = [ALL] * (ALL in results.columns) + results.targets
    fit = max(1, int((WIDTH - left) / NARROW))
    columns = -(-len(places) // -(-len(places) // fit))
    lines = [places[start : start + columns] for start in range(0, len(places), columns)]
    tall = ROW * len(groups)
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
