"""Nearest neighbours by cosine, the prediction that retrieval targets are scored on.

Source: `similarity_search(normalize=True)` of third_party/utils_retrieve.py in
google-research/xtreme, commit 838c13b (there with faiss). Tatoeba searches from the English side
into the foreign one: `nearest(english, foreign)[i]` is the foreign row for English row i.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1024  # queries per product, which bounds memory at _BLOCK x pool rows


def nearest(queries: NDArray[np.floating], pool: NDArray[np.floating]) -> NDArray[np.int64]:
    """Row number in `pool` (p, d) of the nearest neighbour of each of `queries` (q, d), by cosine.

    Computed in float32; of equal neighbours the lowest row wins. A row of zeros is as far from
    everything as orthogonal rows are.

    Raises:
        ValueError: shapes do not fit, `pool` is empty, or a value is not finite.
    """
    if queries.ndim != 2 or pool.ndim != 2 or queries.shape[1] != pool.shape[1]:
        raise ValueError(f"queries {queries.shape} and pool {pool.shape} are not (q, d) and (p, d)")
    if not len(pool):
        raise ValueError("the pool has no rows")
    ours, theirs = unit_rows(queries), unit_rows(pool)
    best = [
        np.argmax(ours[start : start + _BLOCK] @ theirs.T, axis=1)
        for start in range(0, len(ours), _BLOCK)
    ]
    found = np.concatenate([np.empty(0, np.int64), *best])
    first: NDArray[np.int64] = _first_copy(theirs)[found]
    return first


def unit_rows(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows (n, d) as float32 of length 1; rows of zeros stay.

    Raises:
        ValueError: a value is not finite.
    """
    if not np.isfinite(rows).all():
        raise ValueError("embeddings hold values that are not finite")
    single = np.ascontiguousarray(rows, dtype=np.float32)
    length = np.linalg.norm(single, axis=1, keepdims=True)
    return np.divide(single, np.where(length > 0, length, 1), dtype=np.float32)


def _first_copy(rows: NDArray[np.float32]) -> NDArray[np.int64]:
    """For each row the number of the first equal row.

    A matrix product may round equal rows differently by where they stand, so that argmax alone
    does not keep the promise about ties.
    """
    seen: dict[bytes, int] = {}
    return np.array([seen.setdefault(row.tobytes(), at) for at, row in enumerate(rows)], np.int64)
