"""Rows of BUCC: two sides in one file, and the pairs between them."""

from xstilts.kinds import mining

ROWS = [
    {"id": "e1", "side": "english", "text": "one", "gold": ["f2"]},
    {"id": "f1", "side": "foreign", "text": "zwei", "gold": []},
    {"id": "e2", "side": "english", "text": "three", "gold": []},
    {"id": "f2", "side": "foreign", "text": "eins", "gold": ["e1"]},
    {"id": "f3", "side": "foreign", "text": "drei", "gold": ["e2", "lost"]},
]


def test_sides_keep_the_order_of_the_rows() -> None:
    """Embeddings, texts and predictions of a side are matched by place."""
    foreign, english = mining.sides(ROWS)
    assert [row["id"] for row in foreign] == ["f1", "f2", "f3"]
    assert [row["id"] for row in english] == ["e1", "e2"]


def test_pairs_are_places_in_the_sides() -> None:
    """The threshold is tuned on places; an id that no English row has is no place."""
    assert mining.pairs(*mining.sides(ROWS)) == [(1, 0), (2, 1)]


def test_references_are_those_of_the_foreign_side() -> None:
    """One list for each foreign sentence, so that a score counts each pair once."""
    assert mining.references(ROWS, []) == [[], ["e1"], ["e2", "lost"]]


def test_a_sentence_is_pretraining_text_alone() -> None:
    """Its translation must not be beside it."""
    assert mining.texts(ROWS[0]) == [("one", None)]
