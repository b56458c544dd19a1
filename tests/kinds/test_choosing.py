"""Classification and multiple choice: what is encoded, the loss, empty controls."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from xstilts import tasks
from xstilts.kinds import classification, multiple_choice

PAIR = {"id": "1", "text_a": "tapika nemoti", "text_b": "бвгдае", "label": 1}


def choice_rows() -> list[dict[str, Any]]:
    """Rows with two to four choices each."""
    return [
        {
            **{"id": str(i), "context": "tapika " * (i % 4 + 1), "question": "nemoti?" * (i % 2)},
            "choices": [f"w{j} x" for j in range(2 + i % 3)],
            "label": i % 2,
        }
        for i in range(60)
    ]


def test_a_pair_is_encoded_as_xlmr_reads_pairs(tokenizer: Any) -> None:
    """<s> a </s></s> b </s>, the label beside it."""
    (feature,) = classification.encode([PAIR], tokenizer, 64, 0)
    assert feature["ids"] == [tokenizer(PAIR["text_a"], PAIR["text_b"])["input_ids"]]
    assert (feature["label"], feature["row"]) == (1, 0)
    (alone,) = classification.encode([{**PAIR, "text_b": None}], tokenizer, 64, 0)
    assert alone["ids"] == [tokenizer(PAIR["text_a"])["input_ids"]]


def test_pairs_and_single_texts_may_be_mixed(tokenizer: Any) -> None:
    """Joined tasks: each row is what it is, whatever the first row of its file is."""
    alone = {**PAIR, "text_b": None, "label": 0}
    for rows in ([PAIR, alone, PAIR], [alone, PAIR, alone]):
        features = classification.encode(rows, tokenizer, 64, 0)
        assert [feature["label"] for feature in features] == [row["label"] for row in rows]
        assert [feature["row"] for feature in features] == [0, 1, 2]
        assert [feature["ids"][0] for feature in features] == [
            tokenizer(row["text_a"], row["text_b"])["input_ids"] for row in rows
        ]


def test_a_long_pair_loses_of_its_longer_text(tokenizer: Any) -> None:
    """Cutting the second text off would leave a question without its hypothesis."""
    row = {**PAIR, "text_a": "tapika " * 500}
    (feature,) = classification.encode([row], tokenizer, 64, 0)
    (ids,) = feature["ids"]
    second = tokenizer(PAIR["text_b"], add_special_tokens=False)["input_ids"]
    assert len(ids) == 64
    assert ids[-len(second) - 1 : -1] == second


@given(st.integers(0, 90), st.integers(0, 90), st.sampled_from([16, 64, 128]))
def test_pairs_are_cut_as_the_scripts_cut_them(
    tokenizer: Any, first: int, second: int, length: int
) -> None:
    """Token by token off the longer text, off the second of two that are as long (transformers
    2.4.1). The published lengths are even, so that XLM-R's four special tokens leave an even rest.
    """
    row = {**PAIR, "text_a": "x " * first + "x", "text_b": "42 " * second + "42"}
    (feature,) = classification.encode([row], tokenizer, length, 0)
    texts = [
        tokenizer(row[name], add_special_tokens=False)["input_ids"] for name in ("text_a", "text_b")
    ]
    while sum(map(len, texts)) > length - 4:
        texts[len(texts[0]) <= len(texts[1])].pop()
    assert feature["ids"] == [[0, *texts[0], 2, 2, *texts[1], 2]]


def test_classification_is_plain_cross_entropy() -> None:
    """Summed, to be divided by the number of rows."""
    labels = [0, 2, 1]
    features = [{"ids": [[0]], "row": i, "label": label} for i, label in enumerate(labels)]
    scores = torch.randn(3, 3, generator=torch.manual_seed(1))
    expected = cross_entropy(scores, torch.tensor(labels), reduction="sum")
    assert torch.allclose(classification.loss(scores, features), expected)
    certain = torch.eye(3)[labels]
    found = classification.decode(classification.outputs(certain, features), features, [], [])
    assert found == labels


def test_each_choice_is_a_sequence_of_its_own(tokenizer: Any) -> None:
    """Context and question, then a choice; all choices stay different under a long context."""
    rows = choice_rows()[:3]
    for row, feature in zip(rows, multiple_choice.encode(rows, tokenizer, 64, 0), strict=True):
        asked = f"{row['context']} {row['question']}"
        texts = [tokenizer(asked, choice)["input_ids"] for choice in row["choices"]]
        assert feature["ids"] == texts
    long = {**rows[2], "context": "tapika " * 500}
    (feature,) = multiple_choice.encode([long], tokenizer, 64, 0)
    assert {len(ids) for ids in feature["ids"]} == {64}
    assert len({tuple(ids) for ids in feature["ids"]}) == len(long["choices"])


@pytest.mark.parametrize(
    ("name", "row", "first", "second"),
    [
        (
            "siqa",
            {"context": "Ann ran.", "question": "Why?", "label": "2"}
            | {f"answer{one}": f"to {one}" for one in "ABC"},
            "Ann ran. Why?",
            "to B",
        ),
        (
            "cosmos_qa",
            {"id": "i", "context": "Ann ran.", "question": "Why?", "label": 1}
            | {f"answer{number}": f"to {number}" for number in range(4)},
            "Ann ran. Why?",
            "to 1",
        ),
        (
            "hellaswag",
            {"ind": 1, "ctx_a": "Ann ran.", "ctx_b": "Then she", "endings": ["sat.", "stood."]}
            | {"ctx": "Ann ran. Then she", "label": "1"},
            "Ann ran.",
            "Then she stood.",
        ),
        (
            "xcopa",
            {"premise": "Ann ran.", "question": "cause", "choice1": "A bus.", "choice2": "It was."}
            | {"label": 1, "idx": 3},
            "Ann ran. What was the cause?",
            "It was.",
        ),
        (
            "commonsense_qa",
            {"id": "i", "question": "Why run?", "answerKey": "B"}
            | {"choices": {"label": ["A", "B"], "text": ["bus", "fun"]}},
            "Why run?",
            "fun",
        ),
    ],
)
def test_choices_have_the_form_of_the_published_scripts(
    tokenizer: Any, name: str, row: dict[str, Any], first: str, second: str
) -> None:
    """As run_xcopa.py and jiant's task files put them: what is asked, and what is chosen."""
    made = tasks.load(name).convert(row, "en")
    assert made is not None
    (feature,) = multiple_choice.encode([made], tokenizer, 64, 0)
    assert feature["ids"][made["label"]] == tokenizer(first, second)["input_ids"]
    assert multiple_choice.texts(made) == [(first, None), (second, None)]


