"""Distances between languages: whole, symmetric, and those of lang2vec's own vectors.

Run: python -m pytest tests/tasks/test_distances.py
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts import tasks
from xstilts.core.errors import UserError
from xstilts.tasks import distances
from xstilts.tasks.distances import FILE, HEADER, KINDS, REAL, distance
from xstilts.tasks.languages import LANGUAGES

MADE_UP = {code for code in LANGUAGES if LANGUAGES[code].family == "made-up"}
LACKING = MADE_UP | {"mul"}
TEXT = FILE.read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if line[0] != "#"][1:]


@given(one=st.sampled_from(REAL), other=st.sampled_from(REAL), kind=st.sampled_from(KINDS))
def test_a_distance_is_symmetric_and_0_only_to_itself(one: str, other: str, kind: str) -> None:
    """A source language may be any of a study's languages, so both directions are asked for."""
    found = distance(one, other, kind)  # type: ignore[arg-type]
    assert found == distance(other, one, kind)  # type: ignore[arg-type]
    assert found is not None
    assert 0 <= found <= 1
    assert (found == 0) == (one == other)


def test_every_language_of_a_task_has_one_or_is_known_to_lack_it() -> None:
    """A language that joins a task would silently be left out of every figure by distance."""
    named = {
        code
        for name in tasks.NAMES
        for code in (*tasks.load(name).languages, *tasks.load(name).train_languages)
    }
    without = {code for code in named if distance("en", code, "syntactic") is None}
    assert without == LACKING & named
    assert set(REAL) == LANGUAGES.keys() - LACKING
    assert all(distance("qaa", code, "genetic") is None for code in ("en", "qab", "mul"))


@pytest.mark.parametrize(
    ("pair", "syntactic", "genetic"),
    [
        ("en fr", 0.1882, 0.9231),
        ("de en", 0.0975, 0.6),
        ("en sw", 0.5405, 1.0),
        ("en zh", 0.2892, 1.0),
        ("fi tr", 0.2986, 1.0),
        ("ja ko", 0.1609, 1.0),
    ],
)
def test_values_are_those_that_lang2vec_s_own_functions_lead_to(
    pair: str, syntactic: float, genetic: float
) -> None:
    """`get_features` of lang2vec 1.1.2 and scipy's cosine, by hand; not by the bench script."""
    one, other = pair.split()
    assert distance(one, other, "syntactic") == pytest.approx(syntactic, abs=5e-5)
    assert distance(one, other, "genetic") == pytest.approx(genetic, abs=5e-5)


def test_places_are_where_the_languages_are() -> None:
    """Paris to London is 1 % of half a circumference or so; Tokyo and London are far apart."""
    for pair, low, high in (("en fr", 0.02, 0.04), ("en ja", 0.45, 0.5), ("es pt", 0, 0.03)):
        found = distance(*pair.split(), "geographic")  # type: ignore[call-arg,arg-type]
        assert low < found < high


def test_families_of_the_table_of_languages_are_those_of_the_tree() -> None:
    """Two of one family share a node of Glottolog's tree, two of unlike families none.

    Creole is no family of Glottolog's, which counts Haitian to Romance.
    """
    for one in REAL:
        for other in REAL:
            families = {LANGUAGES[code].family.split(":")[0] for code in (one, other)}
            if one < other and "Creole" not in families:
                related = distance(one, other, "genetic") != 1
                assert related == (len(families) == 1), (one, other)


def test_the_file_says_whose_it_is() -> None:
    """The licence asks for the source's name wherever the numbers go."""
    head = TEXT[: TEXT.index(",".join(HEADER))]
    for words in ("Littell et al. 2017", "lang2vec 1.1.2", "CC BY-SA 4.0", "language_distances.py"):
        assert words in head
    for kind in KINDS:
        assert re.search(rf"(?m)^# {kind} ", head)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("syntactic,genetic", "genetic,syntactic"), "columns are not"),
        (lambda text: text.replace(ROWS[0] + "\n", ""), "lacks 1 pairs, first af ar"),
        (lambda text: text + ROWS[0] + "\n", "'af,ar,.*is double"),
        (lambda text: text.replace("\naf,ar,", "\nar,af,"), "'ar,af,.*is double or no pair"),
        (lambda text: text.replace("\naf,ar,", "\naf,xx,"), "'af,xx,.*is double or no pair"),
        (lambda text: text.replace("\naf,ar,", "\naf,ar,0.1,"), "is double or no pair"),
        (lambda text: text.replace("\naf,ar,0", "\naf,ar,1"), "a value outside 0 to 1"),
        (lambda text: text.replace("\naf,ar,0", "\naf,ar,nan;"), "a value that is no number"),
        (lambda text: text.replace(ROWS[0], "af,ar,nan,0,0"), "a value outside 0 to 1"),
        (lambda text: "", "columns are not"),
    ],
)
def test_a_broken_file_is_named(change: Callable[[str], str], message: str) -> None:
    """A row too few, or two columns exchanged, would move every correlation a little."""
    with pytest.raises(UserError, match=rf"distances\.csv.*{message}.*Mend: "):
        distances.parse(change(TEXT))


def test_what_does_not_exist_is_named() -> None:
    """A kind that URIEL has and the table has not, and a code of another standard."""
    with pytest.raises(UserError, match=r"no distance 'phonological'. Mend: use one of syntactic"):
        distance("en", "de", "phonological")  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"no language 'eng'. Mend: "):
        distance("eng", "de", "syntactic")
