"""The data set `world/facts`: in each language the same facts in words of its own, and questions.

Every noun has two facts, a place and a colour, which are the same in all languages; a text says
them, "noun place colour", always in one language. A question is a noun, its answer the two other
words *in the question's language*. Questions are learnt in the source language on some nouns and
asked about the others in all: what text has taught of a noun is known in every language alike, so
what a model gets wrong in another language is how it was tuned. No word is in two languages, and
its last letter tells which one it is of: the share of answers in the right language is exact.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from xstilts.sources.world.words import CONSONANTS, VOWELS

Row = dict[str, Any]
NOUNS, PLACES, COLOURS = 96, 8, 8
LEARNT = 64  # nouns that training and validation rows ask about; the test asks about the others
ENDINGS = {"qaa": "a", "qab": "e", "qac": "i", "qad": "o", "qae": "u"}


def lexicons(seed: int) -> dict[str, dict[str, list[str]]]:
    """Language -> `noun`, `place`, `colour` -> its words, by number."""
    rng, taken, out = random.Random(f"{seed}/facts/words"), set[str](), {}
    sizes = {"noun": NOUNS, "place": PLACES, "colour": COLOURS}
    for code, ending in ENDINGS.items():
        out[code] = {
            name: [_word(rng, ending, taken) for _ in range(size)] for name, size in sizes.items()
        }
    return out


def _word(rng: random.Random, ending: str, taken: set[str]) -> str:
    """A new word of three syllables with a language's last letter."""
    while True:
        start = "".join(rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(2))
        word = start + rng.choice(CONSONANTS) + ending
        if word not in taken:
            taken.add(word)
            return word


def facts(seed: int) -> list[tuple[int, int]]:
    """The place and the colour of each noun, by number."""
    rng = random.Random(f"{seed}/facts")
    return [(rng.randrange(PLACES), rng.randrange(COLOURS)) for _ in range(NOUNS)]


def text_rows(seed: int, size: int) -> Iterator[Row]:
    """The text to pretrain on: a noun and its facts, in any language."""
    rng, words, known = random.Random(f"{seed}/facts/text"), lexicons(seed), facts(seed)
    for number in range(size):
        said, noun = words[rng.choice(list(ENDINGS))], rng.randrange(NOUNS)
        text = " ".join([said["noun"][noun], *_answer(said, known[noun])])
        yield {"id": f"text-{number}", "text": text, "pair": None}


def question_rows(code: str, seed: int, sizes: dict[str, int]) -> dict[str, list[Row]]:
    """Questions of a language: split -> rows, each about the next noun in turn."""
    said, known = lexicons(seed)[code], facts(seed)
    nouns = {"test": range(LEARNT, NOUNS)}
    splits: dict[str, list[Row]] = {}
    for split, size in sizes.items():
        some = nouns.get(split, range(LEARNT))
        asked = [some[number % len(some)] for number in range(size)]
        splits[split] = [
            {
                "id": number,
                "question": said["noun"][noun],
                "answer": " ".join(_answer(said, known[noun])),
            }
            for number, noun in enumerate(asked)
        ]
    return splits


def _answer(said: dict[str, list[str]], fact: tuple[int, int]) -> list[str]:
    """A noun's facts in a language."""
    place, colour = fact
    return [said["place"][place], said["colour"][colour]]
