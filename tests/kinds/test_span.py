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
LENGTH, STEP = 96, 8  # where a token has its maximum context, an answer of two words is whole
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
BLANK = " \t\r\n\u202f"
PLAIN = (" ", "  ", "\n")  # what parts words; a no-break or ideographic space does not
SPACES = (*PLAIN, " ", "\u00a0", "\u3000")


@st.composite
def questions(draw: st.DrawFn, spaces: tuple[str, ...] = SPACES) -> Row:
    """A row whose answer is one or two whole words of its context, often first or last."""
    words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=60))
    text, starts = draw(st.sampled_from(["", " ", "\n"])), []
    for word in words:
        starts.append(len(text))
        text += word + draw(st.sampled_from(spaces))
    first = draw(st.sampled_from([0, len(words) - 1]) | st.integers(0, len(words) - 1))
    last = min(len(words) - 1, first + draw(st.integers(0, 1)))
    answer = text[starts[first] : starts[last] + len(words[last])]
    question = " ".join(draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=70)))
    gold = {"text": answer, "start": starts[first]}
    return {"id": "1", "context": text, "question": question, "answers": [gold]}


def perfect(features: list[Any]) -> torch.Tensor:
    """Scores that are high at the gold positions alone: [tokens, 2]."""
    parts = [torch.zeros(len(feature["ids"][0]), 2) for feature in features]
    for scores, feature in zip(parts, features, strict=True):
        scores[feature["start"], 0] = scores[feature["end"], 1] = 10
    return torch.cat(parts)


def ids_of(text: str, tokenizer: Any) -> list[int]:
    """Tokens of a text alone."""
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


@given(questions())
def test_gold_positions_are_the_answer_or_its_words_in_every_window(
    tokenizer: Any, row: Row
) -> None:
    """A position that is off by one trains the model to answer wrongly, and nothing else tells."""
    (answer,) = row["answers"]
    start, end = answer["start"], answer["start"] + len(answer["text"])
    context = row["context"]
    while start and context[start - 1] not in BLANK:
        start -= 1
    while end < len(context) and context[end] not in BLANK:
        end += 1
    words = re.split(f"[{BLANK}]+", context[start:end])
    whole = [one for word in words for one in ids_of(word, tokenizer)]
    features = span.encode([row], tokenizer, LENGTH, STEP)
    for feature in features:
        ids = feature["ids"][0]
        assert len(ids) <= LENGTH
        assert (ids[0], ids[-1]) == (tokenizer.bos_token_id, tokenizer.eos_token_id)
        if feature["start"] > 0:
            taught = ids[feature["start"] : feature["end"] + 1]
            assert taught in (ids_of(answer["text"], tokenizer), whole)
    read = " ".join(answer["text"].split())
    if read in " ".join(words):
        assert any(feature["start"] > 0 for feature in features) or len(whole) > 17
        assert all(map(span.taught, features))
    else:
        assert not any(map(span.taught, features))


