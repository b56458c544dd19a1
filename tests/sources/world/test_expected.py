"""The right answer is counted: worked by hand for the cases that a study has."""

import pytest

from xstilts.core.params import Expected
from xstilts.sources.world.expected import expected
from xstilts.sources.world.rows import bitext_rows
from xstilts.sources.world.words import CORE, NOUNS, SHARES, make_languages
from xstilts.sources.world.write import MAKERS

CLASS = Expected(asks="class", seed=1, parallel=True)
LANGUAGES = make_languages(1)


def asked(code: str) -> list[str]:
    """The scored sentences of a target in a language."""
    rows = MAKERS["new_classes"](LANGUAGES[code], 1, {"test": 576})["test"]
    return [row["sentence"] for row in rows]


@pytest.mark.parametrize("code", SHARES)
def test_who_is_taught_nothing_guesses(code: str) -> None:
    """So `none`, the shuffled control, and what is taught in a language that is not aligned."""
    assert expected(CLASS, code, asked(code), []) == 25
    alone = [
        word
        for word, origin in zip(LANGUAGES["qae"].nouns, LANGUAGES["qae"].origins, strict=True)
        if origin == "alone"
    ]
    if code != "qae":
        assert expected(CLASS, code, asked(code), alone) == 25


@pytest.mark.parametrize(("code", "shares"), SHARES.items())
def test_who_is_taught_all_nouns_knows_those_that_are_aligned(code, shares) -> None:  # type: ignore[no-untyped-def]
    """25 + 75 x (same + parallel): the formula of the documentation."""
    found = expected(CLASS, code, asked(code), LANGUAGES["qaa"].nouns)
    assert found == pytest.approx(25 + 75 * (shares.same + shares.parallel), abs=75 / 192)


def test_only_what_is_asked_for_counts() -> None:
    """Nouns of the core are known to all; verbs and words of no language teach nothing."""
    source = LANGUAGES["qaa"]
    assert expected(CLASS, "qaa", asked("qaa"), [*source.nouns[:CORE], *source.verbs, "x"]) == 25
    half = source.nouns[: CORE + (NOUNS - CORE) // 2]
    assert expected(CLASS, "qaa", asked("qaa"), half) == 25 + 75 / 2


def test_a_language_knows_what_it_was_taught_itself() -> None:
    """Taught in qae, its lonely nouns are known there and nowhere else."""
    nouns = LANGUAGES["qae"].nouns
    assert expected(CLASS, "qae", asked("qae"), nouns) == 100
    aligned = sum(map(LANGUAGES["qae"].aligned, range(CORE, NOUNS))) / (NOUNS - CORE)
    assert expected(CLASS, "qaa", asked("qaa"), nouns) == pytest.approx(25 + 75 * aligned)


def test_without_parallel_text_only_shared_words_carry() -> None:
    """The same words, the same teaching, another text."""
    world = Expected(asks="class", seed=1, parallel=False)
    taught = LANGUAGES["qaa"].nouns
    assert expected(world, "qae", asked("qae"), taught) == 25
    found = expected(world, "qab", asked("qab"), taught)
    assert found == pytest.approx(25 + 75 * 0.6, abs=75 / 192)


def test_a_translation_is_found_or_is_one_of_those_with_its_verb() -> None:
    """By hand: 240 sentences, of which some share a verb."""
    world = Expected(asks="translation", seed=1, parallel=True)
    own = LANGUAGES["qad"]
    pairs = bitext_rows(own, LANGUAGES["qaa"], 1, 3)
    texts = [row["sentence1"] for row in pairs]
    verbs = [text.split()[1] for text in texts]
    hits = [
        1 if own.aligned(own.nouns.index(noun)) else 1 / verbs.count(verb)
        for noun, verb in map(str.split, texts)
    ]
    assert expected(world, "qad", texts, []) == pytest.approx(100 * sum(hits) / 3)
    assert expected(world, "qaa", [row["sentence2"] for row in pairs], []) == 100
