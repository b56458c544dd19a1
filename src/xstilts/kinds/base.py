"""What modules of kinds share: rows, features, and how texts become token ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]
# "ids": token ids of each sequence; "types", where the tokenizer has them: 0 and 1 in parallel;
# "row": index of its row; labels. What values may be, and what types they come back in from the
# store of features: features.py.
Feature = dict[str, Any]


def encoded(pairs: Sequence[tuple[str, str | None]], tokenizer: Any, length: int) -> list[Feature]:
    """{"ids": [ids]} (and "types") of each text or pair of texts, the longer text cut first."""
    features: list[Feature] = [{} for _ in pairs]
    for paired in (False, True):
        chosen = [i for i, (_, second) in enumerate(pairs) if (second is not None) == paired]
        if not chosen:
            continue
        firsts = [pairs[i][0] for i in chosen]
        seconds = [pairs[i][1] for i in chosen] if paired else None
        found = tokenizer(firsts, seconds, truncation=True, max_length=length)
        for place, i in enumerate(chosen):
            features[i] = sequence(found, place)
    return features


def sequence(found: Any, place: int) -> Feature:
    """One sequence of what a tokenizer gave; the types only where it has them."""
    types = {"types": [found["token_type_ids"][place]]} if "token_type_ids" in found else {}
    return {"ids": [found["input_ids"][place]], **types}
