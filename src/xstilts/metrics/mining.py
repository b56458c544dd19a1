"""F1, precision and recall of the pairs that mining finds in two lists of sentences (BUCC).

Source: `bucc_f1` of evaluate.py in google-research/xtreme, commit 838c13b. The pairs themselves are
found in evaluation/search.py.
"""

from __future__ import annotations

from xstilts.metrics.accuracy import paired, percentage


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
