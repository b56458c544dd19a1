"""The world's data sets: rows in the columns that real data sets have on the hub.

A sentence is a noun and a verb, drawn independently: text says nothing of a noun's class. Each
function draws from its own named stream, a row after a row, so that another size or language
changes no row that was there before. In all languages row i says the same thing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from xstilts.sources.world.words import CLASSES, CORE, NOUNS, VERBS, Language

Row = dict[str, Any]
Draw = Callable[[random.Random, str, int], int]  # (rng, split, row's number) -> its noun
Make = Callable[[Language, int, int], Row]  # (language, noun, verb) -> columns
CORE_SHARE = 0.4  # of the sentences that teach classes, so many are about a noun of the core
TAGS = ("O", "B-0", "B-1", "B-2", "B-3")  # of no class, and of each


def any_noun(rng: random.Random, split: str, number: int) -> int:
    """A noun of the core, or of the rest."""
    if rng.random() < CORE_SHARE:
        return rng.randrange(CORE)
    return rng.randrange(CORE, NOUNS)


def new_noun(rng: random.Random, split: str, number: int) -> int:
    """For training and selection the core in turn, for the test in turn all other nouns."""
    if split == "test":
        return CORE + number % (NOUNS - CORE)
    return number % CORE


def class_row(language: Language, noun: int, verb: int) -> Row:
    """The sentence "noun verb" and the noun's class."""
    return {"sentence": f"{language.nouns[noun]} {language.verbs[verb]}", "label": noun % CLASSES}


def new_class_row(language: Language, noun: int, verb: int) -> Row:
    """The sentence "verb noun" and the noun's class."""
    return {"sentence": f"{language.verbs[verb]} {language.nouns[noun]}", "label": noun % CLASSES}


def tag_row(language: Language, noun: int, verb: int) -> Row:
    """The words of "noun verb" and their tags, numbers into `TAGS`: the verb agrees."""
    tokens = [language.nouns[noun], language.verbs[verb]]
    return {"tokens": tokens, "tags": [1 + noun % CLASSES] * 2}


def new_tag_row(language: Language, noun: int, verb: int) -> Row:
    """The words of "verb noun" and their tags."""
    tokens = [language.verbs[verb], language.nouns[noun]]
    return {"tokens": tokens, "tags": [0, 1 + noun % CLASSES]}


def labelled(
    stream: str, draw: Draw, make: Make, language: Language, seed: int, sizes: dict[str, int]
) -> dict[str, list[Row]]:
    """Rows of a task that labels nouns: split -> rows."""
    splits: dict[str, list[Row]] = {}
    for split, size in sizes.items():
        rng, rows = random.Random(f"{seed}/{stream}/{split}"), []
        for number in range(size):
            noun = draw(rng, split, number)
            rows.append({"id": number, **make(language, noun, rng.randrange(VERBS))})
        splits[split] = rows
    return splits


def qa_rows(language: Language, seed: int, sizes: dict[str, int]) -> dict[str, list[Row]]:
    """Of two sentences: which noun stands before this verb? In SQuAD's columns."""
    splits: dict[str, list[Row]] = {}
    for split, size in sizes.items():
        rng, rows = random.Random(f"{seed}/qa/{split}"), []
        for number in range(size):
            nouns = [language.nouns[noun] for noun in rng.sample(range(NOUNS), 2)]
            verbs = [language.verbs[verb] for verb in rng.sample(range(VERBS), 2)]
            about = rng.randrange(2)
            context = " ".join(f"{noun} {verb}" for noun, verb in zip(nouns, verbs, strict=True))
            start = about * (len(nouns[0]) + len(verbs[0]) + 2)
            answers = {"text": [nouns[about]], "answer_start": [start]}
            asked = {"context": context, "question": verbs[about], "answers": answers}
            rows.append({"id": f"{split}-{number}", "title": "", **asked})
        splits[split] = rows
    return splits


def bitext_rows(language: Language, pivot: Language, seed: int, size: int) -> list[Row]:
    """Translations in Tatoeba's columns: sentence1 in `language`, sentence2 in `pivot`."""
    rng = random.Random(f"{seed}/bitext")
    said = [(noun, rng.randrange(VERBS)) for noun in rng.sample(range(NOUNS), NOUNS)]
    both = ("sentence1", language), ("sentence2", pivot)
    return [{name: class_row(own, *one)["sentence"] for name, own in both} for one in said[:size]]


def text_rows(
    languages: Mapping[str, Language], seed: int, size: int, parallel: bool
) -> Iterator[Row]:
    """The pretraining text: one thing said twice, each word in a language of its own.

    A noun that is `alone` in its language is said in that language, both times; without parallel
    text everything is.
    """
    rng, known = random.Random(f"{seed}/text"), list(languages.values())
    aligned = [[own for own in known if own.aligned(noun)] for noun in range(NOUNS)]
    for number in range(size):
        noun, verb, first = rng.randrange(NOUNS), rng.randrange(VERBS), rng.choice(known)
        mixed = parallel and first.aligned(noun)
        halves = []
        for _ in range(2):
            one, other = (rng.choice(aligned[noun]), rng.choice(known)) if mixed else (first, first)
            words = [one.nouns[noun], other.verbs[verb]]
            halves.append(" ".join(words[::-1] if rng.random() < 0.5 else words))
        yield {"id": f"text-{number}", "text": halves[0], "pair": halves[1]}
