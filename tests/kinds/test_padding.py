"""A loss is that of its rows: neither padding nor the company in a batch changes it."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from kind_rows import LABELS, ROWS
from torch import nn

from xstilts.core.params import Training
from xstilts.kinds import modules
from xstilts.model.checkpoint import language_head
from xstilts.model.heads import WithHeads
from xstilts.training import batches

HIDDEN = 16


def net(kind: ModuleType, name: str, vocabulary: int) -> nn.Module:
    """A small XLM-R with the kind's head, in evaluation mode."""
    from transformers import XLMRobertaConfig, XLMRobertaForMaskedLM, XLMRobertaModel

    torch.manual_seed(1)
    config = XLMRobertaConfig(
        vocab_size=vocabulary,
        hidden_size=HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=130,
        initializer_range=0.5,
        pad_token_id=1,
    )
    if name == "mlm":
        whole = XLMRobertaForMaskedLM(config)
        return WithHeads(whole.base_model, [language_head(whole)]).eval()
    encoder = XLMRobertaModel(config, add_pooling_layer=False)
    return WithHeads(encoder, [kind.head(HIDDEN, LABELS, 0.1)]).eval()


@pytest.mark.parametrize("name", sorted(ROWS))
def test_the_loss_of_a_batch_is_the_sum_of_the_losses_of_its_rows(
    name: str, tokenizer: Any
) -> None:
    """Micro-batches are cut by length and machine: what is learnt may not depend on that."""
    kind = modules.get(name)
    features = kind.encode(ROWS[name], tokenizer, 40, 8)
    if name == "mlm":
        asked = Training(steps=1, batch=8, learning_rate=1e-5)
        features = kind.draw(features, np.random.default_rng(1), tokenizer, asked)
    model = net(kind, name, len(tokenizer))
    lengths = {batches.longest(feature) for feature in features}
    assert len(lengths) > 1, "without padding there is nothing to test"

    def loss(some: list[Any]) -> float:
        packed = batches.collate(some, kind, tokenizer.pad_token_id, torch.device("cpu"))
        with torch.inference_mode():
            return float(kind.loss(model(packed), some))

    together, apart = loss(features), [loss([feature]) for feature in features]
    assert together == pytest.approx(sum(apart), rel=1e-4)
    assert len({round(value, 6) for value in apart}) > 1
    assert loss(features[::-1]) == pytest.approx(together, rel=1e-4)
