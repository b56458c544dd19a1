"""Mean average precision of ranked candidates (LAReQA, Mewsli-X).

Sources in google-research/xtreme, commit 838c13b: LAReQA's `average_precision_at_k`
(third_party/utils_lareqa.py) and Mewsli-X's `mean_reciprocal_rank` (third_party/utils_mewslix.py),
which is the same number where one candidate is relevant. The rankings themselves are made in
evaluation/search.py.
"""

from __future__ import annotations

from xstilts.metrics.accuracy import paired, percentage

CUT = 20  # XTREME-R looks at the first 20 candidates


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
