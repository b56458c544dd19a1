"""The share of outputs in the right language as evidence: which rows, and their interval."""

from types import SimpleNamespace
from typing import Any

import pytest

from xstilts.claims import languages

TARGETS: Any = {"facts": SimpleNamespace(source_language="qaa")}
SETTING = {"method": "none", "task": "none", "source_language": "none", "size": 0}


def score(run: str, language: str, value: float, metric: str = languages.RIGHT) -> dict[str, Any]:
    """A score row, as far as it is read."""
    own = {"run": run, "target": "facts", "language": language, "metric": metric}
    return {**own, "value": value, "n": 100, "variant": "", **SETTING}


SCORES = [
    score(run, language, value)
    for run, shift in (("s1", 0.0), ("s2", 10.0))
    for language, value in (("qaa", 100.0), ("qab", 40.0 + shift), ("qac", 60.0 + shift))
] + [score("s1", "qab", 5.0, "f1")]


def test_zero_shot_leaves_the_source_and_other_values_out() -> None:
    """Student's interval of two seeds (mean 55, standard error 5, t 12.706) is the wider part."""
    (row,) = languages.rows(SCORES, TARGETS, "zero-shot", 0.95)
    assert (row["mean"], row["target"], row["group"]) == (55.0, "facts", "none")
    assert (row["low"], row["high"]) == (0.0, 100.0)


@pytest.mark.parametrize(
    ("language", "mean"), [("qab", 45.0), ("mean", (200 / 3 + 220 / 3) / 2), ("qaa", 100.0)]
)
def test_a_language_or_the_mean_of_all(language: str, mean: float) -> None:
    """As `language` of other checks."""
    (row,) = languages.rows(SCORES, TARGETS, language, 0.95)
    assert row["mean"] == pytest.approx(mean, abs=1e-5)


def test_seeds_that_agree_do_not_make_a_share_exact() -> None:
    """None of 100 outputs may be three of a hundred: 1.96² / (100 + 1.96²) = 3.7 (Wilson)."""
    assert languages.interval([0.0, 0.0, 0.0], 100, 0.95) == (0.0, pytest.approx(3.699, abs=1e-3))
    low, high = languages.interval([50.0, 50.0], 100, 0.95)
    assert (low, high) == (pytest.approx(40.383, abs=1e-3), pytest.approx(59.617, abs=1e-3))


def test_seeds_and_outputs_are_joined_as_independent_errors() -> None:
    """Of three seeds: t 4.303, standard error 1.1547; of outputs 9.617 to each side."""
    half = ((4.3027 * 1.1547) ** 2 + 9.617**2) ** 0.5
    found = languages.interval([48.0, 50.0, 52.0], 100, 0.95)
    assert found == (pytest.approx(50 - half, abs=1e-2), pytest.approx(50 + half, abs=1e-2))


def test_one_seed_has_no_interval() -> None:
    """Nothing says how far training scatters."""
    (row,) = languages.rows(SCORES[:3], TARGETS, "zero-shot", 0.95)
    assert (row["mean"], row["low"], row["high"]) == (50.0, None, None)
