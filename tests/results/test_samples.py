"""Samples: what adds up over languages and targets, what is one draw, and whose interval it is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from xstilts.results.cells import aligned
from xstilts.results.samples import Sample, average, combine, measure
from xstilts.results.scores import BEST, Group, Run

NONE = Group("none", "none", "none", 0)
TASKS = [Group("single", f"task{number}", "en", 1000) for number in range(12)]


def runs_of(groups: list[Group], seeds: int) -> list[Run]:
    return [Run(f"{g.label}-s{s}", g, s) for g in groups for s in range(1, seeds + 1)]


def guesses(
    rng: np.random.Generator, seeds: int, groups: list[Group], size: int = 300, sd: float = 0.0
) -> tuple[list[Run], np.ndarray]:
    """Runs that are right half of the time, more or less by their seed."""
    runs = runs_of(groups, seeds)
    rates = 0.5 + rng.normal(scale=sd / 100, size=(len(runs), 1))
    return runs, (rng.random((len(runs), size)) < rates).astype(float)


def sample(
    rng: np.random.Generator, seeds: int = 3, sd: float = 3.0, groups: list[Group] | None = None
) -> Sample:
    runs, num = guesses(rng, seeds, groups or [NONE, *TASKS], sd=sd)
    return measure(runs, num, np.ones_like(num))


def test_one_seed_everywhere_has_an_interval_over_examples_and_no_test() -> None:
    """Nothing can be known of seeds: the interval is the paired one of examples, and p is null."""
    runs, num = guesses(np.random.default_rng(0), 1, [NONE, *TASKS])
    found = measure(runs, num, np.ones_like(num)).contrast({TASKS[0]: 1.0, NONE: -1.0})
    difference = 100 * (num[1] - num[0])
    half = stats.t.ppf(0.975, 299) * difference.std(ddof=1) / np.sqrt(300)
    assert found.p is None
    assert (found.low, found.high) == pytest.approx(
        (difference.mean() - half, difference.mean() + half)
    )


def test_one_seed_borrows_from_the_settings_that_have_more() -> None:
    """It is tested, and its interval is wider than theirs."""
    rng = np.random.default_rng(1)
    runs, num = guesses(rng, 3, [NONE, *TASKS], sd=5.0)
    kept = [row for row, run in enumerate(runs) if run.group != TASKS[0] or run.seed == 1]
    one = measure([runs[row] for row in kept], num[kept], np.ones_like(num[kept]))
    alone = one.contrast({TASKS[0]: 1.0, NONE: -1.0})
    other = one.contrast({TASKS[1]: 1.0, NONE: -1.0})
    assert alone.p is not None
    assert alone.high - alone.low > 1.2 * (other.high - other.low)


def test_one_example_tells_nothing() -> None:
    """Nothing varies in a single example; that is no certainty: every score is in the interval."""
    runs = runs_of([NONE, TASKS[0]], 2)
    found = measure(runs, np.ones((4, 1)), np.ones((4, 1))).contrast({NONE: 1.0})
    assert (found.value, found.low, found.high, found.p) == (100.0, 0.0, 200.0, 1.0)


def test_all_right_is_not_certainly_all_right() -> None:
    """A perfect score has no variance; that one of 50 examples might fail keeps it open."""
    runs = runs_of([NONE, *TASKS], 3)
    found = measure(runs, np.ones((39, 50)), np.ones((39, 50))).contrast({NONE: 1.0})
    assert found.value == 100.0
    assert 95.0 < found.low < 98.0


def test_translations_are_one_draw() -> None:
    """The same examples in four languages tell as much as one of them; other examples tell more."""
    rng = np.random.default_rng(2)
    runs, num = guesses(rng, 1, [NONE])
    den = np.ones_like(num)
    place = np.arange(300)
    alike = [measure(runs, num, den, places=place, columns=300) for _ in range(4)]
    apart = [measure(runs, rng.permuted(num, axis=1), den) for _ in range(4)]
    (one,) = alike[0].parts({NONE: 1.0})
    (shared,) = combine(alike, [0.25] * 4).parts({NONE: 1.0})
    (others,) = combine(apart, [0.25] * 4).parts({NONE: 1.0})
    assert shared.variance == pytest.approx(one.variance)
    assert others.variance == pytest.approx(one.variance / 4)


def test_which_languages_share_examples() -> None:
    """Names in common do. A row's number does where rows are known to be translations, no more:

    the first hundred sentences of two treebanks are numbered alike and are other sentences.
    """
    ids = {
        "en": np.array(["q1", "q2", "q3"]),
        "de": np.array(["q3", "q1"]),
        "sw": np.array(["0", "1"]),
        "tr": np.array(["0", "1", "2"]),
        "qu": np.array(["x9"]),
    }
    found = aligned(ids, translated=False)
    assert set(found) == {"en", "de"}
    assert found["de"][0].tolist() == [2, 0]
    assert found["en"][1] == 3
    numbers = {"ar": ids["sw"], "ru": ids["sw"], "tr": ids["tr"]}
    assert aligned(numbers, translated=False) == {}
    alike = aligned(numbers, translated=True)
    assert set(alike) == {"ar", "ru", "tr"}
    assert (alike["tr"][0].tolist(), alike["tr"][1]) == ([0, 1, 2], 3)
    assert aligned({"ar": ids["qu"], "sw": ids["sw"]}, translated=True) == {}


def test_a_seed_moves_all_languages_at_once() -> None:
    """A run that is good in every language does not become certain by being asked in many."""
    rng = np.random.default_rng(3)
    runs = runs_of([NONE, *TASKS], 3)
    luck = rng.normal(scale=0.05, size=(len(runs), 1))
    samples = {}
    for language in ("de", "ru", "sw", "tr"):
        num = (rng.random((len(runs), 2000)) < 0.5 + luck).astype(float)
        samples[language] = measure(runs, num, np.ones_like(num))
    one = samples["de"].contrast({TASKS[0]: 1.0, NONE: -1.0})
    mean = average(samples).contrast({TASKS[0]: 1.0, NONE: -1.0})
    assert mean.high - mean.low > 0.85 * (one.high - one.low)


def test_languages_like_these_are_a_t_over_languages() -> None:
    """Where languages share nothing and seeds hardly matter, it is the plain t over languages."""
    rng = np.random.default_rng(4)
    runs = runs_of([NONE, *TASKS], 3)
    rates = [0.5, 0.55, 0.62, 0.49, 0.7]
    samples = {}
    for number, rate in enumerate(rates):
        levels = np.where([[run.group == TASKS[0]] for run in runs], rate, 0.5)
        num = (rng.random((len(runs), 4000)) < levels).astype(float)
        samples[f"l{number}"] = measure(runs, num, np.ones_like(num))
    gain = {TASKS[0]: 1.0, NONE: -1.0}
    whole = average(samples)
    like, these = whole.contrast_languages(gain), whole.contrast(gain)
    theirs = stats.ttest_1samp([one.value(gain) for one in samples.values()], 0)
    interval = theirs.confidence_interval(0.95)
    assert (like.low, like.high) == pytest.approx(tuple(interval), abs=0.5)
    assert like.p == pytest.approx(theirs.pvalue, rel=0.1)
    assert like.high - like.low > 2 * (these.high - these.low)


def test_languages_like_these_is_never_narrower_and_needs_two() -> None:
    """Languages that agree by chance do not make the interval smaller than it was."""
    rng = np.random.default_rng(5)
    gain = {TASKS[0]: 1.0, NONE: -1.0}
    for _ in range(20):
        whole = average({name: sample(rng) for name in ("de", "sw")})
        like, these = whole.contrast_languages(gain), whole.contrast(gain)
        assert like.low <= these.low
        assert like.high >= these.high
    assert average({"de": sample(rng)}).contrast_languages(gain) is None


def test_over_targets_a_language_is_drawn_once() -> None:
    """A language that two targets ask in is one language, whose two parts go together."""
    rng = np.random.default_rng(6)
    first = average({name: sample(rng) for name in ("de", "sw")})
    second = average({name: sample(rng) for name in ("de", "ru")})
    whole = combine([first.closed(), second.closed()], [0.5, 0.5])
    weights = sorted(weight for weight, _ in whole._by_language)
    assert weights == [0.25, 0.25, 0.5]
    gain = {TASKS[0]: 1.0, NONE: -1.0}
    parts = sum(part.value(gain) for _, part in whole._by_language)
    assert parts == pytest.approx(whole.value(gain))


def test_an_alias_is_no_further_setting() -> None:
    """`best` has the very numbers of what was chosen, and enters the prior no second time."""
    plain = sample(np.random.default_rng(7))
    named = plain.named(BEST, TASKS[3])
    assert named.contrast({BEST: 1.0}) == named.contrast({TASKS[3]: 1.0})
    assert named.contrast({TASKS[0]: 1.0}) == plain.contrast({TASKS[0]: 1.0})


@pytest.mark.parametrize(("seeds", "sd"), [(2, 0.0), (2, 20.0), (3, 2.0), (5, 20.0)])
def test_no_effect_is_told_from_none_five_times_of_a_hundred(seeds: int, sd: float) -> None:
    """The promise of the page, in small form; bench/calibration.py has the whole table.

    Beyond the bounds by chance once in some thousand runs: the numbers are seeded all the same.
    """
    rng = np.random.default_rng([seeds, int(sd)])
    held, sure, count = 0, 0, 0
    for _ in range(60):
        one = sample(rng, seeds, sd)
        for group in TASKS:
            found = one.contrast({group: 1.0, NONE: -1.0})
            held += found.low <= 0.0 <= found.high
            sure += found.p < 0.001
            count += 1
    assert 0.92 <= held / count <= 0.985
    assert sure / count <= 0.006
