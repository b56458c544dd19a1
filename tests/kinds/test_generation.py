"""Generation: what is encoded and learnt, how answers are found, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from xstilts.core.errors import UserError
from xstilts.core.params import Architecture
from xstilts.kinds import generation, modules
from xstilts.kinds.spec import KINDS
from xstilts.model import codes
from xstilts.model.checkpoint import load_encoder, load_seq2seq, small_mt5
from xstilts.training import batches
from xstilts.training.engine import Workers
from xstilts.training.predict import Decoder

ALONE = Workers(0, 1, torch.device("cpu"))
ROWS = [
    {"id": str(n), "source": "tapika " * n, "targets": ["nemoti " * (1 + n % 3)], "language": "qaa"}
    for n in (1, 5, 2, 13)
]
SHAPE = Architecture(
    vocabulary=100, layers=1, hidden=16, heads=2, feed_forward=16, initializer_range=0.3
)


class Coded:
    """A tokenizer with the codes of a family, and ids that are lengths of words."""

    eos_token_id, pad_token_id = 2, 1

    def __init__(self, family: str) -> None:
        self.codes = codes.CODES[family]

    def get_vocab(self) -> dict[str, int]:
        return {token: 100 + n for n, token in enumerate(self.codes.values())}

    def __call__(self, some: list[str], **more: Any) -> dict[str, list[list[int]]]:
        return {"input_ids": [[10 + len(word) for word in text.split()] for text in some]}


@pytest.fixture
def folder(tmp_path: Path, tokenizer: Any) -> Path:
    """A fresh mT5's checkpoint."""
    torch.manual_seed(1)
    small_mt5(SHAPE, len(tokenizer), 0.0).save_pretrained(tmp_path / "mt5")
    return tmp_path / "mt5"


def test_sources_and_answers_are_cut_and_end(tokenizer: Any) -> None:
    """The end is learnt even of what is cut; the decoder reads each answer one place later."""
    features = generation.encode(ROWS, tokenizer, 6, 3)
    for feature in features:
        (source,) = feature["ids"]
        assert len(source) <= 6
        assert len(feature["target"]) <= 3
        assert source[-1] == feature["target"][-1] == tokenizer.eos_token_id
        assert feature["given"] == [tokenizer.pad_token_id, *feature["target"][:-1]]


@pytest.mark.parametrize(("family", "code"), [("mbart", "fr_XX"), ("m2m_100", "fra_Latn")])
def test_families_with_codes_begin_with_that_of_the_language(family: str, code: str) -> None:
    """The answer's first token is given, so that no model can choose another language by it."""
    words = Coded(family)
    row = {"source": "un deux", "targets": ["trois"], "language": "fr"}
    (feature,) = generation.encode([row], words, 16, 8)
    token = words.get_vocab()[code]
    assert feature["ids"] == [[token, 12, 14, 2]]
    assert feature["target"] == [token, 15, 2]
    assert feature["given"][: feature["begun"]] == [2, token]


def test_a_family_without_the_code_of_a_language_says_so() -> None:
    """mBART-50 knows no Greek; one line, before anything is trained."""
    row = {"source": "a", "targets": ["b"], "language": "el"}
    with pytest.raises(UserError, match=r"no code for the language 'el'\. Mend: .*en") as caught:
        generation.encode([row], Coded("mbart"), 16, 8)
    assert "\n" not in str(caught.value)


def test_the_loss_of_a_batch_is_the_sum_of_the_losses_of_its_rows(
    folder: Path, tokenizer: Any
) -> None:
    """Micro-batches are cut by length and machine: what is learnt may not depend on that."""
    net = generation.model(folder, 0.0).eval()
    features = generation.encode(ROWS, tokenizer, 40, 8)

    def loss(some: list[Any]) -> float:
        batch = batches.collate(some, generation, tokenizer.pad_token_id, torch.device("cpu"))
        with torch.inference_mode():
            return float(generation.loss(net(batch), some))

    apart = [loss([feature]) for feature in features]
    assert loss(features) == pytest.approx(sum(apart), rel=1e-4)
    assert loss(features[::-1]) == pytest.approx(sum(apart), rel=1e-4)
    assert len({round(value, 4) for value in apart}) > 1


def decoder(net: nn.Module, tokenizer: Any, tokens: int, beams: int = 1) -> Decoder:
    """The model as a function of rows."""
    lengths = (40, 8)
    return Decoder(net, generation, [], tokenizer, lengths, tokens, ALONE, beams=beams)


def test_answers_end_at_the_limit_and_do_not_depend_on_the_batch(
    folder: Path, tokenizer: Any
) -> None:
    """Greedy search and beams; rows come back in their order, whatever is answered at once."""
    net = generation.model(folder, 0.0)
    for beams in (1, 2):
        together = decoder(net, tokenizer, 1000, beams)(ROWS)
        assert together == decoder(net, tokenizer, 1, beams)(ROWS)
        ids = tokenizer(together, add_special_tokens=False)["input_ids"]
        assert len(together) == len(ROWS)
        assert max(map(len, ids)) <= 2 * 8  # decoded and read again, pieces may be other ones


def test_an_encoder_is_no_encoder_decoder_and_the_other_way(folder: Path, tmp_path: Path) -> None:
    """One line that names both."""
    from transformers import XLMRobertaConfig, XLMRobertaModel

    small = XLMRobertaConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1
    )
    XLMRobertaModel(small).save_pretrained(tmp_path / "xlmr")
    with pytest.raises(UserError, match=r"holds an encoder \(xlm-roberta\).*take one of mt5, "):
        load_seq2seq(tmp_path / "xlmr")
    with pytest.raises(UserError, match=r"holds an encoder-decoder \(mt5\)"):
        load_encoder(folder)


@pytest.mark.parametrize(
    ("targets", "wrong"),
    [
        (None, "no text to answer with"),
        ([], "no text to answer with"),
        (["a", " "], "one of its `targets` is empty"),
        ([3], "one of its `targets` is empty"),
        ("text", "no text to answer with"),
    ],
)
def test_a_broken_reference_is_told(targets: Any, wrong: str) -> None:
    """Else its score would mean nothing."""
    row = {"id": "1", "source": "a", "targets": targets, "language": "en"}
    assert wrong in str(KINDS["generation"].wrong(row, 0, "test"))
    assert KINDS["generation"].wrong({**row, "targets": ["b"]}, 0, "test") is None


def test_shuffled_answers_are_those_of_other_rows() -> None:
    """The negative control keeps the answers, and takes their sources away."""
    import numpy as np

    shuffled = generation.shuffle(ROWS, np.random.default_rng(4))
    assert [row["source"] for row in shuffled] == [row["source"] for row in ROWS]
    assert sorted(row["targets"] for row in shuffled) == sorted(row["targets"] for row in ROWS)
    assert [row["targets"] for row in shuffled] != [row["targets"] for row in ROWS]


def test_lengths_are_those_of_sources_and_answers() -> None:
    """Other kinds are told the stride in that place."""
    from xstilts.core.params import Output, Training

    asked = Training(steps=1, batch=1, learning_rate=1, max_length=30, output=Output(length=9))
    assert modules.lengths(generation, asked) == (30, 9)
    assert modules.lengths(modules.get("span"), asked) == (30, 128)
