"""Mining of translations in two lists of sentences (BUCC): candidates, threshold, F1 of pairs.

Source: `mine_bitext` (cosine, ratio margin, "max" of both directions), `bucc_optimize` and
`bucc_extract` of third_party/utils_retrieve.py, and `bucc_f1` of evaluate.py, all in
google-research/xtreme, commit 838c13b. The protocol: mine both splits, take the threshold from the
first one's gold pairs (`best_threshold`), cut the second one there (`apply`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xstilts.metrics.accuracy import paired, percentage
from xstilts.metrics.ranking import top
from xstilts.metrics.retrieval import unit_rows

NEIGHBOURS = 4


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


def per_example(
    predictions: list[list[str]], references: list[list[str]], language: str
) -> list[tuple[float, float]]:
    """(2 * right, predicted + gold) pairs per foreign sentence; (0, 0) where there are none."""
    return [
        (2.0 * len(ours & gold), float(len(ours) + len(gold)))
        for ours, gold in _sets(predictions, references)
    ]


def score(
    predictions: list[list[str]], references: list[list[str]], language: str
) -> dict[str, float]:
    """`f1` (main), `precision` and `recall` of pairs, 0-100; 0 where nothing is right.

    Args:
        predictions: for each foreign sentence the ids of English ones found to translate it.
        references: the ids that do; both may be empty. An id named twice counts once.
    """
    counts = [(len(a & b), len(a), len(b)) for a, b in _sets(predictions, references)]
    return {
        "f1": percentage((2 * right, ours + gold) for right, ours, gold in counts),
        "precision": percentage((right, ours) for right, ours, _ in counts),
        "recall": percentage((right, gold) for right, _, gold in counts),
    }


def _sets(
    predictions: list[list[str]], references: list[list[str]]
) -> list[tuple[set[str], set[str]]]:
    return [(set(ours), set(gold)) for ours, gold in paired(predictions, references)]
