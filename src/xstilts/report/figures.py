"""All figures of the report, in the order of the page."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib

from xstilts.report.drawing import STYLE, Figure
from xstilts.report.gains import gains
from xstilts.report.heat import heat_map
from xstilts.report.overview import curves
from xstilts.report.results import Results
from xstilts.report.scaling import line_figures, scaling_figure

PER_FIGURE = 9  # panels, one for each target and series; more than these: an overview first


def build(results: Results) -> list[Figure]:
    """All figures of a study: scaling first, then a heat map per target."""
    with matplotlib.rc_context(STYLE):
        return [*_scaling(results), *(heat_map(results, target) for target in results.targets)]


def _scaling(results: Results) -> Iterator[Figure]:
    """A panel for each target and series where these are few; otherwise by kinds of data."""
    series = [one for one in results.series() if one[0] != "shuffled"]
    scaled = [one for one in series if len(results.sizes(one)) > 1]
    if not series:
        return
    if len(series) * len(results.targets) <= PER_FIGURE:
        yield scaling_figure(results, series)
    elif scaled:
        yield from curves(results, series)
        yield from line_figures(results, scaled)
    elif any(True for _ in results.comparisons()):
        yield gains(results)
