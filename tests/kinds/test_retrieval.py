"""Nearest neighbours by cosine and by ratio margin, against the formula written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.evaluation import search

ROWS = {"queries": st.integers(1, 12), "pool": st.integers(1, 12), "seed": st.integers(0, 99)}


def margin_by_hand(queries: np.ndarray, pool: np.ndarray, k: int) -> tuple[np.ndarray, list]:
    """All margins [q, p] in float64, and each query's k nearest rows."""
    ours, theirs = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, pool))
    cosines = ours @ theirs.T
    forward = np.sort(cosines, axis=1)[:, ::-1][:, :k].mean(axis=1)
    backward = np.sort(cosines, axis=0)[::-1][:k].mean(axis=0)
    near = [list(np.argsort(-row, kind="stable")[:k]) for row in cosines]
    return cosines / ((forward[:, None] + backward[None]) / 2), near


@given(**ROWS)
def test_the_margin_is_that_of_the_formula(queries: int, pool: int, seed: int) -> None:
    """Of each query's k nearest rows the one with the largest ratio is taken, as in the source."""
    rng = np.random.default_rng(seed)
    x, y = rng.random((queries, 6)), rng.random((pool, 6))  # no cosine is near 0
    margins, near = margin_by_hand(x, y, search.NEIGHBOURS)
    wanted = [rows[int(np.argmax(margins[q, rows]))] for q, rows in enumerate(near)]
    found = search.match(x, y, "margin")
    for q, (ours, theirs) in enumerate(zip(found, wanted, strict=True)):
        assert ours in near[q]
        # Float32 may swap two that are equal to six digits.
        assert margins[q, ours] == pytest.approx(margins[q, theirs], rel=1e-5)


def test_a_hub_wins_by_cosine_and_loses_by_margin() -> None:
    """What the margin is for: a row near to all queries is no answer to any."""
    size, near = 4, 0.4
    queries = np.hstack([np.eye(size), np.zeros((size, size))])
    own = np.hstack([near * np.eye(size), np.sqrt(1 - near**2) * np.eye(size)])
    hub = queries.sum(axis=0, keepdims=True)  # its cosine to each query is 0.5
    pool = np.vstack([own, hub])
    assert search.match(queries, pool, "cosine").tolist() == [size] * size
    assert search.match(queries, pool, "margin").tolist() == list(range(size))


def test_of_equal_neighbours_the_lowest_row_is_taken() -> None:
    """Copies in a pool must not make a score depend on how a library sorts."""
    rng = np.random.default_rng(1)
    row = rng.random((1, 5))
    pool = np.vstack([rng.random((2, 5)), row, row, row])
    for similarity in ("cosine", "margin"):
        assert search.match(row, pool, similarity).tolist() == [2]
