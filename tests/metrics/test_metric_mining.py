"""Mining of translations: against brute force, and its rules by hand. (Official: test_golden.py.)

Run: python -m pytest tests/metrics/test_metric_mining.py
"""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from xstilts.evaluation.search import Candidate, apply, best_threshold, mine
from xstilts.metrics import METRICS


def _brute(x: NDArray[np.float64], y: NDArray[np.float64], k: int) -> list[tuple[int, int, float]]:
    """The protocol in its plainest form: all pairs, one after the other."""
    x, y = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (x, y))
    near_x = [sorted(range(len(y)), key=lambda j, i=i: -(x[i] @ y[j]))[:k] for i in range(len(x))]
    near_y = [sorted(range(len(x)), key=lambda i, j=j: -(x[i] @ y[j]))[:k] for j in range(len(y))]
    mean_x = [np.mean([x[i] @ y[j] for j in near]) for i, near in enumerate(near_x)]
    mean_y = [np.mean([x[i] @ y[j] for i in near]) for j, near in enumerate(near_y)]
    margin = {
        (i, j): (x[i] @ y[j]) / ((mean_x[i] + mean_y[j]) / 2)
        for i in range(len(x))
        for j in range(len(y))
    }
    best = [max(((i, j) for j in near), key=margin.__getitem__) for i, near in enumerate(near_x)]
    best += [max(((i, j) for i in near), key=margin.__getitem__) for j, near in enumerate(near_y)]
    found: list[tuple[int, int, float]] = []
    free_x, free_y = set(range(len(x))), set(range(len(y)))
    for i, j in sorted(best, key=margin.__getitem__, reverse=True):
        if i in free_x and j in free_y:
            free_x.remove(i)
            free_y.remove(j)
            if margin[i, j] > 0:
                found.append((i, j, margin[i, j]))
    return found


@pytest.mark.parametrize("seed", range(40))
def test_finds_what_brute_force_finds(seed: int) -> None:
    """Sizes from one sentence to more than k, negative cosines among them."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 14, size=2)
    x, y = (rng.normal(size=(size, 5)) + 0.3 for size in sizes)
    texts = [
        [f"{side}{row}" for row in range(size)] for side, size in zip("xy", sizes, strict=True)
    ]
    found, wanted = mine(x, y, *texts), _brute(x, y, 4)
    assert [pair[:2] for pair in found] == [pair[:2] for pair in wanted]
    assert [pair.score for pair in found] == pytest.approx([pair[2] for pair in wanted], rel=1e-3)


def test_pairs_come_best_first_and_share_no_sentence() -> None:
    """What the threshold is cut from."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 4)), rng.normal(size=(40, 4))
    found = mine(x, y, [f"x{row}" for row in range(30)], [f"y{row}" for row in range(40)])
    assert all(one.score >= other.score > 0 for one, other in pairwise(found))
    assert len({one.foreign for one in found}) == len({one.english for one in found}) == len(found)


E1, E2, E3 = np.eye(3)


def test_equal_sentences_are_one_with_the_last_embedding_and_are_then_left_out() -> None:
    """Their ids are ambiguous; but they are mined, so each takes its partner with it."""
    x = np.array([E1, E2, E3, E1 + 0.3 * E2])
    y = np.array([E1, E2, E3]) + 0.1
    alone = mine(x, y, ["a", "b", "c", "d"], ["p", "q", "r"])
    assert {pair[:2] for pair in alone} == {(0, 0), (1, 1), (2, 2)}
    # a stands at E3 now and takes r, so that p is free for d.
    twice = mine(x, y, ["a", "b", "a", "d"], ["p", "q", "r"])
    assert {pair[:2] for pair in twice} == {(1, 1), (3, 0)}
    swapped = mine(y, x, ["p", "q", "r"], ["a", "b", "a", "d"])
    assert {pair[:2] for pair in swapped} == {(1, 1), (0, 3)}


def test_sentences_equal_but_for_blanks_are_left_out_too() -> None:
    """The source mines them apart and looks their ids up without the blanks."""
    x, y = np.array([E1, E2, E3]), np.array([E1, E2, E3]) + 0.1
    assert {pair[:2] for pair in mine(x, y, ["a", "b", "a "], ["p", "q", "r"])} == {(1, 1)}


def test_rows_of_zeros_are_no_pair() -> None:
    """0 / 0 is no margin."""
    assert mine(np.zeros((1, 3)), np.zeros((1, 3)), ["a"], ["b"]) == []


def test_what_does_not_fit_is_refused() -> None:
    """Texts decide which rows are one: they must be those of the embeddings."""
    with pytest.raises(ValueError, match="for 1 sentences"):
        mine(np.ones((2, 3)), np.ones((2, 3)), ["a"], ["p", "q"])
    with pytest.raises(ValueError, match="not finite"):
        mine(np.full((1, 3), np.nan), np.ones((1, 3)), ["a"], ["p"])
    with pytest.raises(ValueError, match="neighbours among 0 rows"):
        mine(np.ones((0, 3)), np.ones((1, 3)), [], ["p"])


def _candidates(*scores: float) -> list[Candidate]:
    return [Candidate(row, row, score) for row, score in enumerate(scores)]


def test_the_threshold_lies_half_way_to_the_next_candidate() -> None:
    """Two right ones, then wrong ones."""
    found = _candidates(1.5, 1.4, 1.2, 1.1)
    threshold = best_threshold(found, {(0, 0), (1, 1)})
    assert threshold == pytest.approx(1.3)
    assert [pair.foreign for pair in apply(found, threshold)] == [0, 1]


def test_all_candidates_are_taken_where_that_is_best() -> None:
    """The source fails with an IndexError there, as it has no next candidate."""
    found = _candidates(1.5, 1.4)
    threshold = best_threshold(found, {(0, 0), (1, 1)})
    assert threshold == 1.4
    assert apply(found, threshold) == found


def test_without_a_right_candidate_all_are_taken() -> None:
    """As in the source, whose threshold stays 0."""
    assert best_threshold(_candidates(1.5), {(7, 7)}) == 0
    assert best_threshold([], {(7, 7)}) == 0
    assert best_threshold(_candidates(1.5), set()) == 0


@given(
    right=st.lists(st.booleans(), min_size=1, max_size=30),
    missed=st.integers(0, 5),
)
def test_no_other_threshold_is_better(right: list[bool], missed: int) -> None:
    """Against every cut there is."""
    found = _candidates(*(2 - row / 100 for row in range(len(right))))
    gold = {(row, row) for row, is_right in enumerate(right) if is_right}
    gold |= {(100 + row, 100) for row in range(missed)}

    def f1(taken: int) -> float:
        return 2 * sum(right[:taken]) / (taken + len(gold)) if taken + len(gold) else 0.0

    taken = len(apply(found, best_threshold(found, gold)))
    assert f1(taken) == pytest.approx(max(f1(cut) for cut in range(len(right) + 1)))


def test_pairs_are_counted_by_foreign_sentence() -> None:
    """Two right of three predicted and four gold; an id named twice counts once."""
    score = METRICS["mining_f1"].score(
        [["a", "a"], ["b"], ["x"], []], [["a"], ["b", "c"], [], ["d"]], "de"
    )
    assert score == pytest.approx({"f1": 400 / 7, "precision": 200 / 3, "recall": 50})
