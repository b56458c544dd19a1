"""Exact nearest neighbours: ranked pools, retrieval, mining of translations. Pure.

Used by evaluation/predictors.py on embeddings; what is found is scored in metrics/. Sources, all in
google-research/xtreme, commit 838c13b: for ranked pools evaluate_retrieval.py (there with faiss or
a sort of all products); for the others third_party/utils_retrieve.py, there with faiss.

Retrieval by cosine is `similarity_search(normalize=True)`. Tatoeba searches from the English side
into the foreign one: `nearest(english, foreign)[i]` is the foreign row for English row i.

Mining (BUCC) is `mine_bitext` (cosine, ratio margin, "max" of both directions), `bucc_optimize` and
`bucc_extract`. The protocol: mine both splits, take the threshold from the first one's gold pairs
(`best_threshold`), cut the second one there (`apply`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 4  # whose mean cosine a margin is measured by
_QUERIES, _POOL = 1024, 16384  # rows of one product: 64 MiB of scores, whatever the pool's size
_BLOCK = 1024  # queries per product of `nearest`: memory is at most _BLOCK x pool rows


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


def top(
    queries: NDArray[np.float32], pool: NDArray[np.float32], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The k largest inner products of each query (q, d) with pool rows (p, d), exactly.

    Returns products and pool rows, each (q, min(k, p)), best first, of equal ones the lower row
    first. Never holds more than a block of products. Between unit rows it goes by cosine, whose
    order is that of both published scripts: LAReQA's encoders give unit vectors, Mewsli-X
    normalises candidates.

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


def match(
    queries: NDArray[np.floating], pool: NDArray[np.floating], similarity: str
) -> NDArray[np.int64]:
    """Row in `pool` (p, d) of the nearest neighbour of each of `queries` (q, d).

    `similarity` is "cosine" or "margin"; of equal neighbours the lowest row is taken.

    Raises:
        ValueError: shapes do not fit, `pool` is empty, or a value is not finite.
    """
    return nearest(queries, pool) if similarity == "cosine" else by_margin(queries, pool)


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


def _first_copy(rows: NDArray[np.float32]) -> NDArray[np.int64]:
    """For each row the number of the first equal row.

    A matrix product may round equal rows differently by where they stand, so that argmax alone
    does not keep the promise about ties.
    """
    seen: dict[bytes, int] = {}
    return np.array([seen.setdefault(row.tobytes(), at) for at, row in enumerate(rows)], np.int64)


def by_margin(
    queries: NDArray[np.floating], pool: NDArray[np.floating], k: int = NEIGHBOURS
) -> NDArray[np.int64]:
    """The best of each query's k nearest rows by cos(x, y) / ((mean_k(x) + mean_k(y)) / 2).

    mean_k is the mean cosine of a row to its k nearest rows on the other side: a row that is near
    to everything (a hub) gains nothing by it.
    """
    ours, theirs = unit_rows(queries), unit_rows(pool)
    cosines, found = top(ours, theirs, k)
    around = top(theirs, ours, k)[0].mean(axis=1)
    between = (cosines.mean(axis=1)[:, None] + around[found]) / 2
    margins = np.where(between == 0, 0, cosines / np.where(between == 0, 1, between))
    # Neighbours come best first; of equal margins the lowest row is wanted.
    lowest = np.where(margins == margins.max(axis=1, keepdims=True), found, len(pool))
    best: NDArray[np.int64] = lowest.min(axis=1)
    return best


class Candidate(NamedTuple):
    """A pair that may be a translation: row of the foreign side, row of the English one, margin."""

    foreign: int
    english: int
    score: float


def mine(
    foreign: NDArray[np.floating],
    english: NDArray[np.floating],
    foreign_texts: list[str],
    english_texts: list[str],
    k: int = NEIGHBOURS,
) -> list[Candidate]:
    """Candidate pairs of foreign (f, d) with English (e, d) sentences, best first.

    A pair's score is its cosine over the mean cosine to the k nearest neighbours of both sides.
    Each sentence is in one pair at most; only scores above 0 are kept. Equal sentences are one
    while mining, with the embedding of the last copy; their pairs are then left out, since their
    ids are ambiguous. Computed in float32, block by block.

    Raises:
        ValueError: shapes or lengths do not fit, a side is empty, or a value is not finite.
    """
    sides = [_unify(foreign, foreign_texts), _unify(english, english_texts)]
    x, y = (unit_rows(rows) for rows, _ in sides)
    found = _pairs(x, y, k)
    clear = [_unambiguous(foreign_texts), _unambiguous(english_texts)]
    rows = [last for _, last in sides]
    pairs = ((int(rows[0][i]), int(rows[1][j]), score) for i, j, score in found)
    return [Candidate(i, j, score) for i, j, score in pairs if clear[0][i] and clear[1][j]]


def _unify(
    embeddings: NDArray[np.floating], texts: list[str]
) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
    """Embeddings of the different texts in order of first sight, and each one's last row."""
    if embeddings.ndim != 2 or len(embeddings) != len(texts):
        raise ValueError(f"embeddings {embeddings.shape} for {len(texts)} sentences")
    last = np.array(list({text: row for row, text in enumerate(texts)}.values()), np.int64)
    return embeddings[last], last


