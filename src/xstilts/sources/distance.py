"""How far two languages are apart: by URIEL's syntax, in the control world by their words."""

from __future__ import annotations

from xstilts.sources.world import distance as world
from xstilts.tasks import distances
from xstilts.tasks.languages import LANGUAGES

SAID = "syntax; of made-up ones, words"


def distance(source: str, language: str, parallel: bool = True) -> float | None:
    """From 0 to 1; None for a language that neither knows.

    Args:
        parallel: whether the control world's text says things in two languages at once.
    """
    made_up = world.distance(source, language, parallel)
    if made_up is not None or not {source, language} <= LANGUAGES.keys():
        return made_up
    return distances.distance(source, language, "syntactic")
