"""Sentence embeddings: pooled by hand they are the same, whatever company a text is in."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import XLMRobertaConfig, XLMRobertaModel

from xstilts.core.errors import UserError
from xstilts.evaluation.embed import Pooled, embed, embeddings
from xstilts.training.engine import Workers

LAYERS = 3
TEXTS = ["tapika", "nemoti tapika 42, no. бвгда", "東京 tapika nemoti " * 6, "x", "nemoti"]
ALONE = Workers(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module")
def encoder(tokenizer: Any) -> XLMRobertaModel:
    """A small XLM-R in evaluation mode."""
    torch.manual_seed(1)
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=66,
        initializer_range=0.5,
        pad_token_id=1,
    )
    return XLMRobertaModel(config, add_pooling_layer=False).eval()


@pytest.mark.parametrize("layer", [0, 2, -1])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_each_text_is_pooled_as_if_it_were_alone(
    encoder: XLMRobertaModel, tokenizer: Any, layer: int, pooling: Any
) -> None:
    """Padding in a mean, or a wrong layer, gives numbers that look as good as the right ones."""
    found = embeddings(Pooled(encoder, layer, pooling), TEXTS, tokenizer, 32, 2, ALONE)
    assert found.shape == (len(TEXTS), 16)
    for text, row in zip(TEXTS, found, strict=True):
        ids = tokenizer([text], truncation=True, max_length=32)["input_ids"]
        with torch.inference_mode():
            every = encoder(torch.tensor(ids), output_hidden_states=True).hidden_states
        states = every[layer][0].numpy()
        wanted = states[0] if pooling == "cls" else states.mean(axis=0)
        np.testing.assert_allclose(row, wanted, rtol=1e-4, atol=1e-5)


def test_the_tokens_of_a_mean_are_those_of_the_mask(encoder: XLMRobertaModel) -> None:
    """Special tokens count, pads do not: the rule of jiant, which the scripts share."""
    states = torch.arange(12.0).reshape(1, 4, 3)
    fake: Any = lambda **_: SimpleNamespace(hidden_states=(states, None))  # noqa: E731
    ids, mask = torch.zeros(1, 4), torch.tensor([[1, 1, 1, 0]])
    assert embed(fake, ids, mask, 0).tolist() == [[3.0, 4.0, 5.0]]
    assert embed(fake, ids, mask, 0, "cls").tolist() == [[0.0, 1.0, 2.0]]


@pytest.mark.parametrize("layer", [-1, 1])
def test_the_last_layer_is_what_the_encoder_gives(layer: int) -> None:
    """ModernBERT norms its last states after it has noted them as hidden states."""
    noted, given = torch.zeros(1, 2, 3), torch.ones(1, 2, 3)
    found = SimpleNamespace(hidden_states=(noted, noted), last_hidden_state=given)
    fake: Any = lambda **_: found  # noqa: E731
    assert embed(fake, torch.zeros(1, 2), torch.ones(1, 2), layer).tolist() == [[1.0] * 3]


@pytest.mark.parametrize("layer", [LAYERS + 1, -LAYERS - 2])
def test_a_layer_that_the_encoder_lacks_is_refused(encoder: XLMRobertaModel, layer: int) -> None:
    """Layer 14 of a protocol for 24 layers is not there in a small model."""
    with pytest.raises(UserError, match=rf"`layer` is {layer}.*has {LAYERS} layers.*Mend: "):
        Pooled(encoder, layer, "mean")
