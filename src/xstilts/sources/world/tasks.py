"""The world's data sets: rows in the columns that the real data sets have on the hub.

Each function draws its rows from its own named random stream, so that asking for another size or
another language changes no row that was there before. In all languages row i says the same thing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from xstilts.core.errors import UserError
from xstilts.sources.world.facts import FIELDS, Fact, change_one, draw_facts, swap_things
from xstilts.sources.world.languages import Language
from xstilts.sources.world.texts import Words, join, question, sentence

Row = dict[str, Any]
TAGS = (  # the order of the hub's UDPOS
    *("ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM"),
    *("PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM", "VERB", "X"),
)
MOST_MISSES = 10_000  # draws in a row that bring nothing new
QA_FACTS = (2,)
READING_FACTS = (3,)
TEXT_FACTS = (1, 2)
SWAPPED_SHARE = 0.25  # share of the false paraphrases that have the very same words
TEXT_MIX = (0.1, 0.2, 0.4, 0.3)  # single sentences, copies, translations, code-switched pairs
TURNED_SHARE = 0.5  # share of the pairs whose second text has its facts in reverse order
QUESTION_SHARE = 0.2  # share of the pretraining texts that end in a question


def _unique(rng: random.Random, counts: tuple[int, ...]) -> Iterator[tuple[Fact, ...]]:
    """Groups of facts, none of which comes twice.

    Raises:
        UserError: there are hardly any groups left; the world is too small for the sizes asked for.
    """
    seen: set[tuple[Fact, ...]] = set()
    misses = 0
    while misses < MOST_MISSES:
        facts = draw_facts(rng, rng.choice(counts))
        key = tuple(sorted(facts, key=lambda fact: fact.name))
        misses = misses + 1 if key in seen else 0
        if key not in seen:
            seen.add(key)
            yield facts
    raise UserError(
        f"the control world has no more than about {len(seen)} groups of facts. "
        "Mend: ask for fewer rows in data.world"
    )


def _text(language: Language, facts: tuple[Fact, ...], rng: random.Random) -> Words:
    """All facts, one sentence each, as one list of words."""
    return [word for fact in facts for word in sentence(language, fact, rng)[0]]


def qa_rows(language: Language, seed: int, sizes: dict[str, int]) -> dict[str, list[Row]]:
    """Span questions in SQuAD's columns: split -> rows; no context is in two splits."""
    return _span_rows("qa", QA_FACTS, language, seed, sizes)


def reading_rows(language: Language, seed: int, sizes: dict[str, int]) -> dict[str, list[Row]]:
    """Span questions on longer contexts than those of `qa_rows`, in the same columns."""
    return _span_rows("reading", READING_FACTS, language, seed, sizes)


def _span_rows(
    stream: str, counts: tuple[int, ...], language: Language, seed: int, sizes: dict[str, int]
) -> dict[str, list[Row]]:
    """Questions for one of `counts` facts each, drawn from the random stream `stream`."""
    rng = random.Random(f"{seed}/{stream}")
    groups = _unique(rng, counts)
    splits: dict[str, list[Row]] = {}
    for split in sorted(sizes, key=("test", "validation", "train").index):
        rows = []
        for number in range(sizes[split]):
            facts = next(groups)
            about, asked = rng.randrange(len(facts)), rng.choice(("what", "who"))
            words = random.Random(f"{seed}/{stream}/{split}/{number}")
            row = _qa(language, facts, about, asked, words)
            rows.append({"id": f"{split}-{number}", "title": "facts"} | row)
        splits[split] = rows
    return splits


def _qa(
    language: Language, facts: tuple[Fact, ...], about: int, asked: str, rng: random.Random
) -> Row:
    """Context, question and answers for the fact number `about`."""
    words: Words = []
    answer: Words = []
    first = 0
    for number, fact in enumerate(facts):
        said, object_ = sentence(language, fact, rng)
        if number == about:
            answer = object_ if asked == "what" else [(language.word("name", fact.name), "PROPN")]
            first = len(words) + said.index(answer[0])
        words += said
    context, starts = join(words)
    answers = {"text": [join(answer)[0]], "answer_start": [starts[first]]}
    asks = join(question(language, facts[about], asked, rng))[0]
    return {"context": context, "question": asks, "answers": answers}


