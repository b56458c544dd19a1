"""Intervals and tests from few seeds: a moderated t, in closed form.

Score of a run in one language, with n examples that carry (num, den) each:

    score = 100 * sum(num) / sum(den)                                    (0 where sum(den) is 0)

A setting is a group of runs that differ by their seed alone. A contrast is a sum of settings' mean
scores times weights: {setting: 1} is a mean, {setting: 1, none: -1} a gain, the weights of
`log_size` a slope. What is uncertain in it has two parts:

* which seeds were drawn. The variance s2 between the S scores of a setting has S - 1 degrees of
  freedom, too few to go by. It is shrunk towards that of all settings of the same target and
  language: `Prior`, after Smyth 2004 ("Linear models and empirical Bayes methods for assessing
  differential expression", section 3; the R package limma). A setting of one seed borrows the
  prior. Where no setting has two seeds there is nothing to borrow: the interval is then over
  examples alone, and nothing is tested;
* which examples were drawn, the same for all runs, so that a difference of two runs is paired: the
  variance over examples of what the contrast makes of each; less the part that is each run's own
  noise and so lies in s2 already. Translations, which have the same ids in several languages, are
  one draw.

Degrees of freedom of the sum are those of Welch and Satterthwaite; then Student's t, two-sided.
Seeds of two settings count as independent, though they may share the order of a target's rows: if
that matters it errs on the wide side. `bench/calibration.py` counts how often the truth is held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import special
from scipy import stats as distributions

Floats = NDArray[np.float64]
SIGNIFICANT = 0.05  # of a p after Holm's correction

DECIMALS = 9  # below this a difference is rounding noise of the sums
SMALLEST_P = 1e-12
FEWEST = 4  # settings of two seeds or more, below which they say little of one another
UNLIKE = 0.01  # chance of so large a variance, below which it is none of the others' kind
# Degrees of freedom that the prior may have, evenly spaced in the spread sqrt(2 / df) of variances:
# from variances that are all the same, to such that differ by a factor of ten and more.
PRIOR_DF = 1.0 / np.maximum(np.linspace(0.0, 1.0, 15) ** 2 / 2, 1e-4)
PRIOR_SCALE = np.exp(np.linspace(-3.5, 3.5, 43))  # of the prior's variance, times the median one


def score(num: Floats, den: Floats) -> float:
    """Score of one run in one language, 0-100; num and den have shape (examples,)."""
    total = float(np.sum(den))
    return 100.0 * float(np.sum(num)) / total if total else 0.0


def pulls(num: Floats, den: Floats) -> Floats:
    """By how many points each example moves the score of its run, to first order.

    Args:
        num: shape (runs, examples), what each example adds to the numerator.
        den: same shape, what it adds to the denominator.

    Returns:
        Same shape; each row sums to 0.
    """
    total = den.sum(axis=1, keepdims=True)
    share = np.divide(
        num.sum(axis=1, keepdims=True), total, out=np.zeros_like(total), where=total > 0
    )
    return np.divide(100.0 * (num - share * den), total, out=np.zeros_like(num), where=total > 0)


def example_covariance(pulled: Floats) -> Floats:
    """Covariance of the runs' scores from drawing other examples.

    Args:
        pulled: shape (runs, examples), of `pulls`.

    Returns:
        Shape (runs, runs), points squared.
    """
    examples = pulled.shape[1]
    unbiased = examples / (examples - 1) if examples > 1 else 1.0
    return np.asarray(unbiased * pulled @ pulled.T)


def own_noise(covariance: Floats) -> float:
    """The part of the variance of a setting's mean that is chance in each of its runs apart.

    Args:
        covariance: of the setting's runs alone, of `example_covariance`; two runs or more.
    """
    seeds = len(covariance)
    apart = float(np.trace(covariance)) - float(covariance.sum()) / seeds
    return max(0.0, apart) / (seeds - 1) / seeds


@dataclass(frozen=True)
class Prior:
    """What the settings' variances say of any one, in points squared, and what that is worth."""

    variance: float
    df: float  # beside a variance of the setting's own
    borrowed_df: float  # for a setting of one seed
    pooled_df: float  # of all settings together: nothing is known better

    def moderate(self, variance: float, df: float) -> tuple[float, float]:
        """Variance of a setting and its degrees of freedom, from its own (df is 0 for one seed).

        One that is too large to be of the others' kind stands alone: see `unlike`.
        """
        if df == 0.0:
            return self.variance, min(self.borrowed_df, self.pooled_df)
        ratio = variance / self.variance if self.df else 0.0
        if special.fdtrc(df, self.borrowed_df, ratio) < UNLIKE:
            return variance, df
        together = self.df + df
        return (self.df * self.variance + df * variance) / together, min(together, self.pooled_df)


