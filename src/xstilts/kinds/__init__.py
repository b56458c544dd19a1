"""Kinds decide the machinery: encode, head, loss, decode. One module each, with the same names.

texts(row)                      -> [(text, pair or None)]   what a row reads as, for pretraining
encode(rows, tokenizer, length, stride) -> features         token ids and labels, one or more a row
head(hidden, labels, dropout)   -> nn.Module
weight(feature)                 -> loss terms in a feature  (the loss is a mean over all terms)
loss(output, features)          -> summed loss of a micro-batch
outputs(output, features)       -> numpy arrays, one a feature
decode(outputs, features, rows, labels) -> one prediction a row, as the metric reads it
references(rows, labels)        -> what the metric compares with
shuffle(rows, rng)              -> rows whose labels say nothing (the negative control)

Some kinds make what is learnt from anew at each update, or of several features:

draw(features, rng, tokenizer, training) -> features        of one global batch
unit(training)                  -> features that `draw` makes one of (1 where there is none)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xstilts.core.params import Training

Row = dict[str, Any]
# "ids": token ids of each sequence; "types", where the tokenizer has them: 0 and 1 in parallel;
# "row": index of its row; labels
Feature = dict[str, Any]


def get(name: str) -> Any:
    """The module of a kind (imported here, as each brings torch)."""
    from xstilts.kinds import (
        classification,
        mining,
        mlm,
        multiple_choice,
        ranking,
        retrieval,
        span,
        tagging,
    )

    return {
        "classification": classification,
        "mining": mining,
        "mlm": mlm,
        "multiple_choice": multiple_choice,
        "ranking": ranking,
        "retrieval": retrieval,
        "span": span,
        "tagging": tagging,
    }[name]


def unit(kind: Any, training: Training) -> int:
    """How many features of a kind belong together in a drawn one."""
    return int(kind.unit(training)) if hasattr(kind, "unit") else 1


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
