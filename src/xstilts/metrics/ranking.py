"""Ranked candidates: exact search by inner product, and the mean average precision of rankings.

Sources in google-research/xtreme, commit 838c13b: LAReQA's `average_precision_at_k`
(third_party/utils_lareqa.py) and Mewsli-X's `mean_reciprocal_rank` (third_party/utils_mewslix.py),
which is the same number where one candidate is relevant. The search is evaluate_retrieval.py's,
there with faiss or a sort of all products.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xstilts.metrics.accuracy import paired, percentage
from xstilts.metrics.retrieval import unit_rows

CUT = 20  # XTREME-R looks at the first 20 candidates
_QUERIES, _POOL = 1024, 16384  # rows of one product: 64 MiB of scores, whatever the pool's size


def rank(
    queries: NDArray[np.floating], candidates: NDArray[np.floating], k: int
) -> NDArray[np.int64]:
    """Rows of the k candidates (c, d) nearest to each query (q, d) by cosine: (q, min(k, c)).

    Best first; of equal products the lower row is first. Both scripts multiply: LAReQA's encoders
    give unit vectors, Mewsli-X normalises candidates, so cosine gives the same order in both.

    Raises:
        ValueError: as `top`.
    """
    return top(unit_rows(queries), unit_rows(candidates), k)[1]


def top(
    queries: NDArray[np.float32], pool: NDArray[np.float32], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The k largest inner products of each query (q, d) with pool rows (p, d), exactly.

    Returns products and pool rows, each (q, min(k, p)), best first, of equal ones the lower row
    first. Never holds more than a block of products.

    Raises:
        ValueError: shapes do not fit, k is below 1, or the pool is empty.
    """
    if queries.ndim != 2 or pool.ndim != 2 or queries.shape[1] != pool.shape[1]:
        raise ValueError(f"queries {queries.shape} and pool {pool.shape} are not (q, d) and (p, d)")
    if not len(pool) or k < 1:
        raise ValueError(f"cannot find {k} neighbours among {len(pool)} rows")
    k = min(k, len(pool))
    scores = np.empty((len(queries), k), np.float32)
    rows = np.empty((len(queries), k), np.int64)
    for start in range(0, len(queries), _QUERIES):
        block = slice(start, start + _QUERIES)
        scores[block], rows[block] = _top_of_block(queries[block], pool, k)
    return scores, rows


def _top_of_block(
    queries: NDArray[np.float32], pool: NDArray[np.float32], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """`top` of a few queries: the best so far, into which block after block is merged."""
    width = max(_POOL, k)
    number = np.arange(len(queries))
    scores = queries @ pool[:width].T
    # Products equal to the k-th stay in, so that the row number and not the sort breaks the tie.
    keep = scores >= np.partition(scores, -k, axis=1)[:, -k, None]
    of, found = np.nonzero(keep)
    best_scores, best_rows = _best(of, found, scores[keep], number, k)
    for start in range(width, len(pool), width):
        scores = queries @ pool[start : start + width].T
        keep = scores > best_scores[:, -1:]
        if keep.any():
            of, found = np.nonzero(keep)
            best_scores, best_rows = _best(
                np.concatenate([np.repeat(number, k), of]),
                np.concatenate([best_rows.ravel(), found + start]),
                np.concatenate([best_scores.ravel(), scores[keep]]),
                number,
                k,
            )
    return best_scores, best_rows


def _best(
    of: NDArray[np.int64],
    rows: NDArray[np.int64],
    scores: NDArray[np.float32],
    number: NDArray[np.int64],
    k: int,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The k best of triples (query, row, score) for each query in `number`; it has at least k."""
    order = np.lexsort((rows, -scores, of))
    taken = order[np.searchsorted(of[order], number)[:, None] + np.arange(k)]
    return scores[taken], rows[taken]


def average_precision(ranked: list[str], relevant: list[str], k: int | None = None) -> float:
    """AP@k of one ranking, 0-1: precisions at each first sight of a relevant id, over their best.

    The divisor is min(number of relevant ids, k); k None looks at the whole ranking. An id that is
    repeated counts where it stands first and takes up its places.

    Raises:
        ValueError: nothing is relevant (the source divides by zero).
    """
    if not relevant:
        raise ValueError("a query without relevant candidates has no average precision")
    wanted, hits, total = set(relevant), 0, 0.0
    for place, candidate in enumerate(ranked[:k], 1):
        if candidate in wanted:
            wanted.remove(candidate)
            hits += 1
            total += hits / place
    return total / min(len(relevant), k or len(relevant))


def per_example(
    predictions: list[list[str]], references: list[list[str]], language: str
) -> list[tuple[float, float]]:
    """(AP@20, 1) per query."""
    return [
        (average_precision(ranked, gold, CUT), 1.0)
        for ranked, gold in paired(predictions, references)
    ]


def score(
    predictions: list[list[str]], references: list[list[str]], language: str
) -> dict[str, float]:
    """`map_at_20`, 0-100: the mean over queries; an empty ranking is worth 0."""
    return {"map_at_20": percentage(per_example(predictions, references, language))}
