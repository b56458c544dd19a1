"""Nearest neighbours: ties and norms. (Official numbers: test_golden.py.)

Run: python -m pytest tests/evaluation/test_search.py
"""

from typing import Any

import numpy as np
import pytest

from xstilts.evaluation.search import nearest
from xstilts.metrics import METRICS


def test_the_angle_decides_and_not_the_length() -> None:
    """Without normalising, the long row would win both queries."""
    pool = np.array([[100.0, 100.0], [1.0, 0.0]])
    assert nearest(np.array([[2.0, 0.1], [0.1, 0.2]]), pool).tolist() == [1, 0]


@pytest.mark.parametrize("queries", [1, 64])
def test_of_equal_neighbours_the_lowest_row_wins(queries: int) -> None:
    """Duplicate sentences occur; their order, not rounding, must decide.

    Matrix products round equal rows differently by where they stand, so a plain argmax errs.
    """
    rng = np.random.default_rng(0)
    for copies in range(2, 52):
        pool = np.repeat(rng.normal(size=(1, 33)), copies, axis=0)
        assert not nearest(rng.normal(size=(queries, 33)), pool).any(), copies


def test_queries_beyond_one_block_keep_their_rows() -> None:
    """Queries are multiplied block by block; 2,500 of them span three blocks."""
    pool = np.eye(5, dtype=np.float32)
    wanted = np.arange(2500) % 5
    assert nearest(pool[wanted], pool).tolist() == wanted.tolist()


@pytest.mark.parametrize(
    ("queries", "pool", "message"),
    [
        (np.ones((2, 3)), np.ones((2, 4)), "are not"),
        (np.ones((2, 3)), np.ones((0, 3)), "no rows"),
        (np.ones((2, 3)), np.full((2, 3), np.nan), "not finite"),
    ],
)
def test_embeddings_that_cannot_be_ranked_are_refused(
    queries: Any, pool: Any, message: str
) -> None:
    """argmax over nan gives an index, and so a score, without a word."""
    with pytest.raises(ValueError, match=message):
        nearest(queries, pool)


def test_a_row_of_zeros_finds_the_first_row() -> None:
    """All cosines are 0: a tie, and not a division by zero."""
    assert nearest(np.zeros((1, 2)), np.eye(2)).tolist() == [0]


def test_every_metric_is_listed_under_its_own_name() -> None:
    """Tasks name their metric; records print `Metric.name`."""
    assert {name: metric.name for name, metric in METRICS.items()} == {
        name: name for name in METRICS
    }
