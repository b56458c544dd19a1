"""Span corruption: what is masked, what is answered, and that both together are the text."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.core.params import Training
from xstilts.training import corruption

ROWS = [{"text": "tapika nemoti " * n, "pair": None} for n in (1, 4, 9)]


def asked(part: float) -> Training:
    return Training(steps=1, batch=4, learning_rate=1e-3, mask=part)


@pytest.mark.parametrize("part", [0.15, 0.5, 0.99])
def test_source_and_answer_put_together_are_the_text(part: float, tokenizer: Any) -> None:
    """A token that is lost or said twice would teach another text."""
    features = corruption.encode(ROWS, tokenizer, 60, 0)
    drawn = corruption.draw(features, np.random.default_rng(1), tokenizer, asked(part))
    mask, end = tokenizer.mask_token_id, tokenizer.eos_token_id
    for before, after in zip(features, drawn, strict=True):
        text = np.asarray(before["ids"][0])[before["free"]].tolist()
        (source,), target = after["ids"], after["target"]
        assert source[-1] == target[-1] == end
        assert after["given"] == [tokenizer.pad_token_id, *target[:-1]]
        spans = " ".join(map(str, target[:-1])).split(str(mask))[1:]
        whole: list[int] = []
        for token in source[:-1]:
            whole += map(int, spans.pop(0).split()) if token == mask else [token]
        assert whole == text
        assert spans == []
        assert corruption.weight(after) == len(target)


@given(st.integers(1, 40), st.floats(0.01, 0.99), st.integers(0, 1000))
def test_so_many_tokens_are_masked_as_asked_and_at_least_one(
    size: int, part: float, seed: int
) -> None:
    """Texts of one token as well."""
    inside = corruption._spans(size, part, np.random.default_rng(seed))
    assert inside.sum() == min(size, max(1, round(part * size)))
