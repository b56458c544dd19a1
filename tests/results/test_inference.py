"""Intervals and tests against formulas, scipy, a slow bootstrap, and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from xstilts.results import inference
from xstilts.results.inference import Part


def answers(rng: np.random.Generator, probability: float, runs: int, size: int) -> np.ndarray:
    return (rng.random((runs, size)) < probability).astype(float)


def test_score_is_a_ratio_of_sums_and_not_a_mean_of_ratios() -> None:
    """Entity F1 has examples of unequal weight: 3 of 4 and 0 of 2 make 50, not 37.5."""
    assert inference.score(np.array([3.0, 0.0]), np.array([4.0, 2.0])) == pytest.approx(50.0)
    assert inference.score(np.zeros(2), np.zeros(2)) == 0.0


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_pulls_are_the_derivative_of_the_score(seed: int) -> None:
    """An example that counts a little more moves the score by its pull, and all of them by 0."""
    rng = np.random.default_rng(seed)
    num, den = rng.random((2, 30)), 1.0 + rng.random((2, 30))
    pulled = inference.pulls(num, den)
    np.testing.assert_allclose(pulled.sum(axis=1), 0.0, atol=1e-9)
    weights = np.ones(30)
    weights[7] += 1e-6
    moved = inference.score(weights * num[0], weights * den[0]) - inference.score(num[0], den[0])
    assert moved / 1e-6 == pytest.approx(pulled[0, 7], rel=1e-4, abs=1e-6)


def test_covariance_by_examples_is_that_of_a_slow_bootstrap() -> None:
    """Examples drawn with replacement, scores counted anew: the closed form without its algebra."""
    rng = np.random.default_rng(3)
    den = rng.integers(1, 5, size=(2, 150)).astype(float)
    num = np.floor(den * rng.random((2, 150)))
    drawn = []
    for _ in range(20_000):
        rows = rng.integers(150, size=150)
        drawn.append(100 * num[:, rows].sum(axis=1) / den[:, rows].sum(axis=1))
    found = inference.example_covariance(inference.pulls(num, den))
    np.testing.assert_allclose(found, np.cov(np.array(drawn).T), rtol=0.08, atol=0.2)


def test_covariance_of_one_run_is_the_binomial_one() -> None:
    """100^2 p (1 - p) / (n - 1), the textbook's."""
    num = answers(np.random.default_rng(0), 0.7, 1, 500)
    rate = num.mean()
    found = inference.example_covariance(inference.pulls(num, np.ones_like(num)))
    assert found[0, 0] == pytest.approx(1e4 * rate * (1 - rate) / 499)


def test_own_noise_is_what_runs_do_not_share() -> None:
    """Runs that answer alike have none; runs that guess have nothing else."""
    rng = np.random.default_rng(1)
    alike = np.repeat(answers(rng, 0.5, 1, 400), 3, axis=0)
    guesses = answers(rng, 0.5, 3, 400)
    for num, expected in ((alike, 0.0), (guesses, 1e4 * 0.25 / 400 / 3)):
        covariance = inference.example_covariance(inference.pulls(num, np.ones_like(num)))
        assert inference.own_noise(covariance) == pytest.approx(expected, rel=0.15, abs=1e-9)


def test_the_prior_finds_what_variances_have_in_common() -> None:
    """Forty settings of equal variance know it well; where variances differ, each counts more."""
    rng = np.random.default_rng(2)
    df = np.full(40, 4.0)
    equal = inference.prior(9.0 * rng.chisquare(4, 40) / 4, df)
    spread = inference.prior(9.0 * 5 / rng.chisquare(5, 40) * rng.chisquare(4, 40) / 4, df)
    assert equal is not None
    assert spread is not None
    assert equal.variance == pytest.approx(9.0, rel=0.2)
    assert equal.df > 12 > spread.df > 2
    assert equal.pooled_df == 160


def test_a_setting_is_shrunk_towards_the_prior_and_one_seed_borrows_it() -> None:
    """(df0 s0 + df s) / (df0 + df), by hand; nothing is known better than all settings together."""
    prior = inference.Prior(4.0, 6.0, 9.0, 20.0)
    assert prior.moderate(10.0, 2.0) == (pytest.approx((6 * 4 + 2 * 10) / 8), 8.0)
    assert prior.moderate(0.0, 0.0) == (4.0, 9.0)
    assert prior.moderate(4.0, 50.0)[1] == 20.0


