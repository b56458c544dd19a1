"""The control world's distances are the shares that its words are really made by."""

import pytest

from xstilts.sources.world import words
from xstilts.sources.world.distance import distance


@pytest.mark.parametrize("parallel", [True, False])
def test_a_distance_is_the_share_of_nouns_that_cannot_be_known(parallel: bool) -> None:
    """Counted in a world that was made, not read off the table it was made by."""
    for code, language in words.make_languages(1, parallel).items():
        alone = sum(not language.aligned(noun) for noun in range(words.NOUNS)) / words.NOUNS
        # Shares of the core and of the rest are rounded to whole nouns each.
        assert distance("qaa", code, parallel) == pytest.approx(alone, abs=1 / words.CORE)
        assert distance(code, "qaa", parallel) == distance("qaa", code, parallel)


def test_languages_get_farther_and_only_the_source_measures() -> None:
    """The order is the one that the report's figures have; qab and qac share words by chance."""
    far = [distance("qaa", code) for code in words.SHARES]
    assert far == sorted(far)
    assert far[0] == 0.0
    assert distance("qab", "qac") is distance("en", "qaa") is distance("en", "de") is None