def prior(variances: Floats, df: Floats) -> Prior | None:
    """The prior from the variances of all settings; None where none has two seeds.

    Variances are taken as scaled chi-square around values that scatter as inverse chi-square: each
    is the prior's variance times F(df, prior df) distributed. Smyth estimates the two numbers by
    moments of the logarithm, which with a dozen settings of two seeds is too sure of itself
    (intervals of 95 % held the truth 91 to 92 times of 100). Here they are means over their
    likelihood on a grid; and beside a setting's own variance 1 / df is taken one standard deviation
    larger, as to believe in equal variances that are not costs more than the reverse. With fewer
    than `FEWEST` settings, or where most scores are alike, a setting keeps its own variance, and
    one of one seed borrows the largest.

    Args:
        variances: shape (settings,), points squared.
        df: shape (settings,), seeds less one.
    """
    variances, df = variances[df > 0], df[df > 0]
    if not df.size:
        return None
    if df.size < FEWEST or np.median(variances) < 10.0**-DECIMALS:
        return Prior(float(variances.max()), 0.0, 1.0, float(df.sum()))
    values = float(np.median(variances)) * PRIOR_SCALE
    # Scores may be equal by their being counts: a variance of 0 would have no likelihood at all.
    ratios = np.maximum(variances, 1e-5 * np.median(variances)) / values[:, None, None]
    logs = distributions.f.logpdf(ratios, df, PRIOR_DF[:, None]) - np.log(values)[:, None, None]
    alike = ~unlike(ratios, df, logs)
    weights = _weights(logs[:, :, alike].sum(axis=2))  # (values, degrees of freedom)
    share, inverse = weights.sum(axis=0), 1.0 / PRIOR_DF
    mean = float(share @ inverse)
    deviation = sqrt(float(share @ (inverse - mean) ** 2))
    variance = float(weights.sum(axis=1) @ values)
    return Prior(variance, 1.0 / (mean + deviation), 1.0 / mean, float(df[alike].sum()))


def unlike(ratios: Floats, df: Floats, logs: Floats) -> NDArray[np.bool_]:
    """Which variances are too large to be of the others' kind, as where one run of three collapses.

    Shrunk towards the others, such a setting would look surer than it is, and they less so. The
    chance of a variance as large as its own is taken from all others, each setting left out once.

    Args:
        ratios: variances over the prior's, shape (values of the prior, 1, settings).
        df: shape (settings,).
        logs: logarithm of each setting's likelihood, shape (values, degrees of freedom, settings).
    """
    weights = _weights(logs.sum(axis=2, keepdims=True) - logs)
    chance = np.sum(weights * special.fdtrc(df, PRIOR_DF[:, None], ratios), axis=(0, 1))
    few = len(df) <= FEWEST
    return np.asarray(np.zeros(len(df), dtype=bool) if few else chance < UNLIKE)


def _weights(logs: Floats) -> Floats:
    """Likelihoods that sum to 1 over the first two axes."""
    likelihood = np.exp(logs - logs.max(axis=(0, 1), keepdims=True))
    return np.asarray(likelihood / likelihood.sum(axis=(0, 1), keepdims=True))


