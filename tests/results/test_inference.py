"""Bootstrap, tests and slopes against formulas, an independent slow version, and simulation."""

from __future__ import annotations

import random

import numpy as np
import pytest

from xstilts.results import inference


def ids(size: int) -> list[str]:
    return [f"example-{i}" for i in range(size)]


def answers(rng: np.random.Generator, probability: float, runs: int, size: int) -> np.ndarray:
    return (rng.random((runs, size)) < probability).astype(float)


def draws_of(num: np.ndarray, seeds: list[int], resamples: int = 500, seed: int = 1) -> np.ndarray:
    runs = inference.run_draws(num, np.ones_like(num), ids(num.shape[1]), resamples, seed)
    return inference.group_draws(runs, seeds, seed)


def test_score_is_a_ratio_of_sums_and_not_a_mean_of_ratios() -> None:
    """Entity F1 has examples of unequal weight: 3 of 4 and 0 of 2 make 50, not 37.5."""
    assert inference.score(np.array([3.0, 0.0]), np.array([4.0, 2.0])) == pytest.approx(50.0)
    assert inference.score(np.zeros(2), np.zeros(2)) == 0.0


def test_first_draw_is_the_estimate_itself() -> None:
    """All arithmetic on draws relies on entry 0 being the data as they are."""
    rng = np.random.default_rng(0)
    num, den = rng.random((3, 40)), 1.0 + rng.random((3, 40))
    draws = inference.run_draws(num, den, ids(40), 20, 1)
    expected = [inference.score(n, d) for n, d in zip(num, den, strict=True)]
    np.testing.assert_allclose(draws[0], expected)
    assert inference.group_draws(draws, [1, 2, 3], 1)[0] == pytest.approx(np.mean(expected))


def test_every_resample_has_as_many_examples_as_the_data() -> None:
    """A resample of another size would have another variance."""
    counts = inference.example_counts(ids(37), 50, 1)
    assert counts.shape == (50, 37)
    assert (counts.sum(axis=1) == 37).all()


def test_blocks_change_memory_and_not_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine-dependent block size must not reach the report's bytes."""
    whole = inference.example_counts(ids(30), 25, 1)
    monkeypatch.setattr(inference, "BLOCK", 70)
    np.testing.assert_array_equal(inference.example_counts(ids(30), 25, 1), whole)


def test_draws_depend_on_seed_and_ids_alone() -> None:
    """Equal ids share draws (parallel test sets); another seed or set of ids does not."""
    first = inference.example_counts(ids(30), 25, 1)
    np.testing.assert_array_equal(inference.example_counts(ids(30), 25, 1), first)
    assert (inference.example_counts(ids(30), 25, 2) != first).any()
    assert (inference.example_counts([f"x{i}" for i in range(30)], 25, 1) != first).any()


def test_order_of_the_runs_of_a_group_changes_nothing() -> None:
    """Folders are listed in any order; seed 2 is drawn when seed 2 is drawn."""
    num = answers(np.random.default_rng(0), 0.6, 3, 50)
    np.testing.assert_allclose(draws_of(num, [1, 2, 3]), draws_of(num[[2, 0, 1]], [3, 1, 2]))


def test_spread_of_one_seed_is_the_binomial_one() -> None:
    """With one seed the interval is over examples alone: sqrt(p (1 - p) / n)."""
    num = answers(np.random.default_rng(0), 0.7, 1, 2000)
    rate = num.mean()
    expected = 100 * np.sqrt(rate * (1 - rate) / 2000)
    assert np.std(draws_of(num, [1], 4000)[1:]) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_spread_over_seeds_is_unbiased(count: int) -> None:
    """Runs that differ by seed alone: the variance of a mean of S is s^2 / S, also where S is 2."""
    rates = np.linspace(0.4, 0.8, count)
    num = np.repeat(rates[:, None], 10, axis=1)  # no example differs from another
    draws = draws_of(num, list(range(count)), 20000)
    expected = np.std(100 * rates, ddof=1) / np.sqrt(count)
    assert np.std(draws[1:]) == pytest.approx(expected, rel=0.03)


