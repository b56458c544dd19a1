"""What `vocabulary: used` keeps: every piece that a kind's features can have, at any length."""

from typing import Any

import pytest
import transfer_project as project
from hypothesis import given
from hypothesis import strategies as st

from xstilts.kinds import mining, modules, ranking, retrieval
from xstilts.kinds.base import encoded
from xstilts.kinds.pieces import pieces

TEXT = st.lists(
    st.sampled_from([*project.WORDS, "Tapika", "NEMOTI", "Катупе", "a\nb", "ΣΑΣ", "x" * 30, "?!"]),
    min_size=1,
    max_size=12,
).map(" ".join)


def row(kind: str, text: str, other: str) -> dict[str, Any]:
    """A row of a kind."""
    if kind == "classification":
        return {"text_a": text, "text_b": other, "label": 0}
    if kind == "multiple_choice":
        return {"context": text, "question": other, "choices": [other, text], "label": 0}
    if kind == "span":
        answer = {"text": text.split()[0], "start": 0}
        return {"context": text, "question": other, "answers": [answer]}
    if kind == "tagging":
        return {"tokens": text.split(), "tags": [0] * len(text.split())}
    if kind == "retrieval":
        return {"text_a": text, "text_b": other}
    if kind == "mining":
        return {"id": "1", "side": "foreign", "text": text, "gold": []}
    return {"text": text, "pair": None, "relevant": [], "positive": other, "positive_pair": text}


def fed(kind: str, rows: list[dict[str, Any]], words: Any, length: int) -> list[dict[str, Any]]:
    """The features that stages make of rows."""
    if kind in ("retrieval", "mining"):
        own = {"retrieval": retrieval, "mining": mining}[kind]
        return encoded([text for one in rows for text in own.texts(one)], words, length)
    return list(modules.get(kind).encode(rows, words, length, 3))


@pytest.mark.parametrize("kind", sorted(project.METRICS))
@given(texts=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4), length=st.integers(12, 60))
def test_no_feature_has_another_piece(
    kind: str, tokenizer: Any, texts: list[tuple[str, str]], length: int
) -> None:
    """Cut or cut into windows, cased or not, tokenised word by word or whole."""
    rows = [row(kind, *pair) for pair in texts]
    kept = {*pieces(kind, rows, tokenizer).tolist(), *tokenizer.all_special_ids}
    for feature in fed(kind, rows, tokenizer, length):
        assert kept.issuperset(token for ids in feature["ids"] for token in ids)


@given(texts=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4), length=st.integers(12, 120))
def test_queries_and_candidates_are_read_as_they_are_ranked(
    tokenizer: Any, texts: list[tuple[str, str]], length: int
) -> None:
    """A query is cut at 96 pieces; a candidate goes on with its context, without line breaks."""
    none = {"relevant": [], "positive": None, "positive_pair": None}
    pool = [{**none, "text": text, "pair": pair} for text, pair in texts]
    asked = [{**none, "text": text * 9, "pair": None, "relevant": ["1"]} for text, _ in texts]
    kept = set(pieces("ranking", [*pool, *asked], tokenizer).tolist())
    for feature in (
        *ranking.encode_candidates(pool, tokenizer, length),
        *ranking.encode_queries(asked, tokenizer, length),
    ):
        assert kept.issuperset(feature["ids"][0])