@given(questions(), st.sampled_from([4, 8, 40, 128]))
def test_windows_start_a_step_apart_and_leave_nothing_out(
    tokenizer: Any, row: Row, step: int
) -> None:
    """`doc_stride` is the step; the overlap is what the question and special tokens leave of it."""
    features = span.encode([row], tokenizer, LENGTH, step)
    tokens = [one for word in row["context"].split() for one in ids_of(word, tokenizer)]
    question = min(len(ids_of(row["question"], tokenizer)), LENGTH // 2)
    room = LENGTH - question - 4
    for number, feature in enumerate(features):
        start = number * min(step, room)
        assert feature["first"] == question + 3
        assert feature["ids"][0][feature["first"] : -1] == tokens[start : start + room]
        assert (start + room >= len(tokens)) == (feature is features[-1])


@given(questions(), st.sampled_from([4, 8, 40]))
def test_each_token_has_its_maximum_context_once(tokenizer: Any, row: Row, step: int) -> None:
    """Else a span would be a candidate twice, or where little can be seen around it."""
    features = span.encode([row], tokenizer, LENGTH, step)
    context: dict[int, list[tuple[float, bool]]] = {}
    for feature in features:
        count, start = len(feature["words"]), feature["start_of_window"]
        for place in range(count):
            seen = min(place, count - 1 - place) + 0.01 * count
            context.setdefault(start + place, []).append((seen, bool(feature["full"][place])))
    for windows in context.values():
        best = max(seen for seen, _ in windows)
        chosen = [number for number, (_, full) in enumerate(windows) if full]
        assert chosen == [[seen for seen, _ in windows].index(best)]


def test_an_answer_starts_where_its_window_has_maximum_context(tokenizer: Any) -> None:
    """The same span in a window that hardly sees around it does not count, however sure."""
    row = {"id": "1", "context": "x " * 200, "question": "x", "answers": []}
    features = span.encode([row], tokenizer, LENGTH, 40)
    scores = torch.zeros(len(features[0]["ids"][0]), 2)
    scores[features[0]["first"] + len(features[0]["words"]) - 1] = 10
    (found,) = span.outputs(scores, features[:1])
    assert found[1] < 20
    assert not features[0]["full"][-1]


@given(st.lists(questions(spaces=PLAIN), min_size=1, max_size=3))
def test_perfect_scores_give_an_exact_match_of_100(tokenizer: Any, rows: list[Row]) -> None:
    """From tokens back to text: the whole way that a prediction goes."""
    features = span.encode(rows, tokenizer, LENGTH, STEP)
    outputs = span.outputs(perfect(features), features)
    found = span.decode(outputs, features, rows, [])
    assert found == [" ".join(row["answers"][0]["text"].split()) for row in rows]
    measure = METRICS["squad_f1"]
    assert measure.score(found, span.references(rows, []), "en")["exact_match"] == 100


@given(questions())
def test_no_answer_is_given_where_it_is_allowed(tokenizer: Any, row: Row) -> None:
    """And only there: SQuAD 1.1 has an answer to every question."""
    row = {**row, "answers": []}
    features = span.encode([row], tokenizer, LENGTH, STEP)
    assert all(feature["start"] == feature["end"] == 0 for feature in features)
    outputs = span.outputs(perfect(features), features)
    assert span.decode(outputs, features, [row], [span.NO_ANSWER]) == [""]
    assert span.decode(outputs, features, [row], [])[0]
    assert span.references([row], []) == [[]]


def test_to_answer_nothing_is_right_where_there_is_no_answer() -> None:
    """SQuAD 2.0's rule from row to score: F1 and exact match alike, or who never abstains wins."""
    row = {"id": "1", "context": "a moon", "question": "what?", "answers": []}
    asked = [row, row, {**row, "answers": [{"text": "moon", "start": 2}]}]
    gold = span.references(asked, [span.NO_ANSWER])
    found = METRICS["squad_f1"].score(["", "moon", "moon"], gold, "en")
    assert found == {"f1": pytest.approx(200 / 3), "exact_match": pytest.approx(200 / 3)}


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
    features = span.encode([row], tokenizer, 128, STEP)
    (feature,) = features
    first = feature["first"]
    for start, end in [(0, 29), (0, 30), (20, 10)]:
        scores = torch.zeros(len(feature["ids"][0]), 2)
        scores[first + start, 0], scores[first + end, 1] = 10, 9
        ((_, score, _, _),) = span.outputs(scores, features)
        assert (score == 19) == (0 <= end - start < 30)


def test_the_best_of_all_windows_is_the_answer(tokenizer: Any) -> None:
    """A document is answered once, wherever the answer lies."""
    row = {"id": "1", "context": "x " * 60 + "tapika", "question": "x", "answers": []}
    row["answers"] = [{"text": "tapika", "start": 120}]
    features = span.encode([row, row], tokenizer, LENGTH, STEP)
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
    features = span.encode([row], tokenizer, LENGTH, STEP)
    tokens = sum(len(feature["ids"][0]) for feature in features)
    outputs = span.outputs(torch.zeros(tokens, 2), features)
    assert span.decode(outputs, features, [row], [])[0] in (empty, span.NOTHING)
    assert span.decode(outputs, features, [row], [span.NO_ANSWER])[0] in ("", empty, span.NOTHING)


def test_an_answer_that_a_window_cuts_is_not_in_that_window(tokenizer: Any) -> None:
    """Half an answer, taught as a whole one, teaches to stop early."""
    cut, size = 0, len(ids_of("tapika nemoti", tokenizer))
    for before in range(0, 60, 3):
        context = "x " * before + "tapika nemoti" + " x" * 60
        answers = [{"text": "tapika nemoti", "start": 2 * before}]
        row = {"id": "1", "context": context, "question": "x", "answers": answers}
        for feature in span.encode([row], tokenizer, LENGTH, STEP):
            first = feature["start_of_window"] - len(ids_of("x " * before, tokenizer))
            last = first + len(feature["words"])
            assert bool(feature["start"]) == (first <= 0 and size <= last)
            cut += 0 < first < size or 0 < last < size
    assert cut, "no window cut an answer, so nothing was tested"


@pytest.mark.parametrize("nulls", [(1.0, 9.0), (9.0, 1.0)])
def test_no_answer_has_to_win_in_every_window(tokenizer: Any, nulls: tuple[float, float]) -> None:
    """Most windows of a long document lack the answer; that is no sign that there is none."""
    row = {"id": "1", "context": "tapika", "question": "x", "answers": []}
    features = span.encode([row, row], tokenizer, LENGTH, STEP)
    for feature in features:
        feature["row"] = 0
    last = len(features[0]["words"]) - 1
    outputs = [(null, 5.0, 0, last) for null in nulls]
    assert span.decode(outputs, features, [row], [span.NO_ANSWER]) == ["tapika"]
    outputs = [(null + 5, 5.0, 0, last) for null in nulls]
    assert span.decode(outputs, features, [row], [span.NO_ANSWER]) == [""]


def test_a_language_without_spaces_is_taught_the_answers_own_tokens(tokenizer: Any) -> None:
    """By words alone a whole clause would be taught as the answer, and read back as one."""
    context = "東京日本語東京 日本語東京"
    row = {"id": "1", "context": context, "question": "x", "answers": [{"text": "本", "start": 3}]}
    for language, taught, read in (("zh", "本", "本"), ("en", "東京日本語東京", "東京日本語東京")):
        told = {**row, "training_language": language}
        (feature,) = features = span.encode([told], tokenizer, LENGTH, STEP)
        ids = feature["ids"][0][feature["start"] : feature["end"] + 1]
        assert tokenizer.decode(ids).strip() == taught
        outputs = span.outputs(perfect(features), features)
        assert span.decode(outputs, features, [told], []) == [read]


def plain_best(scores: np.ndarray[Any, Any], feature: Row) -> tuple[float, float, int, int]:
    """The best span by the loop of run_squad: starts best first, and under each the ends."""
    first, count = feature["first"], len(feature["words"])
    order = np.argsort(-scores, axis=0, kind="stable")[: span.N_BEST] - first
    null, best = float(scores[0].sum()), (-np.inf, 0, 0)
    for start in order[:, 0]:
        for end in order[:, 1]:
            if 0 <= start <= end < min(count, start + span.MAX_ANSWER) and feature["full"][start]:
                score = float(scores[first + start, 0] + scores[first + end, 1])
                if score > best[0]:
                    best = (score, int(start), int(end))
    return null, *best


@given(st.data())
def test_the_best_span_is_that_of_a_plain_loop(data: st.DataObject) -> None:
    """Of equal spans the one that is met first answers, so that no tie is broken by chance."""
    first, count = data.draw(st.integers(1, 8)), data.draw(st.integers(0, 60))
    values = st.sampled_from([0.0, 0.5, 1.0, -2.0, -np.inf, np.nan]) | st.floats(-4, 4, width=32)
    tokens = first + count + 1
    drawn = data.draw(st.lists(values, min_size=2 * tokens, max_size=2 * tokens))
    full = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    feature = {"first": first, "words": [0] * count, "full": np.array(full, dtype=bool)}
    scores = np.array(drawn).reshape(tokens, 2)
    found, expected = span.best_span(scores, feature), plain_best(scores, feature)
    # As text NaN is NaN; 0 more makes a 0 of -0, which a sum may give for it.
    assert [str(one + 0) for one in found] == [str(one + 0) for one in expected]