def _unambiguous(texts: list[str]) -> list[bool]:
    """Whether no other text is equal but for blanks around it, as the source compares for ids."""
    counts: dict[str, int] = {}
    for text in texts:
        counts[text.strip()] = counts.get(text.strip(), 0) + 1
    return [counts[text.strip()] == 1 for text in texts]


def _pairs(x: NDArray[np.float32], y: NDArray[np.float32], k: int) -> list[tuple[int, int, float]]:
    """(row of x, row of y, margin): the best pairs that share no row, best first."""
    forward, backward = top(x, y, k), top(y, x, k)
    mean_x, mean_y = forward[0].mean(axis=1), backward[0].mean(axis=1)
    x_best, x_scores = _best_margin(*forward, mean_x, mean_y)
    y_best, y_scores = _best_margin(*backward, mean_y, mean_x)
    left = np.concatenate([np.arange(len(x)), y_best])
    right = np.concatenate([x_best, np.arange(len(y))])
    scores = np.concatenate([x_scores, y_scores])
    found: list[tuple[int, int, float]] = []
    used: tuple[set[int], set[int]] = set(), set()
    for at in np.argsort(-scores, kind="stable"):
        i, j, score = int(left[at]), int(right[at]), float(scores[at])
        if i not in used[0] and j not in used[1]:
            used[0].add(i)
            used[1].add(j)
            if score > 0:
                found.append((i, j, score))
    return found


def _best_margin(
    cosines: NDArray[np.float32],
    neighbours: NDArray[np.int64],
    own_mean: NDArray[np.float32],
    their_mean: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Of each row's neighbours (n, k) the one with the largest ratio margin, and that margin."""
    between = (own_mean[:, None] + their_mean[neighbours]) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        margins = np.nan_to_num(cosines / between, nan=0.0)  # 0 / 0: rows of zeros are no pair
    best = margins.argmax(axis=1)
    row = np.arange(len(margins))
    return neighbours[row, best], margins[row, best]


def best_threshold(candidates: list[Candidate], gold: Collection[tuple[int, int]]) -> float:
    """The score from which on pairs are taken, such that F1 against `gold` is largest.

    Half way between the last pair taken and the next; the first such place where several are as
    good. Where it is best to take all, the source looks for a next pair and fails with an
    IndexError: the last pair's own score is returned then. 0, which takes all, where no pair is
    right.

    Args:
        candidates: best first, as `mine` gives them.
        gold: (foreign row, English row) of the true pairs.
    """
    true, right, best, threshold = set(gold), 0, 0.0, 0.0
    for taken, pair in enumerate(candidates, 1):
        right += pair[:2] in true
        f1 = _f1(right, taken, len(true))
        if f1 > best:
            best = f1
            threshold = (pair.score + candidates[min(taken, len(candidates) - 1)].score) / 2
    return threshold


def _f1(right: int, taken: int, gold: int) -> float:
    """By way of precision and recall: their rounding decides between places that are as good."""
    if not right:
        return 0.0
    precision, recall = right / taken, right / gold
    return 2 * precision * recall / (precision + recall)


def apply(candidates: list[Candidate], threshold: float) -> list[Candidate]:
    """The candidates that score `threshold` or more."""
    return [pair for pair in candidates if pair.score >= threshold]
