"""Which pieces of a vocabulary the rows of any kind are read as, however long they are.

For `pretrain: {vocabulary: used}`. Each kind makes its own features here as everywhere, so that a
word's case, its spaces and its neighbours are those that a model sees. Only lengths are not asked
for: a text that is cut, or a window that is moved, has no other pieces than the whole one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xstilts.kinds import modules
from xstilts.kinds.base import Feature, Row, encoded

LONG = 1 << 20  # tokens: as many as a text has
BLOCK = 10_000  # rows at a time, which bounds memory


def pieces(kind: str, rows: list[Row], tokenizer: Any) -> NDArray[np.int64]:
    """The ids that are met in rows of any split: [ids], ascending, each once."""
    used = np.zeros(len(tokenizer), dtype=bool)
    for start in range(0, len(rows), BLOCK):
        for feature in _features(kind, rows[start : start + BLOCK], tokenizer):
            for ids in feature["ids"]:
                used[ids] = True
    return np.flatnonzero(used)


def _features(kind: str, rows: list[Row], tokenizer: Any) -> list[Feature]:
    """Rows as their kind reads them; texts alone, where it is embedded as it is."""
    module: Any = modules.get(kind)
    if hasattr(module, "read"):
        found: list[Feature] = module.read(rows, tokenizer, LONG)
        return found
    if hasattr(module, "encode"):
        return list(module.encode(rows, tokenizer, LONG, LONG))
    return encoded([text for row in rows for text in module.texts(row)], tokenizer, LONG)
