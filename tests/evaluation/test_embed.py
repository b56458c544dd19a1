"""Sentence embeddings: pooled by hand they are the same, whatever company a text is in."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import XLMRobertaConfig, XLMRobertaModel

from xstilts.core.errors import UserError
from xstilts.evaluation.embed import Pooled, embed, embeddings
from xstilts.model import packed
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
    found = embeddings(Pooled(encoder, layer, pooling), TEXTS, tokenizer, 32, 20, ALONE)
    assert found.shape == (len(TEXTS), 16)
    for text, row in zip(TEXTS, found, strict=True):
        ids = tokenizer([text], truncation=True, max_length=32)["input_ids"]
        with torch.inference_mode():
            every = encoder(torch.tensor(ids), output_hidden_states=True).hidden_states
        states = every[layer][0].numpy()
        wanted = states[0] if pooling == "cls" else states.mean(axis=0)
        np.testing.assert_allclose(row, wanted, rtol=1e-4, atol=1e-5)


def test_the_last_layer_is_what_the_encoder_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """ModernBERT norms its last states after it has noted them as hidden states."""
    monkeypatch.setitem(packed.BEFORE, "fake", lambda config: 0)
    noted, given = torch.zeros(1, 32, 3), torch.ones(1, 32, 3)
    found = SimpleNamespace(hidden_states=(noted, noted), last_hidden_state=given)

    class Fake:
        config = SimpleNamespace(model_type="fake")

        def __call__(self, **_: Any) -> SimpleNamespace:
            return found

    fake: Any = Fake()
    batch = packed.pack([[5, 6]], None, np.zeros(1, np.int64), 1, torch.device("cpu"))
    for layer in (-1, 1):
        assert embed(fake, batch, layer).tolist() == [[1.0] * 3]
    assert embed(fake, batch, 0).tolist() == [[0.0] * 3]


@pytest.mark.parametrize("layer", [LAYERS + 1, -LAYERS - 2])
def test_a_layer_that_the_encoder_lacks_is_refused(encoder: XLMRobertaModel, layer: int) -> None:
    """Layer 14 of a protocol for 24 layers is not there in a small model."""
    with pytest.raises(UserError, match=rf"`layer` is {layer}.*has {LAYERS} layers.*Mend: "):
        Pooled(encoder, layer, "mean")
