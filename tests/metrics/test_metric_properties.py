"""What holds of every metric, whatever it is given: bounds, sums, order, perfection.

Run: python -m pytest tests/metrics/test_metric_properties.py
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.metrics import METRICS

_texts = st.text(alphabet="ab the.,\u00e9\u6708\u5149 ", max_size=12)
# Prefixes of all schemes, what seqeval 1.2.2 mistakes for them, and a category of CCG.
_ENTITIES = ("O", "B-PER", "I-PER", "I-LOC", "S-PER", "E-LOC")
_WORDS = ("NOUN", "CCONJ", "SCONJ", "SYM", "X", "_", ".", "INTJ", "N", "(S\\NP)/NP")
_tags = st.sampled_from(_ENTITIES + _WORDS)
_sentences = st.lists(st.tuples(_tags, _tags), max_size=6).map(
    lambda pairs: ([a for a, _ in pairs], [b for _, b in pairs])
)
_ids = st.sampled_from("abcdefg")
_rankings = st.tuples(
    st.lists(_ids, max_size=30), st.lists(_ids, min_size=1, max_size=4, unique=True)
)
_numbers = st.tuples(st.integers(0, 3), st.integers(0, 3))
_answers = st.tuples(st.none() | _texts, st.lists(_texts, max_size=3))
_written = st.tuples(_texts, st.lists(_texts, max_size=3))
# metric -> (prediction, reference) of one example
EXAMPLES: dict[str, st.SearchStrategy[tuple[Any, Any]]] = {
    "accuracy": _numbers,
    "retrieval_accuracy": _numbers,
    "squad_f1": _answers,
    "mlqa_f1": _answers,
    "answer_f1": _written,
    "answer_f1_mlqa": _written,
    "rouge": _written,
    "entity_f1": _sentences,
    "entity_f1_seqeval_1_2_2": _sentences,
    "tag_accuracy": _sentences,
    "mining_f1": st.tuples(st.lists(_ids, max_size=4), st.lists(_ids, max_size=4)),
    "map_at_20": _rankings,
}
LANGUAGES = st.sampled_from(["en", "es", "zh", "ar"])


def _sides(pairs: list[tuple[Any, Any]]) -> tuple[list[Any], list[Any]]:
    return [ours for ours, _ in pairs], [gold for _, gold in pairs]


def test_every_metric_is_tried_here() -> None:
    """A new metric has to keep these promises too: bootstraps and reports rely on them."""
    assert EXAMPLES.keys() == METRICS.keys()


@pytest.mark.parametrize("name", EXAMPLES)
@given(draw=st.data(), language=LANGUAGES)
def test_values_lie_between_0_and_100_and_main_is_the_sum_of_the_examples(
    name: str, draw: st.DataObject, language: str
) -> None:
    """Bootstraps resample per_example: its sums must be the score that is reported."""
    metric = METRICS[name]
    pairs = draw.draw(st.lists(EXAMPLES[name], min_size=1, max_size=6))
    values = metric.score(*_sides(pairs), language)
    parts = metric.per_example(*_sides(pairs), language)
    assert len(parts) == len(pairs)
    assert all(0 <= num <= den for num, den in parts)
    assert all(0 <= value <= 100 + 1e-9 for value in values.values())
    whole = sum(den for _, den in parts)
    total = 100 * sum(num for num, _ in parts) / whole if whole else 0.0
    assert values[metric.main] == pytest.approx(total)


# seqeval 1.2.2 gives a run of X that begins a sentence the start of an entity before it.
@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - {"entity_f1_seqeval_1_2_2"}))
@given(draw=st.data(), language=LANGUAGES)
def test_the_order_of_examples_does_not_matter(
    name: str, draw: st.DataObject, language: str
) -> None:
    """Files may be sorted otherwise, and workers may finish in any order."""
    pairs = draw.draw(st.lists(EXAMPLES[name], min_size=1, max_size=6))
    other = draw.draw(st.permutations(pairs))
    values = METRICS[name].score(*_sides(pairs), language)
    assert METRICS[name].score(*_sides(other), language) == pytest.approx(values)


@pytest.mark.parametrize("name", EXAMPLES)
@given(draw=st.data(), language=LANGUAGES)
def test_gold_predicts_itself(name: str, draw: st.DataObject, language: str) -> None:
    """A scorer that takes marks off a perfect answer is wrong; nothing to find is worth 0."""
    metric = METRICS[name]
    gold = draw.draw(st.lists(EXAMPLES[name].map(lambda pair: pair[1]), min_size=1, max_size=6))
    ours = gold
    if EXAMPLES[name] in (_answers, _written):
        # A text of marks and articles alone has an exact match of 100 and, as published, no F1.
        gold = [[*texts, "moon"] for texts in gold]
        ours = ["moon"] * len(gold)
    counted = any(den for _, den in metric.per_example(ours, gold, language))
    assert metric.score(ours, gold, language)[metric.main] == pytest.approx(100 if counted else 0)


@pytest.mark.parametrize("name", EXAMPLES)
@given(draw=st.data())
def test_lists_that_do_not_fit_are_refused(name: str, draw: st.DataObject) -> None:
    """Pairs that slid by one would give a score, a wrong one."""
    metric = METRICS[name]
    ours, gold = _sides(draw.draw(st.lists(EXAMPLES[name], min_size=1, max_size=4)))
    for function in (metric.score, metric.per_example):
        with pytest.raises(ValueError, match="predictions for"):
            function([*ours, ours[0]], gold, "en")
        with pytest.raises(ValueError, match="no examples"):
            function([], [], "en")
