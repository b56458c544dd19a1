"""The world's words: five languages of nouns and verbs, and the hidden class of each noun.

`make_languages(seed)` gives qaa, the source, to qae, which shares no word with it. A noun's class
is its number modulo `CLASSES`; no text shows it, so only a task that labels the noun can teach it.
What is learnt of a source word holds for the same noun of another language where that is the same
word, or where parallel text has brought both words together. The shares of such nouns are exact. In
a world without parallel text the words are as they were, and what would be parallel is alone.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

NOUNS, VERBS, CLASSES = 240, 16, 4
CORE = 48  # the first nouns: those that a target is trained on
CONSONANTS, VOWELS = "ptkbdgmnlrsvz", "aeiou"
Origin = Literal["same", "parallel", "alone"]


@dataclass(frozen=True)
class Shares:
    """Where a language's words come from; the rest of its nouns is `alone`."""

    same: float  # the source's own word
    parallel: float  # a word of its own, which parallel text brings together with the source's


SHARES: dict[str, Shares] = {
    "qaa": Shares(same=1.0, parallel=0.0),
    "qab": Shares(same=0.6, parallel=0.25),
    "qac": Shares(same=0.4, parallel=0.3),
    "qad": Shares(same=0.2, parallel=0.35),
    "qae": Shares(same=0.0, parallel=0.4),
}


@dataclass(frozen=True)
class Language:
    """One language: its words by number, and where its nouns come from."""

    code: str
    nouns: tuple[str, ...]
    verbs: tuple[str, ...]
    origins: tuple[Origin, ...]  # of the nouns

    def aligned(self, noun: int) -> bool:
        """Whether what is known of the source's noun can be known of this language's."""
        return self.origins[noun] != "alone"


@lru_cache
def make_languages(seed: int, parallel: bool = True) -> Mapping[str, Language]:
    """All languages, keyed by code, source first; no word means two things in any of them."""
    rng = random.Random(f"{seed}/languages")
    taken: set[str] = set()
    nouns = tuple(_word(rng, 3, taken) for _ in range(NOUNS))
    verbs = tuple(_word(rng, 2, taken) for _ in range(VERBS))
    made = {}
    for code, shares in SHARES.items():
        # Apart in the core and the rest: both have the shares of the whole.
        origins: list[Origin] = [*_origins(rng, CORE, shares), *_origins(rng, NOUNS - CORE, shares)]
        own = [_own(rng, 3, taken, *noun) for noun in zip(nouns, origins, strict=True)]
        said = zip(verbs, _origins(rng, VERBS, shares), strict=True)
        acts = [_own(rng, 2, taken, *verb) for verb in said]
        if not parallel:
            origins = ["same" if origin == "same" else "alone" for origin in origins]
        made[code] = Language(code, tuple(own), tuple(acts), tuple(origins))
    return MappingProxyType(made)


def _origins(rng: random.Random, count: int, shares: Shares) -> list[Origin]:
    """Origins of `count` words in exact shares and random order."""
    same, aligned = round(shares.same * count), round((shares.same + shares.parallel) * count)
    origins: list[Origin] = ["same"] * same
    origins += ["parallel"] * (aligned - same)
    origins += ["alone"] * (count - aligned)
    rng.shuffle(origins)
    return origins


def _own(rng: random.Random, syllables: int, taken: set[str], source: str, origin: Origin) -> str:
    """A language's word for what the source says so."""
    return source if origin == "same" else _word(rng, syllables, taken)


def _word(rng: random.Random, syllables: int, taken: set[str]) -> str:
    """A new word."""
    while True:
        word = "".join(rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(syllables))
        if word not in taken:
            taken.add(word)
            return word
