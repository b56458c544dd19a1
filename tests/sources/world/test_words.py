"""The made-up words: exact shares, one meaning each, and a seed decides everything."""

from collections import Counter

import pytest

from xstilts.sources.world.words import CORE, NOUNS, SHARES, Language, make_languages

SEEDS = (1, 2, 3)


def concepts(language: Language) -> dict[str, tuple[str, int]]:
    """word -> what it means."""
    both = (("noun", language.nouns), ("verb", language.verbs))
    return {word: (kind, number) for kind, words in both for number, word in enumerate(words)}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("code", SHARES)
def test_the_shares_are_exact_in_core_and_rest(seed: int, code: str) -> None:
    """The right answer is counted from these shares, in every world and not only in ours."""
    languages, shares = make_languages(seed), SHARES[code]
    source, language = languages["qaa"], languages[code]
    for part in (range(CORE), range(CORE, NOUNS)):
        found = Counter(language.origins[noun] for noun in part)
        assert found["same"] == round(shares.same * len(part))
        assert found["same"] + found["parallel"] == round(
            (shares.same + shares.parallel) * len(part)
        )
        for noun in part:
            same = language.nouns[noun] == source.nouns[noun]
            assert same == (language.origins[noun] == "same")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_word_has_one_meaning(seed: int) -> None:
    """A homograph would have two classes."""
    meanings: dict[str, tuple[str, int]] = {}
    for language in make_languages(seed).values():
        own = concepts(language)
        assert len(own) == len(language.nouns) + len(language.verbs)
        for word, meaning in own.items():
            assert meanings.setdefault(word, meaning) == meaning


def test_the_seed_decides() -> None:
    """Another seed must be another world; the same seed the same."""
    assert make_languages(1) == make_languages(1)
    assert make_languages(1)["qaa"] != make_languages(2)["qaa"]


def test_without_parallel_text_the_words_stay_and_none_is_parallel() -> None:
    """The two worlds of the comparison differ in what text says, not in their words."""
    for code, language in make_languages(1).items():
        other = make_languages(1, parallel=False)[code]
        assert (other.nouns, other.verbs) == (language.nouns, language.verbs)
        assert set(other.origins) <= {"same", "alone"}
        assert [one == "same" for one in other.origins] == [
            one == "same" for one in language.origins
        ]
