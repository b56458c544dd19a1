"""Entity F1 under both seqeval versions: rules by hand. (Official numbers: test_golden.py.)

Run: python -m pytest tests/metrics/test_metric_tagging.py
"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xstilts.metrics import METRICS, tagging

VERSIONS = {
    "seqeval_0.0.12": ("entity_f1", tagging.seqeval_0_0_12),
    "seqeval_1.2.2": ("entity_f1_seqeval_1_2_2", tagging.seqeval_1_2_2),
}

# gold, predicted -> (right, predicted, gold) entities in all under 0.0.12, and under 1.2.2
RULES = {
    "I- after O starts an entity": ("O I-PER", "O B-PER", (1, 1, 1), (1, 1, 1)),
    "I- of another type starts one": ("B-PER I-LOC", "B-PER B-LOC", (2, 2, 2), (2, 2, 2)),
    "B- splits": ("B-LOC B-LOC", "B-LOC I-LOC", (0, 1, 2), (0, 1, 2)),
    "a boundary off by one is wrong": ("B-LOC I-LOC", "B-LOC O", (0, 1, 1), (0, 1, 1)),
    "the type counts": ("B-LOC", "B-PER", (0, 1, 1), (0, 1, 1)),
    "none crosses a sentence": ("B-PER | I-PER", "B-PER | B-PER", (2, 2, 2), (2, 2, 2)),
    "a run of a POS tag is one": ("NOUN NOUN VERB", "NOUN VERB VERB", (0, 2, 2), (0, 2, 2)),
    "S tags never merge": ("SYM SYM", "SYM SYM", (2, 2, 2), (2, 2, 2)),
    "the second S starts anew": ("SYM SYM", "NOUN SYM", (1, 2, 2), (1, 2, 2)),
    "CCONJ SCONJ": ("CCONJ SCONJ", "CCONJ SCONJ", (2, 2, 2), (1, 1, 1)),
    "CCONJ for SCONJ": ("VERB SCONJ", "VERB CCONJ", (1, 2, 2), (2, 2, 2)),
    "X at the end": ("NOUN X", "NOUN X", (2, 2, 2), (1, 1, 1)),
    "X first, after equal entities": ("NOUN | X VERB", "NOUN | X VERB", (3, 3, 3), (3, 3, 3)),
    # 1.2.2 gives the X of the second sentence the start of an entity of the first
    "X first, after others": ("NOUN NOUN | X VERB", "NOUN DET | X VERB", (2, 4, 3), (1, 4, 3)),
}


def _sentences(text: str) -> list[list[str]]:
    return [sentence.split() for sentence in text.split("|")]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_of_seqeval(rule: str, version: str) -> None:
    """Each rule on its own, so that a machine without golden files still checks them."""
    gold, predicted, *expected = RULES[rule]
    counts = tagging.counts(_sentences(predicted), _sentences(gold), VERSIONS[version][1])
    assert tuple(map(sum, zip(*counts, strict=True))) == expected[list(VERSIONS).index(version)]


def test_token_accuracy_is_over_tokens_and_f1_over_entities() -> None:
    """The two values of one prediction: 3 of 4 tokens, 1 of 2 and 2 entities."""
    score = METRICS["entity_f1"].score(
        [["B-PER", "O"], ["B-LOC", "O"]], [["B-PER", "O"], ["B-ORG", "O"]], "en"
    )
    assert score == {"f1": 50.0, "precision": 50.0, "recall": 50.0, "token_accuracy": 75.0}
    alone = METRICS["tag_accuracy"].score([["N", "NP"], ["N"]], [["N", "N"], ["N/N"]], "en")
    assert alone == {"token_accuracy": pytest.approx(100 / 3)}


def test_no_entity_at_all_scores_zero() -> None:
    """As in seqeval; and the sums of per_example must not divide by zero."""
    metric = METRICS["entity_f1"]
    nothing = {"f1": 0.0, "precision": 0.0, "recall": 0.0}
    assert metric.score([["O"]], [["O"]], "en") == {**nothing, "token_accuracy": 100.0}
    assert metric.per_example([["O"], ["O"]], [["O"], ["B-PER"]], "en") == [(0, 0), (0, 1)]


def test_sentences_of_unequal_length_are_refused() -> None:
    """seqeval 0.0.12 shifts all that follows without a word."""
    for name in ("entity_f1", "tag_accuracy"):
        with pytest.raises(ValueError, match="sentence 1 has 1 predicted and 2 gold tags"):
            METRICS[name].score([["O"], ["O"]], [["O"], ["O", "O"]], "en")


tags = st.sampled_from(
    [
        "O",
        "B-PER",
        "I-PER",
        "I-LOC",
        "S-PER",
        "E-LOC",
        "NOUN",
        "CCONJ",
        "SCONJ",
        "SYM",
        "X",
        "_",
        ".",
        "INTJ",
    ]
)
sentences = st.lists(st.lists(st.tuples(tags, tags), max_size=6), min_size=1, max_size=6)


@settings(deadline=None)
@given(pairs=sentences)
def test_published_f1_looks_at_each_sentence_alone(pairs: Any) -> None:
    """With 0.0.12 no sentence changes another's counts, so resampling sentences is exact."""
    ours = [[pair[0] for pair in sentence] for sentence in pairs]
    gold = [[pair[1] for pair in sentence] for sentence in pairs]
    parse = tagging.seqeval_0_0_12
    alone = [tagging.counts([a], [b], parse)[0] for a, b in zip(ours, gold, strict=True)]
    assert tagging.counts(ours, gold, parse) == alone