def test_multiple_choice_is_plain_cross_entropy_over_the_choices(tokenizer: Any) -> None:
    """Row by row, as rows may differ in their choices."""
    rows = choice_rows()
    features = multiple_choice.encode(rows, tokenizer, 64, 0)
    count = sum(len(row["choices"]) for row in rows)
    scores = torch.randn(count, 1, generator=torch.manual_seed(1))
    start, expected, best = 0, torch.zeros(()), []
    for row in rows:
        own = scores[start : start + len(row["choices"]), 0]
        expected += cross_entropy(own[None], torch.tensor([row["label"]]))
        best.append(int(own.argmax()))
        start += len(row["choices"])
    assert torch.allclose(multiple_choice.loss(scores, features), expected)
    assert multiple_choice.outputs(scores, features) == best
    assert sum(map(multiple_choice.weight, features)) == len(rows)


def test_perfect_scores_give_the_gold_choice(tokenizer: Any) -> None:
    """From scores to what the metric compares."""
    rows = choice_rows()
    features = multiple_choice.encode(rows, tokenizer, 64, 0)
    gold = [[float(j == row["label"])] for row in rows for j in range(len(row["choices"]))]
    outputs = multiple_choice.outputs(torch.tensor(gold), features)
    assert multiple_choice.decode(outputs, features, rows, []) == multiple_choice.references(
        rows, []
    )


def test_the_control_of_classification_keeps_the_labels_and_breaks_their_meaning() -> None:
    """A skewed distribution must stay, or the control would differ in more than the meaning."""
    rows = [{"text_a": str(i % 4), "text_b": None, "label": int(i % 4 == 0)} for i in range(2000)]
    shuffled = classification.shuffle(rows, np.random.default_rng(1))
    assert Counter(row["label"] for row in shuffled) == Counter(row["label"] for row in rows)
    shares = [
        np.mean([row["label"] for row in shuffled if row["text_a"] == text]) for text in "0123"
    ]
    assert np.allclose(shares, 0.25, atol=0.07)
    assert [{**row, "label": 0} for row in shuffled] == [{**row, "label": 0} for row in rows]


def test_the_control_of_multiple_choice_calls_any_choice_right() -> None:
    """Each as often as the others, and always one that there is."""
    rows = choice_rows() * 40
    shuffled = multiple_choice.shuffle(rows, np.random.default_rng(1))
    for count in (2, 3, 4):
        some = [row["label"] for row in shuffled if len(row["choices"]) == count]
        shares = [some.count(label) / len(some) for label in range(count)]
        assert sum(shares) == pytest.approx(1)
        assert np.allclose(shares, 1 / count, atol=0.06)
    assert [{**row, "label": 0} for row in shuffled] == [{**row, "label": 0} for row in rows]


def test_controls_depend_on_the_seed_alone() -> None:
    """They are runs like others: repeatable."""
    rows = choice_rows()
    first, again, other = (
        multiple_choice.shuffle(rows, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first == again != other
