"""Facts as text: one language's sentences and questions as words, each with its part of speech.

`Words` is a list of (word, tag); `join` makes a text of it and says where each word starts.
"""

from __future__ import annotations

import random

from xstilts.sources.world.facts import Fact
from xstilts.sources.world.languages import Language

Words = list[tuple[str, str]]
FRONTED_SHARE = 0.2  # share of sentences that begin with the object


def object_words(language: Language, fact: Fact, quality_last: bool) -> Words:
    """The thing, with its quality before or after it."""
    thing: Words = [(language.word("thing", fact.thing), "NOUN")]
    if fact.quality is None:
        return thing
    quality: Words = [(language.word("quality", fact.quality), "ADJ")]
    return thing + quality if quality_last else quality + thing


def sentence(
    language: Language, fact: Fact, rng: random.Random, fronted: bool | None = None
) -> tuple[Words, Words]:
    """One fact as a sentence with its full stop.

    Returns: the words, and the words of its object in the order in which they stand there.
    """
    distance = language.distance
    subject: Words = [(language.word("name", fact.name), "PROPN")]
    verb: Words = [(language.word("verb", fact.verb), "VERB")]
    particle: Words = [(language.word("fronted"), "PART")]
    # All draws come first, used or not: the stream stays in step in all languages.
    draws = [rng.random() for _ in range(3)]
    object_ = object_words(language, fact, quality_last=draws[0] < distance.quality_last)
    verb_last = draws[1] < distance.verb_last
    if fronted is None:
        fronted = draws[2] < FRONTED_SHARE
    rest = subject + verb if verb_last else verb + subject
    if fronted:
        words = object_ + particle + rest
    else:
        words = subject + object_ + verb if verb_last else subject + verb + object_
    return [*words, (".", "PUNCT")], object_


def question(language: Language, fact: Fact, asked: str, rng: random.Random) -> Words:
    """The question for a fact's person ("who") or thing ("what")."""
    asked_word: Words = [(language.word(asked), "PRON")]
    verb: Words = [(language.word("verb", fact.verb), "VERB")]
    draws = [rng.random() for _ in range(2)]
    if asked == "what":
        known: Words = [(language.word("name", fact.name), "PROPN")]
    else:
        known = object_words(language, fact, quality_last=draws[0] < language.distance.quality_last)
    verb_last = draws[1] < language.distance.verb_last
    words = asked_word + known + verb if verb_last else asked_word + verb + known
    return [*words, ("?", "PUNCT")]


def join(words: Words) -> tuple[str, list[int]]:
    """Join words by spaces, punctuation without one; also the start of each word in characters."""
    text, starts = "", []
    for word, tag in words:
        if text and tag != "PUNCT":
            text += " "
        starts.append(len(text))
        text += word
    return text, starts
