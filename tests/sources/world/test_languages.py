"""The made-up languages: how they differ, and that a seed decides everything."""

import pytest

from xstilts.sources.world.languages import DISTANCES, make_languages


def shared(code: str) -> float:
    """Share of the words of a language that are the source's."""
    languages = make_languages(1)
    source, other = languages["qaa"].words, languages[code].words
    return sum(source[concept] == other[concept] for concept in source) / len(source)


def test_distance_grows_by_degrees() -> None:
    """The scores' fall with distance is only by construction if the words really grow apart."""
    shares = [shared(code) for code in DISTANCES]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 1.0
    assert 0.4 < shares[1] < 0.8
    assert shares[-1] < 0.1


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_word_has_one_meaning(seed: int) -> None:
    """A homograph would make some questions unanswerable and some paraphrases mislabelled."""
    meanings: dict[str, set[tuple[str, int]]] = {}
    for language in make_languages(seed).values():
        assert len(set(language.words.values())) == len(language.words)
        for concept, word in language.words.items():
            meanings.setdefault(word, set()).add(concept)
    assert all(len(concepts) == 1 for concepts in meanings.values())


def test_seed_decides() -> None:
    """Another seed must be another world; the same seed the same."""
    assert make_languages(1) == make_languages(1)
    assert make_languages(1)["qaa"] != make_languages(2)["qaa"]
