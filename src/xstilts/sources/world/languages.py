"""Made-up languages at graded distance from a source: words, sound changes, orders.

`make_languages(seed)` gives qaa (the source) to qae (the farthest). Distance has three causes that
grow together: fewer shared words, more sound change, and other word orders (by probability, so that
scores fall by degrees). The same seed gives the same languages on every machine.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

CONCEPTS: dict[str, int] = {
    "name": 12,
    "verb": 4,
    "thing": 12,
    "quality": 4,
    "who": 1,
    "what": 1,
    "fronted": 1,  # the particle after an object that stands before its verb and subject
}
CONSONANTS = "ptkbdgmnlrsvz"
VOWELS = "aeiou"


@dataclass(frozen=True)
class Distance:
    """How a language differs from the source: shares of words, then probabilities.

    Attributes:
        same: a word is the source's own word.
        shifted: a word is the source's word after the language's sound changes (else: a new one).
        verb_last: a sentence has its verb after both subject and object.
        quality_last: a quality follows its thing.
        share: weight of the language in the pretraining text.
    """

    same: float
    shifted: float
    verb_last: float
    quality_last: float
    share: float


DISTANCES: dict[str, Distance] = {
    "qaa": Distance(same=1.0, shifted=0.0, verb_last=0.0, quality_last=0.0, share=1.0),
    "qab": Distance(same=0.6, shifted=0.3, verb_last=0.0, quality_last=0.0, share=1.0),
    "qac": Distance(same=0.4, shifted=0.3, verb_last=0.2, quality_last=0.5, share=0.8),
    "qad": Distance(same=0.2, shifted=0.3, verb_last=0.4, quality_last=1.0, share=0.6),
    "qae": Distance(same=0.0, shifted=0.3, verb_last=0.7, quality_last=1.0, share=0.4),
}
SOUND_CHANGES: dict[str, dict[str, str]] = {
    "qaa": {},
    "qab": {"p": "b", "o": "u"},
    "qac": {"t": "d", "k": "g", "a": "e"},
    "qad": {"b": "v", "d": "z", "e": "i", "u": "o"},
    "qae": {"m": "n", "l": "r", "s": "z", "i": "e", "a": "o"},
}


@dataclass(frozen=True)
class Language:
    """One language: its code, its word for each (kind, number) concept, and its orders."""

    code: str
    words: dict[tuple[str, int], str]
    distance: Distance

    def word(self, kind: str, number: int = 0) -> str:
        """The word for a concept."""
        return self.words[kind, number]


def make_languages(seed: int) -> dict[str, Language]:
    """Make all languages, keyed by code, source first.

    No word means two things, in one language or in two: a shared word is a shared concept.
    """
    rng = random.Random(f"{seed}/languages")
    taken: dict[str, tuple[str, int]] = {}
    concepts = [(kind, number) for kind, count in CONCEPTS.items() for number in range(count)]
    source = {concept: _claim(rng, concept, taken) for concept in concepts}
    languages = {}
    for code, distance in DISTANCES.items():
        words = dict(source)
        if code != "qaa":
            # Exact shares in random order: chance would move a small vocabulary's distances.
            for rank, concept in enumerate(rng.sample(concepts, len(concepts))):
                place = (rank + 0.5) / len(concepts)
                words[concept] = _derive(rng, code, concept, source[concept], place, taken)
        languages[code] = Language(code, words, distance)
    return languages


def _derive(
    rng: random.Random,
    code: str,
    concept: tuple[str, int],
    source: str,
    place: float,
    taken: dict[str, tuple[str, int]],
) -> str:
    """The word of `concept` in language `code`: the source's, a shifted one, or a new one.

    `place` (0-1) is where the concept stands in the language's order of words from near to far.
    """
    distance = DISTANCES[code]
    if place < distance.same:
        return source
    if place < distance.same + distance.shifted:
        changes = SOUND_CHANGES[code]
        shifted = "".join(changes.get(letter, letter) for letter in source)
        if taken.setdefault(shifted, concept) == concept:
            return shifted
    return _claim(rng, concept, taken)


def _claim(rng: random.Random, concept: tuple[str, int], taken: dict[str, tuple[str, int]]) -> str:
    """A new word of two or three syllables that no other concept has."""
    while True:
        syllables = 3 if concept[0] == "name" else 2
        word = "".join(rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(syllables))
        if word not in taken:
            taken[word] = concept
            return word