def paraphrase_rows(language: Language, seed: int, sizes: dict[str, int]) -> dict[str, list[Row]]:
    """Sentence pairs in PAWS-X's columns; label 1: both say the same; half of the rows each."""
    rng = random.Random(f"{seed}/paraphrase")
    groups = _unique(rng, (2,))
    splits: dict[str, list[Row]] = {}
    for split in sorted(sizes, key=("test", "validation", "train").index):
        rows = []
        for number in range(sizes[split]):
            facts = next(groups)
            label = rng.randrange(2)
            other = facts
            if not label:
                swapped = rng.random() < SWAPPED_SHARE
                about = rng.randrange(len(facts))
                other = swap_things(facts) if swapped else change_one(rng, facts, about, FIELDS)
            if rng.random() < 0.5:
                other = other[::-1]
            words = random.Random(f"{seed}/paraphrase/{split}/{number}")
            rows.append(
                {
                    "id": number,
                    "sentence1": join(_text(language, facts, words))[0],
                    "sentence2": join(_text(language, other, words))[0],
                    "label": label,
                }
            )
        splits[split] = rows
    return splits


def bitext_rows(language: Language, pivot: Language, seed: int, size: int) -> list[Row]:
    """Translations in Tatoeba's columns: sentence1 in `language`, sentence2 in `pivot`."""
    groups = _unique(random.Random(f"{seed}/bitext"), (1, 2))
    rows = []
    for number in range(size):
        facts = next(groups)
        own, its = (random.Random(f"{seed}/bitext/{number}/{side}") for side in (1, 2))
        rows.append(
            {
                "sentence1": join(_text(language, facts, own))[0],
                "sentence2": join(_text(pivot, facts, its))[0],
            }
        )
    return rows


def pos_rows(language: Language, seed: int, sizes: dict[str, int]) -> dict[str, list[Row]]:
    """Tagged sentences in UDPOS' columns: tokens and pos_tags (numbers into `TAGS`)."""
    groups = _unique(random.Random(f"{seed}/pos"), (1, 2))
    splits: dict[str, list[Row]] = {}
    for split in sorted(sizes, key=("test", "validation", "train").index):
        rows = []
        for number in range(sizes[split]):
            words = _text(language, next(groups), random.Random(f"{seed}/pos/{split}/{number}"))
            tags = [TAGS.index(tag) for _, tag in words]
            rows.append({"tokens": [word for word, _ in words], "pos_tags": tags})
        splits[split] = rows
    return splits


def _mixed(rng: random.Random, first: Language, second: Language) -> Language:
    """A code-switching speaker: the orders of `first`, each word from either language."""
    pairs = {
        concept: word if rng.random() < 0.5 else second.words[concept]
        for concept, word in first.words.items()
    }
    return Language(f"{first.code}+{second.code}", pairs, first.distance)


def _says(
    language: Language, facts: tuple[Fact, ...], asked: str | None, rng: random.Random
) -> str:
    """The facts in one language, with a question for the lowest-numbered person's at the end."""
    words = _text(language, facts, rng)
    if asked is not None:
        words += question(language, min(facts, key=lambda fact: fact.name), asked, rng)
    return join(words)[0]


def text_rows(languages: dict[str, Language], seed: int, size: int) -> list[Row]:
    """The pretraining mix: text, and pair (None, a copy, a translation or a code-switched one)."""
    rng = random.Random(f"{seed}/text")
    codes = list(languages)
    shares = [languages[code].distance.share for code in codes]
    rows = []
    for number in range(size):
        facts = draw_facts(rng, rng.choice(TEXT_FACTS))
        asked = rng.choice(("what", "who")) if rng.random() < QUESTION_SHARE else None
        style = rng.choices(("single", "copy", "translation", "switched"), TEXT_MIX)[0]
        first, second = (languages[code] for code in rng.choices(codes, shares, k=2))
        if style == "switched":
            second = _mixed(rng, second, first)
        text = _says(first, facts, asked, rng)
        pair = None
        if style == "copy":
            pair = text
        elif style != "single":
            turned = rng.random() < TURNED_SHARE
            pair = _says(second, facts[::-1] if turned else facts, asked, rng)
        rows.append({"id": f"text-{number}", "text": text, "pair": pair})
    return rows
