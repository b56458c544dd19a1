"""All figures of the report, in the order of the page."""

from __future__ import annotations

import matplotlib

from xstilts.report.drawing import STYLE, Figure
from xstilts.report.heat import heat_map
from xstilts.report.results import Results
from xstilts.report.scaling import scaling_figures


def build(results: Results) -> list[Figure]:
    """All figures of a study: scaling first, then a heat map per target."""
    with matplotlib.rc_context(STYLE):
        return [*scaling_figures(results), *(heat_map(results, t) for t in results.targets)]
