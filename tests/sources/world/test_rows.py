"""The rows of the world's tasks say what their labels say, and text says nothing of classes."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from xstilts.sources.world.rows import TAGS, bitext_rows, qa_rows, text_rows
from xstilts.sources.world.words import CLASSES, CORE, NOUNS, SHARES, Language, make_languages
from xstilts.sources.world.write import MAKERS

SIZES = {"train": 60, "validation": 20, "test": 40}
LABELLED = ("classes", "tags", "new_classes", "new_tags")


@cache
def languages() -> Mapping[str, Language]:
    """Those of seed 1, made once: sentences are read word by word."""
    return make_languages(1)


def language(code: str) -> Language:
    """One of them."""
    return languages()[code]


def read(code: str, words: list[str]) -> tuple[int, int, bool]:
    """(noun, verb, whether the noun comes first) of a sentence."""
    own = language(code)
    first = words[0] in own.nouns
    noun, verb = words if first else words[::-1]
    return own.nouns.index(noun), own.verbs.index(verb), first


def said(row: dict[str, Any]) -> list[str]:
    """The words of a labelled row."""
    return list(row["tokens"]) if "tokens" in row else str(row["sentence"]).split()


@pytest.mark.parametrize("code", SHARES)
@pytest.mark.parametrize("task", LABELLED)
def test_the_label_is_the_class_of_the_noun(task: str, code: str) -> None:
    """Whichever the verb and the order; a verb's tag agrees, or, in a target, is O."""
    for rows in MAKERS[task](language(code), 1, SIZES).values():
        for row in rows:
            noun, _, first = read(code, said(row))
            assert first == (not task.startswith("new"))
            if "label" in row:
                assert row["label"] == noun % CLASSES
            else:
                own = f"B-{noun % CLASSES}"
                assert [TAGS[tag] for tag in row["tags"]] == ([own, own] if first else ["O", own])


@pytest.mark.parametrize("task", ["new_classes", "new_tags"])
def test_a_target_is_trained_on_the_core_and_scored_on_all_other_nouns(task: str) -> None:
    """Else its own training rows would tell what only the intermediate training can."""
    rows = MAKERS[task](language("qaa"), 1, {"train": 480, "validation": 96, "test": 576})
    nouns = {split: [read("qaa", said(row))[0] for row in rows[split]] for split in rows}
    assert set(nouns["train"]) == set(nouns["validation"]) == set(range(CORE))
    assert Counter(nouns["test"]) == dict.fromkeys(range(CORE, NOUNS), 3)


@pytest.mark.parametrize("task", MAKERS)
def test_rows_are_parallel(task: str) -> None:
    """Languages must be compared on the same questions, row by row."""
    source, far = (MAKERS[task](language(code), 1, SIZES)["test"] for code in ("qaa", "qae"))
    own, other = language("qaa"), language("qae")
    meaning = {
        **dict(zip(other.nouns, own.nouns, strict=True)),
        **dict(zip(other.verbs, own.verbs, strict=True)),
    }
    for one, two in zip(source, far, strict=True):
        for name in ("sentence", "context", "question"):
            if name in one:
                assert " ".join(meaning[word] for word in two[name].split()) == one[name]


@pytest.mark.parametrize("task", MAKERS)
def test_more_rows_change_no_other_row(task: str) -> None:
    """Asking for more training rows must leave the test set and the first rows as they were."""
    small = MAKERS[task](language("qac"), 1, SIZES)
    large = MAKERS[task](language("qac"), 1, SIZES | {"train": 100})
    assert large["train"][: SIZES["train"]] == small["train"]
    assert large["test"] == small["test"]


@pytest.mark.parametrize("code", SHARES)
def test_a_question_has_the_one_answer_that_it_says(code: str) -> None:
    """An answer off by a character would teach the model another task."""
    for rows in qa_rows(language(code), 1, SIZES).values():
        for row in rows:
            (text,), (start,) = row["answers"]["text"], row["answers"]["answer_start"]
            assert row["context"][start : start + len(text)] == text
            words = row["context"].split()
            assert words.count(row["question"]) == 1
            assert words[words.index(row["question"]) - 1] == text


def test_bitext_is_translation_and_no_noun_comes_twice() -> None:
    """Row i of one side means what row i of the other means, and each can be told from all."""
    rows = bitext_rows(language("qad"), language("qaa"), 1, NOUNS)
    meanings = [read("qaa", row["sentence2"].split()) for row in rows]
    assert meanings == [read("qad", row["sentence1"].split()) for row in rows]
    assert {noun for noun, _, _ in meanings} == set(range(NOUNS))


def test_text_says_one_thing_twice_and_what_is_alone_in_its_language_alone() -> None:
    """A noun that parallel text showed once in another language would not be alone."""
    languages = make_languages(1)
    meaning = defaultdict(set)
    for code, own in languages.items():
        for number, word in enumerate(own.nouns):
            meaning[word].add((code, number))
    mixed = 0
    for row in text_rows(languages, 1, 4000, parallel=True):
        nouns = [word for half in (row["text"], row["pair"]) for word in half.split()]
        found = [meaning[word] for word in nouns if word in meaning]
        assert len(found) == 2
        numbers = {number for either in found for _, number in either}
        assert len(numbers) == 1, "both halves are about one noun"
        (number,) = numbers
        mixed += found[0] != found[1]
        for either in found:
            if all(languages[code].origins[number] == "alone" for code, _ in either):
                assert found[0] == found[1]
    assert mixed > 1000


def test_without_parallel_text_a_row_is_in_one_language() -> None:
    """Nothing brings the words of two languages together but that they are the same word."""
    languages = make_languages(1, parallel=False)
    for row in text_rows(languages, 1, 1000, parallel=False):
        words = {*row["text"].split(), *row["pair"].split()}
        assert len(words) == 2
        assert any(words <= {*own.nouns, *own.verbs} for own in languages.values())


def test_text_tells_nothing_of_classes() -> None:
    """Each class stands with each verb equally often, up to chance: what is hidden is hidden."""
    languages = make_languages(1)
    source = languages["qaa"]
    counts: Counter[tuple[int, int]] = Counter()
    for row in text_rows({"qaa": source}, 1, 16_000, parallel=True):
        noun, verb, _ = read("qaa", row["text"].split())
        counts[noun % CLASSES, verb] += 1
    mean = 16_000 / (CLASSES * len(source.verbs))
    chi = sum((count - mean) ** 2 / mean for count in counts.values())
    assert chi < 103.4  # the 0.1 % point of chi-square with 63 degrees of freedom
