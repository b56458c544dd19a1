"""Exact search block by block, and average precision. (Official numbers: test_golden.py.)

Run: python -m pytest tests/metrics/test_metric_ranking.py
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.evaluation import search
from xstilts.evaluation.search import top, unit_rows
from xstilts.metrics import METRICS
from xstilts.metrics.ranking import average_precision

# Whole numbers multiply without rounding, so ties are real and brute force is exact.
_vectors = st.lists(st.tuples(*[st.integers(-3, 3)] * 3), min_size=1, max_size=25)


@given(
    queries=_vectors,
    pool=_vectors,
    k=st.integers(1, 30),
    blocks=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_blocks_find_what_brute_force_finds(
    queries: list[tuple[int, ...]], pool: list[tuple[int, ...]], k: int, blocks: tuple[int, int]
) -> None:
    """A pool of a million rows is never multiplied at once; no neighbour may be lost thereby."""
    q, p = np.array(queries, np.float32), np.array(pool, np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "_QUERIES", blocks[0])
        patch.setattr(search, "_POOL", blocks[1])
        scores, rows = top(q, p, k)
    products = (q @ p.T).tolist()
    wanted = [
        sorted(range(len(pool)), key=lambda row, own=own: (-own[row], row))[:k] for own in products
    ]
    assert rows.tolist() == wanted
    assert scores.tolist() == [
        [own[row] for row in best] for own, best in zip(products, wanted, strict=True)
    ]


def test_the_angle_ranks_and_not_the_length() -> None:
    """Mewsli-X normalises its candidates; LAReQA's are of length 1 from the start."""
    pool = np.array([[100.0, 100.0], [1.0, 0.0], [0.0, -1.0]])
    found = top(unit_rows(np.array([[2.0, 0.1]])), unit_rows(pool), 2)[1]
    assert found.tolist() == [[1, 0]]


def test_what_cannot_be_ranked_is_refused() -> None:
    """An empty pool or a nan would give indices, and so a score, without a word."""
    with pytest.raises(ValueError, match="are not"):
        top(np.ones((2, 3), np.float32), np.ones((2, 4), np.float32), 1)
    with pytest.raises(ValueError, match="2 neighbours among 0 rows"):
        top(np.ones((2, 3), np.float32), np.ones((0, 3), np.float32), 2)
    with pytest.raises(ValueError, match="0 neighbours"):
        top(np.ones((2, 3), np.float32), np.ones((2, 3), np.float32), 0)
    with pytest.raises(ValueError, match="not finite"):
        unit_rows(np.full((2, 3), np.nan))


@pytest.mark.parametrize(
    ("ranked", "relevant", "k", "expected"),
    [
        ("abc", "a", None, 1),
        ("bac", "a", None, 1 / 2),
        ("aab", "ab", None, (1 + 2 / 3) / 2),  # a repeated id counts once and takes its place
        ("ab", "abcdef", 2, 1),  # no more than k can be found
        ("bca", "a", 2, 0),
        ("", "a", 20, 0),
    ],
)
def test_average_precision_by_hand(
    ranked: str, relevant: str, k: int | None, expected: float
) -> None:
    """The rules one by one, for machines without golden files."""
    assert average_precision(list(ranked), list(relevant), k) == pytest.approx(expected)


def test_only_the_first_twenty_count() -> None:
    """That is the 20 in the metric's name."""
    others = [f"x{number}" for number in range(20)]
    score = METRICS["map_at_20"].score
    assert score([[*others[:19], "a"], [*others, "a"]], [["a"], ["a"]], "en") == {"map_at_20": 2.5}


def test_a_query_without_a_right_answer_is_refused() -> None:
    """Dividing by zero, as the source does, stops it too, but does not say why."""
    with pytest.raises(ValueError, match="without relevant candidates"):
        METRICS["map_at_20"].score([["a"]], [[]], "en")
