"""Masked language modelling: the asked part, drawn by the generator, never special ones."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from xstilts.core.params import Training
from xstilts.kinds import classification, mlm

WORDS = ["tapika", "nemoti", "42", "бвгдае", "東京", "🙂", "</s>"]
TRAINING = Training(steps=1, batch=8, learning_rate=1e-5)
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=40).map(" ".join)


@given(TEXTS, st.none() | TEXTS, st.integers(0, 99), st.sampled_from([0.15, 0.3]))
def test_the_asked_part_is_masked_and_never_special(
    tokenizer: Any, text: str, pair: str | None, seed: int, part: float
) -> None:
    """A masked </s> or <pad> teaches nothing, and a lost original cannot be learnt."""
    special = set(tokenizer.all_special_ids)
    asked = TRAINING.model_copy(update={"mask": part})
    features = mlm.encode([{"text": text, "pair": pair}], tokenizer, 64, 0)
    for feature in features:
        (before,) = feature["ids"]
        (drawn,) = mlm.draw([feature], np.random.default_rng(seed), tokenizer, asked)
        (after,) = drawn["ids"]
        plain = sum(token not in special for token in before)
        assert mlm.weight(drawn) == len(drawn["gold"]) == max(1, round(part * plain))
        assert not special & {before[place] for place in drawn["masked"]}
        assert [before[place] for place in drawn["masked"]] == drawn["gold"].tolist()
        changed = {i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b}
        assert changed <= set(drawn["masked"].tolist())
        assert not (special - {tokenizer.mask_token_id}) & {after[i] for i in changed}
        assert feature["ids"] == [before], "the feature is drawn from again at later updates"
        (again,) = mlm.draw([feature], np.random.default_rng(seed), tokenizer, asked)
        assert again["ids"] == drawn["ids"]


def test_of_the_masked_80_percent_are_masks_10_other_tokens_and_10_kept(tokenizer: Any) -> None:
    """Devlin et al. 2019; noise comes from the whole vocabulary, special tokens left out."""
    row = {"text": "tapika nemoti 42 " * 30, "pair": None}
    features = mlm.encode([row] * 600, tokenizer, 128, 0)
    drawn = mlm.draw(features, np.random.default_rng(1), tokenizer, TRAINING)
    gold = np.concatenate([one["gold"] for one in drawn])
    put = np.concatenate([np.array(one["ids"][0])[one["masked"]] for one in drawn])
    masks, kept = put == tokenizer.mask_token_id, put == gold
    noise = put[~masks & ~kept]
    shares = [masks.mean(), kept.mean(), len(noise) / len(put)]
    assert np.allclose(shares, [0.8, 0.1, 0.1], atol=0.015)
    assert not set(noise.tolist()) & set(tokenizer.all_special_ids)
    assert noise.min() == len(tokenizer.all_special_ids) - 1, "the first piece after <unk>"
    assert noise.max() == len(tokenizer) - 2, "the last one before <mask>"


def test_noise_is_never_a_mask(tokenizer: Any) -> None:
    """Else a little more than 80 % would be masks, the more the smaller the vocabulary."""

    class Always:
        """A generator whose draws all ask for noise, and for the highest token."""

        def random(self, count: int) -> Any:
            return np.full(count, 0.85)

        def integers(self, low: int, high: int, count: int) -> Any:
            return np.full(count, high - 1)

    features = mlm.encode([{"text": "tapika nemoti", "pair": None}], tokenizer, 64, 0)
    (drawn,) = mlm.draw(features, Always(), tokenizer, TRAINING)  # type: ignore[arg-type]
    assert {drawn["ids"][0][place] for place in drawn["masked"]} == {len(tokenizer) - 2}


def test_singles_and_pairs_keep_the_order_of_their_rows(tokenizer: Any) -> None:
    """The order of examples depends on seed and step; a mixed file must not reorder them."""
    rows = [{"text": f"tapika {i}", "pair": "nemoti" if i % 2 else None} for i in range(9)]
    features = mlm.encode([*rows, {"text": "</s>", "pair": None}], tokenizer, 64, 0)
    assert [feature["row"] for feature in features] == list(range(9)), "no text, nothing to mask"
    for row, feature in zip(rows, features, strict=False):
        assert feature["ids"] == [tokenizer(row["text"], row["pair"])["input_ids"]]


def test_rows_of_any_kind_are_text_each_once() -> None:
    """Continued pretraining on a task's own text; a premise that occurs ten times is one text."""
    rows = [
        {"text_a": "tapika", "text_b": "nemoti", "label": 0},
        {"text_a": "tapika", "text_b": None, "label": 1},
    ]
    texts = [{"text": text, "pair": None} for text in ("tapika", "nemoti")]
    assert mlm.rows_of(rows, classification) == texts
    assert mlm.rows_of([{"text": "a", "pair": "b"}, *texts], mlm) == [
        {"text": "a", "pair": "b"},
        *texts,
    ]
