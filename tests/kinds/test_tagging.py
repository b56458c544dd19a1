"""Tagging: a word's tag sits at its first sub-token; sentences are split, and whole again after."""

from collections import Counter
from typing import Any

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from xstilts.kinds import tagging
from xstilts.metrics import METRICS

LABELS = ["O", "B-PER", "I-PER"]
WORDS = [
    "tapika",
    "42",
    "бвгдае",
    "東京日本語東京",
    "🙂🙂🙂",
    "e\u0301te",
    "\u200b",
    "New York",
    "x" * 40,
]


@st.composite
def sentences(draw: st.DrawFn) -> dict[str, Any]:
    """A tagged sentence; some words have no piece at all, some more than a sequence holds."""
    tokens = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=30))
    tags = [draw(st.integers(0, 2)) for _ in tokens]
    return {"id": "1", "tokens": tokens, "tags": tags}


def perfect(features: list[Any]) -> torch.Tensor:
    """Scores that are high for the gold tag at each word's place, and for another one elsewhere."""
    length = max(len(feature["ids"][0]) for feature in features)
    scores = torch.zeros(len(features), length, 3)
    scores[..., 2] = 5
    for i, feature in enumerate(features):
        for place, tag in zip(feature["places"], feature["tags"], strict=True):
            scores[i, place] = torch.eye(3)[tag] * 10
    return scores


@given(st.lists(sentences(), min_size=1, max_size=4), st.sampled_from([8, 16, 128]))
def test_perfect_scores_bring_whole_sentences_back(
    tokenizer: Any, rows: list[dict[str, Any]], length: int
) -> None:
    """In order, no word lost where a long sentence was split."""
    features = tagging.encode(rows, tokenizer, length, 0)
    assert all(len(feature["ids"][0]) <= length for feature in features)
    outputs = tagging.outputs(perfect(features), features)
    found = tagging.decode(outputs, features, rows, LABELS)
    gold = tagging.references(rows, LABELS)
    assert found == gold
    assert METRICS["entity_f1"].score(found, gold, "en")["token_accuracy"] == 100


@given(sentences(), st.sampled_from([8, 16, 128]))
def test_a_words_place_is_its_first_piece(tokenizer: Any, row: dict[str, Any], length: int) -> None:
    """Word by word: the tokens from its place on are the word's own; <unk> where they are none, or
    more than a sequence holds; of a word with white space in it, those of its first part."""
    features = tagging.encode([row], tokenizer, length, 0)
    words = iter(row["tokens"])
    for feature in features:
        (ids,) = feature["ids"]
        assert (ids[0], ids[-2:]) == (tokenizer.bos_token_id, [tokenizer.eos_token_id] * 2)
        assert feature["places"][0] == 1
        ends = [*feature["places"][1:], len(ids) - 2]
        for place, end in zip(feature["places"], ends, strict=True):
            own = tokenizer(next(words).split()[0], add_special_tokens=False)["input_ids"]
            known = 0 < len(own) <= length - 3
            assert ids[place:end] == (own if known else [tokenizer.unk_token_id])
    assert next(words, None) is None


def test_only_first_pieces_count_in_the_loss(tokenizer: Any) -> None:
    """The loss is the plain mean cross-entropy over words, whatever stands at other pieces."""
    row = {"id": "1", "tokens": ["東京日本語東京", "tapika", "42"], "tags": [1, 2, 0]}
    features = tagging.encode([row], tokenizer, 64, 0)
    scores = torch.randn(1, len(features[0]["ids"][0]), 3, generator=torch.manual_seed(1))
    at_words = scores[0, features[0]["places"]]
    expected = torch.nn.functional.cross_entropy(at_words, torch.tensor(row["tags"]))
    weight = tagging.weight(features[0])
    assert weight == 3
    assert torch.allclose(tagging.loss(scores, features) / weight, expected)
    others = [i for i in range(scores.shape[1]) if i not in features[0]["places"]]
    scores[0, others] = 99
    assert torch.allclose(tagging.loss(scores, features) / weight, expected)


def test_the_control_keeps_tags_and_lengths() -> None:
    """The distribution stays, the relation goes."""
    rows = [
        {"tokens": [f"w{i % 3}"] * (i % 5 + 1), "tags": [i % 3] * (i % 5 + 1)} for i in range(300)
    ]
    shuffled = tagging.shuffle(rows, np.random.default_rng(1))
    pairs = list(zip(rows, shuffled, strict=True))
    assert all(new["tokens"] == old["tokens"] for old, new in pairs)
    assert all(len(new["tags"]) == len(old["tags"]) for old, new in pairs)
    both = [Counter(tag for row in some for tag in row["tags"]) for some in (rows, shuffled)]
    assert both[0] == both[1]
    kept = [a == b for old, new in pairs for a, b in zip(old["tags"], new["tags"], strict=True)]
    assert abs(sum(kept) / len(kept) - 1 / 3) < 0.06
