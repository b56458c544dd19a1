"""The dual encoder: groups of queries share their candidates, however a batch is cut."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers import XLMRobertaConfig, XLMRobertaModel

from xstilts.core.errors import UserError
from xstilts.core.params import Training
from xstilts.kinds import ranking
from xstilts.model import packed
from xstilts.training import batches

CPU = torch.device("cpu")
ROWS: list[dict[str, Any]] = [
    {
        "id": str(n),
        "text": f"tapika {n}" + " x" * n,
        "pair": None,
        "relevant": [],
        "positive": f"nemoti {n}",
        "positive_pair": None if n % 3 else f"nemoti {n} бвгда" + " 42" * n,
    }
    for n in range(12)
]


def settings(**changes: Any) -> Training:
    """A training whose batch is three groups of four."""
    usual = {"steps": 1, "batch": 12, "learning_rate": 0.1, "negatives": 4, "max_length": 40}
    return Training(**{**usual, **changes})


class Net(nn.Module):
    """A small encoder under the kind's head, in evaluation mode."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        torch.manual_seed(1)
        config = XLMRobertaConfig(
            vocab_size=vocabulary,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=130,
            initializer_range=0.5,
            pad_token_id=1,
        )
        self.encoder = XLMRobertaModel(config, add_pooling_layer=False)
        packed.prepare(self.encoder)
        self.head = ranking.head(16, [], 0.1)
        self.eval()

    def forward(self, batch: packed.Packed) -> torch.Tensor:
        (hidden,) = packed.run(self.encoder, batch)
        output: torch.Tensor = self.head(hidden[batch.read])
        return output


@pytest.fixture(scope="module")
def net(tokenizer: Any) -> Net:
    return Net(len(tokenizer))


def grouped(tokenizer: Any, training: Training, rows: list[dict[str, Any]] = ROWS) -> list[Any]:
    """Drawn features of a batch."""
    features = ranking.encode(rows, tokenizer, training.max_length, training.stride)
    return ranking.draw(features, np.random.default_rng(0), tokenizer, training)


def summed(net: Net, features: list[Any]) -> float:
    """The loss of one micro-batch."""
    with torch.inference_mode():
        return float(ranking.loss(net(batches.collate(features, ranking, 1, CPU)), features))


@given(pieces=st.sampled_from([1, 2, 3, 6]), negatives=st.sampled_from([2, 3, 4, 6, 12]))
def test_a_batch_cut_anyhow_has_one_loss(
    net: Net, tokenizer: Any, pieces: int, negatives: int
) -> None:
    """Micro-batch and processes are hardware: they may not decide whose negative a text is."""
    features = grouped(tokenizer, settings(negatives=negatives))
    pieces = math.gcd(pieces, len(features))
    whole = summed(net, features)
    parts = [summed(net, piece) for piece in batches.pieces_of(features, pieces)]
    assert sum(parts) == pytest.approx(whole, rel=1e-4)
    assert sum(map(ranking.weight, features)) == len(ROWS)


def test_groups_follow_the_order_of_the_batch(tokenizer: Any) -> None:
    """The order depends on seed and step alone, so groups do; each query brings its positive."""
    features = ranking.encode(ROWS, tokenizer, 40, 8)
    groups = grouped(tokenizer, settings())
    for number, group in enumerate(groups):
        own = features[4 * number : 4 * number + 4]
        assert group["ids"][:4] == [one["ids"][0] for one in own]
        assert group["ids"][4:] == [one["ids"][1] for one in own]


class Typed:
    """A tokenizer of BERT's layout: one separator, and types of text."""

    sep_token_id = 102

    def __call__(self, firsts: list[str], seconds: Any, **_: Any) -> dict[str, Any]:
        ids = [[ord(sign) for sign in text] for text in firsts]
        return {"input_ids": ids, "token_type_ids": [[0] * len(one) for one in ids]}

    def num_special_tokens_to_add(self, pair: bool) -> int:
        return 2 + pair


def test_types_of_text_go_with_their_ids() -> None:
    """Encoders with two types of text (BERT's) get one for each token."""
    features = ranking.encode(ROWS[:4], Typed(), 40, 8)
    (group,) = ranking.draw(features, np.random.default_rng(0), Typed(), settings())
    assert [len(ids) for ids in group["ids"]] == [len(types) for types in group["types"]]


def test_text_is_lower_cased_for_encoders_of_xlmrs_layout_alone(tokenizer: Any) -> None:
    """The scripts' --do_lower_case stands in the line of XLM-R, not in mBERT's."""
    row = {**ROWS[0], "text": "TAPIKA \u03a3", "positive": "Nemoti", "positive_pair": "Бвгдае\nX"}
    query, candidate = ranking.encode([row], tokenizer, 40, 8)[0]["ids"]
    assert query == tokenizer("tapika \u03c3")["input_ids"]
    assert candidate == tokenizer("nemotiбвгдаеx")["input_ids"]
    query, candidate = ranking.encode([row], Typed(), 40, 8)[0]["ids"]
    assert "".join(map(chr, query)) == row["text"]
    assert "".join(map(chr, candidate)) == "NemotiБвгдаеX"


