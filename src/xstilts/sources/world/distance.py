"""How far the control world's languages are from its source, in words: what URIEL cannot know.

A language's distance is the share of its nouns that are `alone` there: neither the source's own
word nor brought together with it by parallel text (words.py). What is learnt of the source's nouns
can hold for all others, so it is from this distance that the right scores fall. Not comparable with
the distances of tasks/distances.py.
"""

from __future__ import annotations

from xstilts.sources.world.words import SHARES

SOURCE = "qaa"


def distance(source: str, language: str, parallel: bool = True) -> float | None:
    """From 0 to 1, the same in both directions; None where neither of the two is `qaa`.

    Args:
        parallel: whether the world's text says things in two languages at once (`data.world`); if
            not, only the source's own words are common.
    """
    if not {source, language} <= SHARES.keys() or SOURCE not in (source, language):
        return None
    shares = SHARES[language if source == SOURCE else source]
    return round(1 - shares.same - (shares.parallel if parallel else 0.0), 4)
