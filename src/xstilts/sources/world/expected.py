"""The right answer, counted from what a model was taught; nothing is fitted, nothing is trained.

The class of a noun is known in the language in which it was taught, and where both its word there
and the word that asks for it are aligned; of all other nouns a class is guessed. A translation is
found where its noun is aligned; else it is any of those with the same verb.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from xstilts.core.params import Expected
from xstilts.sources.world.words import CLASSES, NOUNS, Language, make_languages


def expected(asked: Expected, code: str, texts: Sequence[str], taught: Collection[str]) -> float:
    """The score (0-100) that follows in a language.

    Args:
        texts: the sentences that are scored.
        taught: words that phase ii labelled, rightly.
    """
    languages = make_languages(asked.seed, asked.parallel)
    own = languages[code]
    asks = [_read(own, text) for text in texts]
    if asked.asks == "translation":
        return _found(own, asks)
    words = set(taught)
    known = {noun for noun in range(NOUNS) if own.nouns[noun] in words}
    known |= {
        noun
        for noun in range(NOUNS)
        if own.aligned(noun)
        and any(one.aligned(noun) and one.nouns[noun] in words for one in languages.values())
    }
    right = sum(noun in known for noun, _ in asks)
    return 100 * (right + (len(asks) - right) / CLASSES) / len(asks)


def _found(language: Language, asks: Sequence[tuple[int, str]]) -> float:
    """The share of the translations that is found."""
    alike = Counter(verb for _, verb in asks)
    found = [1.0 if language.aligned(noun) else 1 / alike[verb] for noun, verb in asks]
    return 100 * sum(found) / len(found)


def _read(language: Language, text: str) -> tuple[int, str]:
    """(number of the noun, verb) of a sentence in either order."""
    first, second = text.split()
    noun, verb = (first, second) if first in language.nouns else (second, first)
    return language.nouns.index(noun), verb
