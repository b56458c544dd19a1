"""From tokens back to the text of an answer: a part of its white-space words, or all of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.kinds.answers import answer_text

WORD = st.text("abcé.,-()中1", min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("tokens", "words", "answer"),
    [
        ("Newton", "(Newton),", "Newton"),
        ("Isaac Newton", "Isaac Newton,", "Isaac Newton"),
        ("1990", "1990-an", "1990"),
        ("1990-an", "1990-an", "1990-an"),  # BERT's rules part it: it is not found, words are
        ("été", "e\u0301te\u0301.", "e\u0301te\u0301."),  # composed by the vocabulary
        ("巴黎", "在巴黎期间", "在巴黎期间"),  # there stands a space between any two of them
        ("巴", "在巴黎期间", "巴"),
        ("1916 года", "1916\u00a0года,", "1916\u00a0года,"),  # not as long without its spaces
        ("a", "a\u200db", "a\u200db"),  # a sign that BERT's rules drop
        ("<unk>", "\U00012345", "\U00012345"),
        ("", "words", "words"),
    ],
)
def test_answers_are_cut_as_the_published_scripts_cut_them(
    tokens: str, words: str, answer: str
) -> None:
    """Worked out by hand from the rule of get_final_text."""
    assert answer_text(tokens, words) == answer


@given(st.lists(WORD, min_size=1, max_size=5), st.text("abc .中", max_size=5))
def test_an_answer_is_never_empty_and_a_part_of_its_words(words: list[str], tokens: str) -> None:
    """Whatever the tokens are, nothing is answered that does not stand there."""
    whole = " ".join(words)
    found = answer_text(" ".join(tokens.split()), whole)
    assert found
    assert found in whole


@given(st.lists(st.text("abcé1", min_size=1, max_size=6), min_size=1, max_size=6), st.data())
def test_plain_words_are_given_back(words: list[str], data: st.DataObject) -> None:
    """Any run of words that holds no mark is found as it stands."""
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, len(words) - 1))
    tokens = " ".join(words[first : last + 1])
    assert answer_text(tokens, tokens) == tokens
