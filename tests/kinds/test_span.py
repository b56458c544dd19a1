"""Span: gold positions point at the gold text in every window, and perfect scores give it back."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from xstilts.kinds import span
from xstilts.metrics import METRICS

Row = dict[str, Any]
LENGTH, STRIDE = 96, 16  # an answer of two words has at most 16 tokens, so a window holds it whole
WORDS = [
    "tapika",
    "nemoti,",
    "42",
    "бвгдае",
    "אבגדה",
    "कखगघच",
    "東京日本語",
    "e\u0301te",
    "🙂",
    "ﬁn",
    "x",
]
SPACES = [" ", " ", "  ", "\n", "\u00a0", "\u3000"]


@st.composite
def questions(draw: st.DrawFn) -> Row:
    """A row whose answer is one or two whole words of its context, often first or last."""
    words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=60))
    text, starts = draw(st.sampled_from(["", " ", "\n"])), []
    for word in words:
        starts.append(len(text))
        text += word + draw(st.sampled_from(SPACES))
    first = draw(st.sampled_from([0, len(words) - 1]) | st.integers(0, len(words) - 1))
    last = min(len(words) - 1, first + draw(st.integers(0, 1)))
    answer = text[starts[first] : starts[last] + len(words[last])]
    question = " ".join(draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=70)))
    gold = {"text": answer, "start": starts[first]}
    return {"id": "1", "context": text, "question": question, "answers": [gold]}


def perfect(features: list[Any]) -> torch.Tensor:
    """Scores that are high at the gold positions alone: [b, l, 2]."""
    length = max(len(feature["ids"][0]) for feature in features)
    scores = torch.zeros(len(features), length, 2)
    for i, feature in enumerate(features):
        scores[i, feature["start"], 0] = scores[i, feature["end"], 1] = 10
    return scores


@given(questions())
def test_gold_positions_are_the_gold_text_in_every_window(tokenizer: Any, row: Row) -> None:
    """A position that is off by one trains the model to answer wrongly, and nothing else tells."""
    features = span.encode([row], tokenizer, LENGTH, STRIDE)
    inside = 0
    for feature in features:
        ids = feature["ids"][0]
        assert len(ids) <= LENGTH
        assert (ids[0], ids[-1]) == (tokenizer.bos_token_id, tokenizer.eos_token_id)
        if feature["start"]:
            start = feature["offsets"][feature["start"] - feature["first"]][0]
            end = feature["offsets"][feature["end"] - feature["first"]][1]
            assert row["context"][start:end].strip() == row["answers"][0]["text"]
            inside += 1
    assert inside, "the answer is whole in one window at least, as windows overlap"


@given(questions())
def test_windows_cover_the_document_and_overlap(tokenizer: Any, row: Row) -> None:
    """A token in no window can never be an answer."""
    features = span.encode([row], tokenizer, LENGTH, STRIDE)
    whole = tokenizer(row["context"], add_special_tokens=False)["input_ids"]
    joined: list[int] = []
    for number, feature in enumerate(features):
        first = feature["first"]
        window = feature["ids"][0][first : first + len(feature["offsets"])]
        assert len(window) == len(feature["ids"][0]) - first - 1
        shared = STRIDE if number else 0
        assert window[:shared] == joined[len(joined) - shared :]
        joined += window[shared:]
    assert joined == whole


@given(st.lists(questions(), min_size=1, max_size=3))
def test_perfect_scores_give_an_exact_match_of_100(tokenizer: Any, rows: list[Row]) -> None:
    """From tokens back to text: the whole way that a prediction goes."""
    features = span.encode(rows, tokenizer, LENGTH, STRIDE)
    outputs = span.outputs(perfect(features), features)
    found = span.decode(outputs, features, rows, [])
    assert found == [row["answers"][0]["text"] for row in rows]
    measure = METRICS["squad_f1"]
    assert measure.score(found, span.references(rows, []), "en")["exact_match"] == 100


@given(questions())
def test_no_answer_is_given_where_it_is_allowed(tokenizer: Any, row: Row) -> None:
    """And only there: SQuAD 1.1 has an answer to every question."""
    row = {**row, "answers": []}
    features = span.encode([row], tokenizer, LENGTH, STRIDE)
    assert all(feature["start"] == feature["end"] == 0 for feature in features)
    outputs = span.outputs(perfect(features), features)
    assert span.decode(outputs, features, [row], [span.NO_ANSWER]) == [""]
    assert span.decode(outputs, features, [row], [])[0]
    assert span.references([row], []) == [[""]]


def test_a_question_that_has_no_end_leaves_room_for_the_document(tokenizer: Any) -> None:
    """At most 64 tokens of it, and half of a short sequence; a sign may become 18 tokens."""
    answers = [{"text": "x", "start": 0}]
    for question in ("tapika " * 200, "tapika " * 11 + "\ufdfa" * 9, "\ufdfa" * 70, "𝕏" * 500):
        row = {"id": "1", "context": "x tapika" * 90, "question": question, "answers": answers}
        for length in (24, 48, 384):
            features = span.encode([row], tokenizer, length, 128)
            assert all(len(feature["ids"][0]) <= length for feature in features)
            assert features[0]["start"] > 0


def test_a_long_answer_and_a_turned_one_are_no_answers(tokenizer: Any) -> None:
    """As run_squad: at most 30 tokens, the end not before the start."""
    row = {"id": "1", "context": "x " * 40, "question": "x", "answers": []}
    features = span.encode([row], tokenizer, 128, STRIDE)
    (feature,) = features
    first = feature["first"]
    for start, end in [(0, 29), (0, 30), (20, 10)]:
        scores = torch.zeros(1, len(feature["ids"][0]), 2)
        scores[0, first + start, 0], scores[0, first + end, 1] = 10, 9
        ((_, score, _, _),) = span.outputs(scores, features)
        assert (score == 19) == (0 <= end - start < 30)


def test_the_best_of_all_windows_is_the_answer(tokenizer: Any) -> None:
    """A document is answered once, wherever the answer lies."""
    row = {"id": "1", "context": "x " * 60 + "tapika", "question": "x", "answers": []}
    row["answers"] = [{"text": "tapika", "start": 120}]
    features = span.encode([row, row], tokenizer, LENGTH, STRIDE)
    outputs = span.outputs(perfect(features), features)
    order = np.random.default_rng(1).permutation(len(features))
    mixed = [outputs[i] for i in order], [features[i] for i in order]
    assert span.decode(*mixed, [row, row], []) == ["tapika", "tapika"]


@given(questions(), st.integers(0, 99))
def test_the_control_has_true_spans_that_say_nothing(row: Row, seed: int) -> None:
    """A span of the same context, as long as the right one; its text is where it is said to be."""
    (shuffled,) = span.shuffle([row], np.random.default_rng(seed))
    (answer,) = shuffled["answers"]
    start = answer["start"]
    assert row["context"][start : start + len(answer["text"])] == answer["text"]
    assert answer["text"].strip()
    assert {**shuffled, "answers": 0} == {**row, "answers": 0}
    if len(row["context"].split()) > 6:
        count = len(re.findall(r"\S+", row["answers"][0]["text"]))
        assert len(re.findall(r"\S+", answer["text"])) == count


def test_the_control_seldom_hits_the_right_span() -> None:
    """Else it would be no control."""
    context = " ".join(f"w{number}" for number in range(50))
    row = {"id": "1", "context": context, "question": "?", "answers": [{"text": "w7", "start": 21}]}
    shuffled = span.shuffle([row] * 500, np.random.default_rng(1))
    hits = sum(one["answers"] == row["answers"] for one in shuffled)
    assert 0 < hits < 30
    assert len({one["answers"][0]["start"] for one in shuffled}) == 50
    assert span.shuffle([{**row, "answers": []}], np.random.default_rng(1))[0]["answers"] == []


@pytest.mark.parametrize("empty", [" ", "\u200b", "\x00"])
def test_a_document_without_tokens_is_answered_by_nothing(tokenizer: Any, empty: str) -> None:
    """Some published contexts are blank; a run must not die of one."""
    row = {"id": "1", "context": empty, "question": "x", "answers": []}
    features = span.encode([row], tokenizer, LENGTH, STRIDE)
    outputs = span.outputs(torch.zeros(len(features), LENGTH, 2), features)
    assert span.decode(outputs, features, [row], [])[0].strip("\u200b\x00") == ""


def test_an_answer_that_a_window_cuts_is_not_in_that_window(tokenizer: Any) -> None:
    """Half an answer, taught as a whole one, teaches to stop early."""
    cut = 0
    for before in range(0, 60, 3):
        context = "x " * before + "tapika nemoti" + " x" * 60
        answers = [{"text": "tapika nemoti", "start": 2 * before}]
        row = {"id": "1", "context": context, "question": "x", "answers": answers}
        for feature in span.encode([row], tokenizer, LENGTH, STRIDE):
            first, last = feature["offsets"][0][0], feature["offsets"][-1][1]
            start, end = answers[0]["start"], answers[0]["start"] + len("tapika nemoti")
            assert bool(feature["start"]) == (first <= start and end <= last)
            cut += first < start < last < end or start < first < end
    assert cut, "no window cut an answer, so nothing was tested"


@pytest.mark.parametrize("nulls", [(1.0, 9.0), (9.0, 1.0)])
def test_no_answer_has_to_win_in_every_window(nulls: tuple[float, float]) -> None:
    """Most windows of a long document lack the answer; that is no sign that there is none."""
    row = {"id": "1", "context": "tapika", "question": "x", "answers": []}
    features = [{"row": 0}, {"row": 0}]
    outputs = [(null, 5.0, 0, 6) for null in nulls]
    assert span.decode(outputs, features, [row], [span.NO_ANSWER]) == ["tapika"]
    outputs = [(null + 5, 5.0, 0, 6) for null in nulls]
    assert span.decode(outputs, features, [row], [span.NO_ANSWER]) == [""]