def slow_bootstrap(num: np.ndarray, base: np.ndarray, resamples: int) -> tuple[float, float]:
    """The paired interval in plain Python loops, with another random generator."""
    rng = random.Random(5)
    seeds, size = num.shape
    found = []
    for _ in range(resamples):
        chosen = [rng.randrange(size) for _ in range(size)]
        members = [rng.randrange(seeds) for _ in range(seeds - 1)]
        total = 0.0
        for member in members:
            gain = sum(num[member][i] - base[member][i] for i in chosen)
            total += 100 * gain / size
        found.append(total / len(members))
    found.sort()
    return found[int(0.025 * resamples)], found[int(0.975 * resamples)]


def test_paired_interval_equals_an_independent_slow_one() -> None:
    """Two implementations that share no line agree within the error of their resamples."""
    rng = np.random.default_rng(3)
    base = answers(rng, 0.5, 4, 120)
    num = np.maximum(base, answers(rng, 0.25, 4, 120))
    difference = draws_of(num, [1, 2, 3, 4], 4000) - draws_of(base, [1, 2, 3, 4], 4000)
    assert inference.interval(difference, 0.95) == pytest.approx(
        slow_bootstrap(num, base, 4000), abs=0.45
    )


def test_pairing_removes_what_two_runs_share() -> None:
    """Runs that differ on few examples have a narrow difference, however uncertain each is."""
    base = answers(np.random.default_rng(0), 0.5, 1, 400)
    better = base.copy()
    better[0, np.flatnonzero(base[0] == 0)[:8]] = 1
    low, high = inference.interval(draws_of(better, [1]) - draws_of(base, [1]), 0.95)
    alone = inference.interval(draws_of(base, [1]), 0.95)
    assert 0 < low < 2 < high
    assert high - low < 0.4 * (alone[1] - alone[0])


def simulate(rng: np.random.Generator, level: float, seeds: int, size: int) -> np.ndarray:
    """Runs of one setting: seeds differ (2 points), examples have their own difficulty."""
    hard = rng.normal(scale=0.2, size=size)
    rates = np.clip(level + rng.normal(scale=0.02, size=(seeds, 1)) + hard, 0, 1)
    return (rng.random((seeds, size)) < rates).astype(float)


def test_intervals_cover_the_truth() -> None:
    """About 95 of 100 intervals hold the true score; a bootstrap of the wrong thing does not."""
    rng = np.random.default_rng(7)
    hits = 0
    for repeat in range(200):
        num = simulate(rng, 0.5, 4, 150)
        low, high = inference.interval(draws_of(num, [1, 2, 3, 4], 300, repeat), 0.95)
        hits += low <= 50.0 <= high
    assert 180 <= hits <= 198


def test_p_is_small_for_an_effect_and_uniform_without_one() -> None:
    """No effect: about 5 of 100 below 0.05. An effect of 15 points: nearly all."""
    rng = np.random.default_rng(8)
    false, true = 0, 0
    for repeat in range(200):
        base, same = simulate(rng, 0.5, 4, 150), simulate(rng, 0.5, 4, 150)
        better = simulate(rng, 0.65, 4, 150)
        none = draws_of(base, [1, 2, 3, 4], 200, repeat)
        false += inference.p_value(draws_of(same, [1, 2, 3, 4], 200, repeat) - none, 150) < 0.05
        true += inference.p_value(draws_of(better, [1, 2, 3, 4], 200, repeat) - none, 150) < 0.05
    assert false <= 22
    assert true >= 180


def test_p_of_no_difference_and_of_a_certain_one() -> None:
    """No spread is no proof: five examples cannot give a p below 1/16."""
    assert inference.p_value(np.zeros(100), 5) == 1.0
    assert inference.p_value(np.full(100, 3.0), 5) == 1 / 16
    assert inference.p_value(np.full(100, 3.0), 10**6) == inference.SMALLEST_P


def test_holm_on_a_known_example() -> None:
    """By hand: 4 x .005, 3 x .01, 2 x .03, and .04 kept from falling below .06."""
    assert inference.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert inference.holm([]) == []
    assert inference.holm([0.9, 0.8]) == [1.0, 1.0]


def test_slope_of_a_line_is_its_slope() -> None:
    """50, 53, 56 over 1K, 10K, 100K are 3 points per tenfold, in every draw."""
    draws = np.array([[50.0, 40.0], [53.0, 44.0], [56.0, 48.0]])
    np.testing.assert_allclose(inference.slope([1000, 10000, 100000], draws), [3.0, 4.0])
