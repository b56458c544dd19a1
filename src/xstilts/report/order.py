"""In which order languages stand on the page: the source first, then by distance from it."""

from __future__ import annotations

from collections.abc import Iterable

from xstilts.sources.world import distance as world
from xstilts.tasks import distances
from xstilts.tasks.languages import LANGUAGES

SAID = "the source first, then by distance from it (syntax; of made-up ones, words)"


def distance(source: str, language: str) -> float | None:
    """URIEL's syntactic distance, in the control world that of its words; None where unknown."""
    made_up = world.distance(source, language)
    if made_up is not None or not {source, language} <= LANGUAGES.keys():
        return made_up
    return distances.distance(source, language, "syntactic")


def order(languages: Iterable[str], source: str) -> list[str]:
    """The source, then the nearest to the farthest; those of unknown distance last, by code."""

    def place(language: str) -> tuple[bool, bool, float, str]:
        away = distance(source, language)
        return language != source, away is None, away or 0.0, language

    return sorted(languages, key=place)