def test_the_loss_is_that_of_the_published_encoder(net: Net, tokenizer: Any) -> None:
    """Unit vectors, cosine times 100, cross-entropy over the group, its own positive right."""
    group = grouped(tokenizer, settings())[1]
    with torch.inference_mode():
        texts = [torch.tensor([ids]) for ids in group["ids"]]
        hidden = torch.cat([net.encoder(one).last_hidden_state[:, 0] for one in texts])
        pooled = torch.tanh(net.head.dense(hidden)).double()
    unit = (pooled / pooled.norm(dim=1, keepdim=True)).numpy()
    logits = 100 * unit[:4] @ unit[4:].T
    wanted = np.log(np.exp(logits - logits.max()).sum(1)) + logits.max() - logits.diagonal()
    assert summed(net, [group]) == pytest.approx(wanted.sum(), rel=1e-4)


def test_the_scale_is_learnt(tokenizer: Any) -> None:
    """A scale without a gradient would stay a constant that nobody chose."""
    net, group = Net(len(tokenizer)), grouped(tokenizer, settings())[:1]
    ranking.loss(net(batches.collate(group, ranking, 1, CPU)), group).backward()
    assert float(net.head.scale.detach()) == 100
    assert net.head.scale.grad is not None
    assert float(net.head.scale.grad) != 0


def test_a_batch_of_broken_groups_is_refused() -> None:
    """A smaller last group would have easier negatives than the rest."""
    assert ranking.unit(settings()) == 4
    with pytest.raises(UserError, match=r"batch of 10 .* groups of 4\. Mend: "):
        ranking.unit(settings(batch=10))


def test_texts_have_the_published_form(tokenizer: Any) -> None:
    """Sentence and context are one text without line breaks, in training as in scoring."""
    row = {**ROWS[0], "positive": "nemoti", "positive_pair": "nemoti\ntapika"}
    trained = ranking.encode([row], tokenizer, 40, 8)[0]["ids"]
    assert trained[1] == tokenizer("nemotinemotitapika")["input_ids"]
    pool = [{"id": "c", "text": "nemoti", "pair": " x\ny", "relevant": []}]
    (scored,) = ranking.encode_candidates(pool, tokenizer, 40)
    assert scored["ids"] == [tokenizer("nemoti xy")["input_ids"]]
    alone = ranking.encode_candidates([{**pool[0], "pair": None}], tokenizer, 40)
    assert alone[0]["ids"] == [tokenizer("nemoti")["input_ids"]]


@pytest.mark.parametrize(("length", "query", "candidate"), [(256, 96, 256), (64, 64, 64)])
def test_queries_and_candidates_have_lengths_of_their_own(
    tokenizer: Any, length: int, query: int, candidate: int
) -> None:
    """96 and 256 tokens in LAReQA, 64 and 64 in Mewsli-X; the same in training and scoring."""
    long = {"id": "l", "text": "tapika " * 300, "pair": "nemoti " * 300, "relevant": []}
    row = {**long, "positive": long["text"], "positive_pair": long["pair"]}
    trained = ranking.encode([row], tokenizer, length, 8)[0]["ids"]
    assert [len(ids) for ids in trained] == [query, candidate]
    assert ranking.encode_queries([row], tokenizer, length)[0]["ids"] == trained[:1]
    assert len(ranking.encode_candidates([row], tokenizer, length)[0]["ids"][0]) == candidate


def test_outputs_are_unit_vectors(net: Net, tokenizer: Any) -> None:
    """The head's scale must not reach the ranking: products are cosines."""
    features = ranking.encode_queries(ROWS, tokenizer, 40)
    with torch.inference_mode():
        found = ranking.outputs(net(batches.collate(features, ranking, 1, CPU)), features)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    assert np.stack(found).dtype == np.float32


def test_shuffled_positives_are_the_same_texts_elsewhere() -> None:
    """The negative control keeps every text and breaks the pairs."""
    shuffled = ranking.shuffle(ROWS, np.random.default_rng(0))
    pairs = [(row["positive"], row["positive_pair"]) for row in ROWS]
    assert sorted(pairs, key=str) == sorted(
        [(row["positive"], row["positive_pair"]) for row in shuffled], key=str
    )
    assert [row["text"] for row in shuffled] == [row["text"] for row in ROWS]
    assert [(row["positive"], row["positive_pair"]) for row in shuffled] != pairs


def test_pretraining_reads_each_text_once() -> None:
    """A context holds its sentence; both would give the sentence twice the weight."""
    assert ranking.texts(ROWS[1]) == [("tapika 1 x", None), ("nemoti 1", None)]
    assert ranking.texts(ROWS[0])[1] == ("nemoti 0 бвгда", None)
    assert ranking.texts({"text": "a", "pair": "a b", "positive": None}) == [("a b", None)]