@dataclass(frozen=True)
class Part:
    """A part of a variance, in points squared, and the degrees of freedom that it is known by."""

    variance: float
    df: float


@dataclass(frozen=True)
class Estimate:
    """A contrast in points, its interval, and the p of "it is 0"; None where that is not tested."""

    value: float
    low: float
    high: float
    p: float | None


def total(parts: Sequence[Part]) -> Part:
    """The sum, with the degrees of freedom of Welch and Satterthwaite."""
    variance = sum(part.variance for part in parts)
    spread = sum(part.variance**2 / part.df for part in parts)
    return Part(variance, variance**2 / spread if spread > 0 else 1.0)


def half_width(parts: Sequence[Part], confidence: float) -> float:
    """Half of the interval, in points."""
    whole = total(parts)
    return float(special.stdtrit(whole.df, (1.0 + confidence) / 2)) * sqrt(whole.variance)


def p_value(value: float, parts: Sequence[Part], examples: int) -> float:
    """Two-sided p of "the true value is 0".

    Never below 2^(1 - examples), the smallest p of a sign test.
    """
    distance, whole = abs(round(value, DECIMALS)), total(parts)
    if distance == 0.0:
        return 1.0
    floor = max(SMALLEST_P, 2.0 ** (1 - min(examples, 1000)))
    if whole.variance == 0.0:
        return floor
    return max(
        floor, min(1.0, 2.0 * float(special.stdtr(whole.df, -distance / sqrt(whole.variance))))
    )


@dataclass(frozen=True)
class Spread:
    """How far the mean scores of settings may be off: enough for the interval of every contrast."""

    examples: Floats  # (settings, settings): covariance by examples, without the runs' own noise
    seeds: Sequence[Part] | None  # of each setting's mean; None where no setting has two seeds
    n: int  # examples, in all languages
    fewest: int  # examples of the language that has the fewest

    def parts(self, weights: Floats) -> list[Part]:
        """What the variance of a contrast is made of: the seeds of each setting, and the examples.

        Args:
            weights: shape (settings,).
        """
        used = np.flatnonzero(weights)
        w = weights[used]
        examples = float(w @ self.examples[np.ix_(used, used)] @ w)
        # At the least, one example might have been answered otherwise.
        least = (100.0 * float(np.abs(w).max(initial=0.0)) / self.n) ** 2
        seeds = self.seeds or ()
        return [
            *(
                Part(weights[i] ** 2 * seeds[i].variance, seeds[i].df)
                for i in map(int, used)
                if seeds
            ),
            Part(max(least, examples), max(1.0, self.fewest - 1.0)),
        ]

    def estimate(
        self, value: float, weights: Floats, ways: Sequence[Sequence[Part]], confidence: float
    ) -> Estimate:
        """The contrast with interval and test, by the most cautious of several views of its parts.

        One example tells nothing: its interval holds everything.
        """
        half = max(half_width(parts, confidence) for parts in ways)
        if self.n < 2:
            half = 100.0 * float(np.abs(weights).sum())
        p = max(p_value(value, parts, self.n) for parts in ways)
        return Estimate(value, value - half, value + half, None if self.seeds is None else p)


def holm(values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: adjusted p, in the order given.

    Sorted p(1) <= ... <= p(m): adjusted(i) = max over j <= i of min(1, (m - j + 1) p(j)).
    """
    order = sorted(range(len(values)), key=lambda i: values[i])
    adjusted = [1.0] * len(values)
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = running
    return adjusted


def log_size(sizes: Sequence[int]) -> Floats:
    """Weights of the least-squares slope on log10(size): points per tenfold rows.

    Args:
        sizes: intermediate rows, at least two different values, all above 0.
    """
    x = np.log10(np.asarray(sizes, dtype=np.float64))
    x -= x.mean()
    return np.asarray(x / (x @ x))