def test_where_settings_say_little_each_keeps_its_own_variance() -> None:
    """Two settings, or scores that are all alike: the wider answer; no second seed: no answer."""
    few = inference.prior(np.array([1.0, 9.0, 0.0]), np.array([2.0, 2.0, 0.0]))
    assert few is not None
    assert few.moderate(1.0, 2.0) == (1.0, 2.0)
    assert few.moderate(0.0, 0.0) == (9.0, 1.0)  # one seed: the largest, and hardly known
    alike = inference.prior(np.array([0.0] * 5 + [3.0]), np.ones(6))
    assert alike is not None
    assert alike.moderate(0.0, 0.0) == (3.0, 1.0)
    assert inference.prior(np.zeros(3), np.zeros(3)) is None


def test_a_setting_with_a_collapsed_run_stands_alone() -> None:
    """A variance a hundred times the others': it is not shrunk, and the others are not spoilt."""
    variances = np.array([1.0, 2.0, 0.5, 1.5, 1.2, 0.8, 1.1])
    usual = inference.prior(variances, np.full(7, 2.0))
    spoilt = inference.prior(np.append(variances, 300.0), np.full(8, 2.0))
    assert usual is not None
    assert spoilt is not None
    assert spoilt.variance == pytest.approx(usual.variance, rel=0.05)
    assert spoilt.moderate(300.0, 2.0) == (300.0, 2.0)
    assert spoilt.moderate(2.0, 2.0)[0] == pytest.approx(usual.moderate(2.0, 2.0)[0], rel=0.05)


def test_scores_that_happen_to_be_equal_do_not_spoil_the_prior() -> None:
    """Two seeds with one score: a variance of 0 has no likelihood, and must not become nan."""
    found = inference.prior(np.array([0.0, 1.0, 2.0, 4.0, 3.0]), np.ones(5))
    assert found is not None
    assert 0 < found.variance < 10
    assert 0 < found.df < 10**5


def test_two_settings_alone_are_compared_as_welch_does() -> None:
    """Without a prior the moderated t is the t of unequal variances: scipy's."""
    first, second = np.array([50.0, 53.0, 51.0]), np.array([58.0, 57.0, 63.0, 60.0])
    parts = [Part(float(x.var(ddof=1)) / len(x), len(x) - 1.0) for x in (first, second)]
    difference = float(second.mean() - first.mean())
    theirs = stats.ttest_ind(second, first, equal_var=False)
    assert inference.p_value(difference, parts, 10**6) == pytest.approx(theirs.pvalue)
    interval = theirs.confidence_interval(0.95)
    half = inference.half_width(parts, 0.95)
    assert (difference - half, difference + half) == pytest.approx(tuple(interval))


def test_p_of_no_difference_and_of_a_certain_one() -> None:
    """No spread is no proof: five examples cannot give a p below 1/16."""
    assert inference.p_value(0.0, [Part(1.0, 3.0)], 5) == 1.0
    assert inference.p_value(3.0, [Part(0.0, 3.0)], 5) == 1 / 16
    assert inference.p_value(3.0, [Part(1e-6, 300.0)], 5) == 1 / 16
    assert inference.p_value(90.0, [Part(1e-6, 300.0)], 10**6) == inference.SMALLEST_P


def test_holm_on_a_known_example() -> None:
    """By hand: 4 x .005, 3 x .01, 2 x .03, and .04 kept from falling below .06."""
    assert inference.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert inference.holm([]) == []
    assert inference.holm([0.9, 0.8]) == [1.0, 1.0]


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=6, unique=True))
def test_slope_is_that_of_least_squares(sizes: list[int]) -> None:
    """The weights, times scores, are scipy's regression on the decimal logarithm."""
    scores = np.sqrt(np.arange(len(sizes)) + 1.0)
    theirs = stats.linregress(np.log10(sizes), scores).slope
    assert inference.log_size(sizes) @ scores == pytest.approx(theirs, rel=1e-6, abs=1e-6)
