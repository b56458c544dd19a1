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
"""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]
Feature = dict[str, Any]  # "ids": token ids of each sequence; "row": index of its row; labels


def get(name: str) -> Any:
    """The module of a kind (imported here, as each brings torch)."""
    from xstilts.kinds import classification, mlm, multiple_choice, retrieval, span, tagging

    return {
        "classification": classification,
        "mlm": mlm,
        "multiple_choice": multiple_choice,
        "retrieval": retrieval,
        "span": span,
        "tagging": tagging,
    }[name]
