"""The smallest gain that a study can tell from none, before it runs or while it does.

A gain is told where p < 0.05 after Holm's correction over all zero-shot comparisons, which at first
divides 0.05 by their number. The smallest gain told in `POWER` of all studies is (Cohen 1988,
section 2; with t for z)

    (t(1 - 0.05 / (2 comparisons)) + t(POWER)) * standard error

where the standard error has the parts of `inference.py`: seeds of both sides, and examples. Both
are those of finished runs where there are any; of examples, once the runs are aggregated.
`xstilts plan` prints it for each target.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import special

from xstilts.results.contrasts import Contrasts
from xstilts.results.inference import SIGNIFICANT

POWER = 0.8
# What two settings make of one example, beyond chance in the runs: standard deviation of the
# difference in points. In the demo it is 2 to 20 between settings that score alike.
EXAMPLE_SD = 30.0
SEED_SD = 1.0  # points between the zero-shot means of two runs that differ by seed alone


@dataclass(frozen=True)
class Spread:
    """Standard deviation between seeds, and how many degrees of freedom it is known by."""

    sd: float
    df: int
    known: str  # how


def spread(scores: list[list[float]], otherwise: float = SEED_SD) -> Spread:
    """Pooled over settings.

    Args:
        scores: of each setting, the zero-shot means of its finished runs.
        otherwise: what is assumed where no setting has two.
    """
    several = [np.array(own) for own in scores if len(own) > 1]
    df = sum(len(own) - 1 for own in several)
    if not df:
        return Spread(otherwise, 0, "assumed")
    variance = sum(float(own.var(ddof=1)) * (len(own) - 1) for own in several) / df
    runs = sum(len(own) for own in several)
    return Spread(sqrt(variance), df, f"of {runs} finished runs")


@dataclass(frozen=True)
class Noise:
    """How far examples alone move a gain: its variance in points squared, and how it is known."""

    variance: float
    known: str


def noise(kept: Contrasts | None, baseline: str, examples: int) -> Noise:
    """Of the middle one of a target's gains; before any run as `EXAMPLE_SD` has it.

    Args:
        kept: what the finished study keeps of the target's settings.
        baseline: the setting without intermediate training.
        examples: independent ones that are scored: translations of one are one.
    """
    if kept is None or len(kept.places) < 2 or baseline not in kept.places:
        return Noise(EXAMPLE_SD**2 / examples, "assumed")
    others = [name for name in kept.places if name != baseline]
    gains = [kept.measure({name: 1.0, baseline: -1.0})[1] for name in others]
    by_examples = [parts[-1].variance for parts in gains]  # the last part (Spread.parts)
    return Noise(float(np.median(by_examples)), f"of {len(others)} gains")


def smallest_gain(
    sd: float, seeds: int, baseline_seeds: int, df: int, examples: float, comparisons: int
) -> float:
    """Points that are told from none in `POWER` of all studies.

    Args:
        sd: between seeds, points.
        seeds: of a setting with intermediate training; 1 borrows the variance of the others.
        baseline_seeds: of the runs without.
        df: degrees of freedom between seeds in the whole study; at least 1.
        examples: variance of a gain by its examples (`Noise`).
        comparisons: that Holm corrects for.
    """
    error = sqrt(sd**2 * (1 / seeds + 1 / baseline_seeds) + examples)
    critical = special.stdtrit(df, 1 - SIGNIFICANT / (2 * comparisons))
    return float((critical + special.stdtrit(df, POWER)) * error)
