"""Retrieval of translations: nothing is trained, so only its text is of use elsewhere.

How it is scored is in stages/transfer.py (embed, then metrics.retrieval.nearest).
"""

from __future__ import annotations

from xstilts.kinds import Row


def texts(row: Row) -> list[tuple[str, str | None]]:
    """Both sentences, apart: a parallel pair would teach the very thing that is tested."""
    return [(row["text_a"], None), (row["text_b"], None)]
