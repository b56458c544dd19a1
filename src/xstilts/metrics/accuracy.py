"""Accuracy: the share of examples that are right; and the two helpers that every metric shares.

Source: function `accuracy` of evaluate.py in google-research/xtreme, commit 838c13b.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any


def paired(predictions: list[Any], references: list[Any]) -> list[tuple[Any, Any]]:
    """Zip predictions with references.

    Raises:
        ValueError: there is nothing to score, or the lists differ in length.
    """
    if len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} predictions for {len(references)} references")
    if not references:
        raise ValueError("there are no examples to score")
    return list(zip(predictions, references, strict=True))


def percentage(fractions: Iterable[tuple[float, float]]) -> float:
    """100 * sum(num) / sum(den) over (num, den) pairs; 0 where the denominators sum to 0."""
    pairs = list(fractions)
    whole = math.fsum(den for _, den in pairs)
    return 100 * math.fsum(num for num, _ in pairs) / whole if whole else 0.0


def per_example(
    predictions: list[Any], references: list[Any], language: str
) -> list[tuple[float, float]]:
    """(1, 1) per right example, (0, 1) per wrong one."""
    return [(float(ours == gold), 1.0) for ours, gold in paired(predictions, references)]


def score(predictions: list[Any], references: list[Any], language: str) -> dict[str, float]:
    """`accuracy`, 0-100. The same in every language."""
    return {"accuracy": percentage(per_example(predictions, references, language))}
