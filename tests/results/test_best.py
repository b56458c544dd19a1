"""The best setting for each target: validation values decide, ranks where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from xstilts.results import best
from xstilts.results.samples import Sample, measure
from xstilts.results.scores import Group, Run

SQUAD, MNLI, CCG = (Group("single", task, "en", 1000) for task in ("squad", "mnli", "ccg"))
VALUES = {
    "xnli": {MNLI: 80.0, SQUAD: 70.0, CCG: 60.0},
    "xquad": {MNLI: 60.0, SQUAD: 75.0, CCG: 50.0},
    "tydiqa": {MNLI: 55.0, SQUAD: 65.0, CCG: 50.0},
}


def by_seed(values: dict, around: float = 1.0) -> dict:
    """Two seeds of each setting, whose mean is the value."""
    return {
        target: {group: {1: value - around, 2: value + around} for group, value in groups.items()}
        for target, groups in values.items()
    }


VALIDATION = by_seed(VALUES)


def test_each_target_takes_what_is_best_on_its_validation_rows() -> None:
    """One setting need not be best everywhere; the next best is named, to see how near it is."""
    found = {choice.target: choice for choice in best.choose(list(VALIDATION), VALIDATION)}
    assert {target: choice.group for target, choice in found.items()} == {
        "xnli": MNLI,
        "xquad": SQUAD,
        "tydiqa": SQUAD,
    }
    assert (found["xnli"].value, found["xnli"].second, found["xnli"].second_value) == (
        80.0, SQUAD, 70.0,
    )  # fmt: skip
    assert {choice.by for choice in found.values()} == {"validation"}


def test_a_target_without_validation_takes_the_best_mean_rank() -> None:
    """Retrieval is not trained, so nothing but the other targets can choose for it."""
    (choice,) = best.choose(["tatoeba"], VALIDATION)
    assert (choice.group, choice.by) == (SQUAD, "rank")
    assert choice.value == pytest.approx((2 + 1 + 1) / 3)
    assert choice.second == MNLI
    assert choice.second_value == pytest.approx((1 + 2 + 2) / 3)


def test_equals_share_their_rank_and_the_first_in_order_is_taken() -> None:
    """Equal numbers must give an equal choice on every machine."""
    same = {"xnli": {SQUAD: 70.0, MNLI: 70.0}}
    assert best.mean_ranks(same) == {SQUAD: 1.5, MNLI: 1.5}
    chosen = best.choose(["xnli", "tatoeba"], by_seed(same))
    assert [choice.group for choice in chosen] == [MNLI, MNLI]


def test_nothing_to_choose_from_is_no_choice() -> None:
    """A study of baselines only may ask for it."""
    assert best.choose(["xnli"], {"xnli": {}}) == []
    assert best.table_rows("s", [], [], {}) == []


def sample(scores: dict[Group, list[float]]) -> Sample:
    """A zero-shot mean with these scores of seeds 1, 2, ..."""
    runs = [Run(f"{g.label}-s{s}", g, s) for g, v in scores.items() for s in range(1, len(v) + 1)]
    num = np.zeros((len(runs), 100))
    for row, value in zip(num, (one for values in scores.values() for one in values), strict=True):
        row[: round(value)] = 1.0
    return measure(runs, num, np.ones_like(num))


def test_the_winners_curse_is_taken_back() -> None:
    """By hand: MNLI shines in seed 1 alone, SQuAD in seed 2; the seed left out judges."""
    validation = {"x": {MNLI: {1: 90.0, 2: 60.0}, SQUAD: {1: 65.0, 2: 80.0}}}
    found = sample({MNLI: [91.0, 61.0], SQUAD: [66.0, 81.0]})
    (choice,) = best.choose(["x"], validation)
    assert choice.group == MNLI
    # Without seed 1 SQuAD is chosen and scores 66 in seed 1; without seed 2 MNLI, which scores 61.
    assert best.corrected("x", found, validation) == pytest.approx((66 + 61) / 2)
    assert best.corrected("x", found, {"x": {MNLI: {1: 90.0}, SQUAD: {1: 65.0}}}) is None


def test_of_equal_settings_the_best_gains_nothing_once_corrected() -> None:
    """Twelve settings that differ by luck alone: the choice looks a point better, and is not."""
    rng = np.random.default_rng(0)
    groups = [Group("single", f"t{number}", "en", 1000) for number in range(12)]
    looks, corrected = [], []
    for _ in range(200):
        luck = rng.normal(scale=3.0, size=(12, 3))
        noise = rng.normal(scale=1.0, size=(12, 3))
        found = sample({g: (50 + own).tolist() for g, own in zip(groups, luck, strict=True)})
        validation = {
            "x": {
                g: dict(enumerate((50 + own).tolist(), 1))
                for g, own in zip(groups, luck + noise, strict=True)
            }
        }
        (choice,) = best.choose(["x"], validation)
        looks.append(found.value({choice.group: 1.0}) - 50)
        corrected.append(best.corrected("x", found, validation) - 50)
    assert np.mean(looks) > 1.5
    assert abs(np.mean(corrected)) < 0.4
