"""Two looks at one truth, with other seeds: how often `verify` calls them different."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np
import pytest

from xstilts.commands.verify import finished
from xstilts.commands.verify.compare import Conclusions, Name, compare_conclusions
from xstilts.commands.verify.finished import Conclusion, Effect, Number, concluded
from xstilts.results import contrasts
from xstilts.results.inference import Part, total
from xstilts.results.samples import average
from xstilts.results.samples import measure as sample_of
from xstilts.results.scores import ZERO_SHOT, Group, Run
from xstilts.results.summary import Target, TargetResult, over_targets, summary_rows
from xstilts.stages import aggregate

TARGETS, LANGUAGES, EXAMPLES, SETTINGS = 5, 4, 100, 9
GROUPS = [Group("none", "none", "none", 0)]
GROUPS += [Group("single", f"t{number}", "en", 1000) for number in range(SETTINGS)]
RUNS = [Run("r", group, seed) for group in GROUPS for seed in range(4 if group.baseline else 2)]
ROOT = Path(__file__).parents[2]
WIDE = ("tatoeba", "ocnli-zh-9900-shuffled")
Look = Mapping[Name, Conclusion]


def truth(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Gains of settings on targets, and the chance that each example is answered."""
    gains = rng.choice([0.0, 0.02, 0.05, 0.1], (TARGETS, len(GROUPS)))
    gains[:, 0] = 0.0
    easy = rng.normal(0.45, 0.12, (TARGETS, LANGUAGES, EXAMPLES)).clip(0.2, 0.75)
    return gains, easy


def look(rng: np.random.Generator, gains: np.ndarray, easy: np.ndarray) -> Look:
    """What a study of that truth concludes; seeds scatter by two points (SD)."""
    results = []
    places = [GROUPS.index(run.group) for run in RUNS]
    for number in range(TARGETS):
        chance = (gains[number, places] + rng.normal(0.0, 0.02, len(RUNS)))[:, None]
        cells = {}
        for language in range(LANGUAGES):
            num = (rng.random((len(RUNS), EXAMPLES)) < easy[number, language] + chance) * 1.0
            cells[f"l{language}"] = sample_of(RUNS, num, np.ones_like(num))
        # Without its languages, no interval for languages like these is made, which takes long.
        whole = replace(average(cells), languages=())
        results.append(
            TargetResult(Target(f"T{number}", "en", "accuracy", 0.0), {ZERO_SHOT: whole})
        )
    results.append(over_targets(results))
    told = aggregate.conclusions(summary_rows("s", results))
    return concluded(told, contrasts.table_rows("s", results))


def compared(rng: np.random.Generator, change: Callable[[Look], np.ndarray]) -> Conclusions:
    """Two looks; the second at gains that are changed by so much."""
    gains, easy = truth(rng)
    first = look(rng, gains, easy)
    return compare_conclusions(first, look(rng, gains + change(first), easy), {}, {})


def test_faithful_second_looks_are_seldom_called_different() -> None:
    """With 95 % for each of 60 means, one is outside in two of three faithful pairs, and nearly
    every pair has an effect that only one of the two tells: "different" would say nothing.

    At one in twenty, more than three of 20 come in 2 % of cases.
    """
    rng = np.random.default_rng(0)
    found = [compared(rng, lambda first: np.zeros((TARGETS, len(GROUPS)))) for _ in range(20)]
    assert {len(one.moved) for one in found} == {(TARGETS + 1) * len(GROUPS)}
    assert sum(not one.same for one in found) <= 3
    assert any(one.told_once for one in found)


def test_a_setting_that_is_another_one_is_found() -> None:
    """What holds for all means together must still find what is there: a setting whose mean on
    every target is six standard errors lower in the second look.
    """

    def lower(first: Look) -> np.ndarray:
        change = np.zeros((TARGETS, len(GROUPS)))
        for number in range(TARGETS):
            mean = first[f"T{number}", GROUPS[3].label].mean
            change[number, 3] = -6 * sqrt(total(mean.parts).variance) / 100
        return change

    rng = np.random.default_rng(1)
    for _ in range(5):
        found = compared(rng, lower)
        assert not found.same
        assert {name[1] for name in found.beyond} == {GROUPS[3].label}


def test_what_is_allowed_is_not_cut_at_0_and_100() -> None:
    """Seeds at 51.3 and 74.7 tell next to nothing: 148 points at 95 %, of which a table has 50."""
    found = finished.conclusions(finished.folder(ROOT, "here"), "real-again")
    assert found is not None
    moved = compare_conclusions(found, found, {}, {}).moved
    (allowed,) = [most for name, *_, most in moved if name == WIDE]
    assert allowed > 148


def conclusion(mean: float, effect: int | None, gain: float = 0.0) -> Conclusion:
    """One with a standard error of a point."""
    parts = [Part(1.0, 100.0)]
    told = None if effect is None else Effect(Number(gain, parts), effect)
    return Conclusion(Number(mean, parts), told)


@pytest.mark.parametrize(
    ("here", "there", "turned", "told_once", "untested"),
    [
        ((1, 4.0), (1, 5.0), False, False, False),
        ((1, 4.0), (0, 2.0), False, True, False),
        ((1, 1.5), (-1, -1.5), True, False, False),
        ((1, 9.0), (0, 0.0), True, False, False),
        ((1, 9.0), (1, 2.0), True, False, False),
        ((0, 1.0), (None, 0.0), False, False, True),
        ((None, 0.0), (-1, -4.0), False, False, True),
        ((None, 0.0), (None, 0.0), False, False, False),
    ],
)
def test_an_effect_is_turned_where_both_looks_speak_against_each_other(
    here: tuple[int | None, float],
    there: tuple[int | None, float],
    turned: bool,
    told_once: bool,
    untested: bool,
) -> None:
    """Opposite signs, or gains that are told apart. To be told in one look is chance, and a study
    of one seed a setting has no effect to compare.
    """
    name = ("xnli", "a")
    sides = [{name: conclusion(50.0, *one)} for one in (here, there)]
    found = compare_conclusions(*sides, {}, {})
    assert found.turned == [name] * turned
    assert found.told_once == [name] * told_once
    assert found.untested == [name] * untested
    assert found.effects == (None not in (here[0], there[0]))
    assert found.same is not turned


@pytest.mark.parametrize(
    ("here", "there", "contradicted", "once"),
    [
        ("reproduced", "not reproduced", 1, 0),
        ("not reproduced", "reproduced", 1, 0),
        ("undecided", "reproduced", 0, 1),
        ("not reproduced", "undecided", 0, 1),
        ("reproduced", "reproduced", 0, 0),
    ],
)
def test_a_claim_is_contradicted_by_the_opposite_verdict_alone(
    here: str, there: str, contradicted: int, once: int
) -> None:
    """Undecided says that an interval holds both."""
    same = {("xnli", "a"): conclusion(50.0, 1)}
    found = compare_conclusions(same, same, {"x": ("c", here)}, {"x": ("c", there)})
    assert (len(found.contradicted), len(found.decided_once)) == (contradicted, once)
    assert found.same is not bool(contradicted)
