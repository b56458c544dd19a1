"""In which order languages stand on the page: the source first, then by distance from it."""

from __future__ import annotations

from collections.abc import Iterable

from xstilts.sources.distance import SAID as MEASURE
from xstilts.sources.distance import distance

SAID = f"the source first, then by distance from it ({MEASURE})"


def order(languages: Iterable[str], source: str) -> list[str]:
    """The source, then the nearest to the farthest; those of unknown distance last, by code."""

    def place(language: str) -> tuple[bool, bool, float, str]:
        away = distance(source, language)
        return language != source, away is None, away or 0.0, language

    return sorted(languages, key=place)
