"""Retrieval of translations (Tatoeba): nothing is trained; each text's nearest neighbour is taken.

Embeddings are made in embedding.py. Two similarities, both of google-research/xtreme, commit
838c13b, third_party/utils_retrieve.py: the cosine (`similarity_search`), and the ratio margin of
Artetxe and Schwenk 2019 (arXiv 1811.01136; `mine_bitext` with mode "search").
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from xstilts.kinds import Feature, Row
from xstilts.metrics.ranking import top
from xstilts.metrics.retrieval import nearest, unit_rows

NEIGHBOURS = 4  # k of the margin, as in the source


def texts(row: Row) -> list[tuple[str, str | None]]:
    """Both sentences, apart: a parallel pair would teach the very thing that is tested."""
    return [(row["text_a"], None), (row["text_b"], None)]


def outputs(output: Tensor, features: list[Feature]) -> list[Any]:
    """The embedding [hidden] of each text, float32."""
    return list(output.float().cpu().numpy())


def match(
    queries: NDArray[np.floating], pool: NDArray[np.floating], similarity: str
) -> NDArray[np.int64]:
    """Row in `pool` (p, d) of the nearest neighbour of each of `queries` (q, d).

    `similarity` is "cosine" or "margin"; of equal neighbours the lowest row is taken.

    Raises:
        ValueError: shapes do not fit, `pool` is empty, or a value is not finite.
    """
    return nearest(queries, pool) if similarity == "cosine" else by_margin(queries, pool)


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
