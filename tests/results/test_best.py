"""The best setting for each target: validation values decide, ranks where there are none."""

from __future__ import annotations

import pytest

from xstilts.results import best
from xstilts.results.scores import Group

SQUAD, MNLI, CCG = (Group("single", task, "en", 1000) for task in ("squad", "mnli", "ccg"))
VALIDATION = {
    "xnli": {MNLI: 80.0, SQUAD: 70.0, CCG: 60.0},
    "xquad": {MNLI: 60.0, SQUAD: 75.0, CCG: 50.0},
    "tydiqa": {MNLI: 55.0, SQUAD: 65.0, CCG: 50.0},
}


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
    assert [choice.group for choice in best.choose(["xnli", "tatoeba"], same)] == [MNLI, MNLI]


def test_nothing_to_choose_from_is_no_choice() -> None:
    """A study of baselines only may ask for it."""
    assert best.choose(["xnli"], {"xnli": {}}) == []
    assert best.table_rows("s", []) == []
