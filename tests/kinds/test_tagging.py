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
    """Scores of each word that are high for its gold tag."""
    tags = [tag for feature in features for tag in feature["tags"]]
    return 10 * torch.eye(3)[torch.tensor(tags)]


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
    """The loss is the plain mean cross-entropy over words, each read at its first piece."""
    row = {"id": "1", "tokens": ["東京日本語東京", "tapika", "42"], "tags": [1, 2, 0]}
    features = tagging.encode([row, row], tokenizer, 64, 0)
    length, places = len(features[0]["ids"][0]), np.array(features[0]["places"])
    read = tagging.positions(features, np.array([0, length]))
    assert read.tolist() == [*places, *(length + places)]
    scores = torch.randn(6, 3, generator=torch.manual_seed(1))
    expected = torch.nn.functional.cross_entropy(scores, torch.tensor(row["tags"] * 2))
    weight = sum(map(tagging.weight, features))
    assert weight == 6
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
