"""Without padding the meaning is the same: outputs, gradients, and who sees whom."""

import dataclasses
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import training_encoders as encoders
from hypothesis import given
from hypothesis import strategies as st
from kind_rows import LABELS, ROWS
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from xstilts.core.params import Training
from xstilts.kinds import modules
from xstilts.model import checkpoint, heads, packed, tokenizer
from xstilts.training import batches

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=encoders.NAMES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of each architecture."""
    name = str(request.param)
    return encoders.checkpoint(name, tmp_path_factory.mktemp(name))


def features_of(name: str, words: Any) -> list[Any]:
    """Rows of like and unlike lengths, shortest first as in a micro-batch."""
    kind = modules.get(name)
    rows = [row for row in ROWS[name] for _ in range(2)]
    found = list(kind.encode(rows, words, 32, 8))
    if name == "mlm":
        asked = Training(steps=1, batch=8, learning_rate=1e-5)
        found = kind.draw(found, np.random.default_rng(1), words, asked)
    return sorted(found, key=batches.longest)


def padded_loss(net: heads.WithHeads, kind: ModuleType, features: list[Any], pad: int) -> Tensor:
    """The loss by padded batches and transformers' own attention."""
    sequences = [ids for feature in features for ids in feature["ids"]]
    longest = max(map(len, sequences))
    ids = torch.tensor([[*one, *[pad] * (longest - len(one))] for one in sequences])
    mask = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in sequences])
    typed = {}
    if "types" in features[0]:
        types = [one for feature in features for one in feature["types"]]
        typed["token_type_ids"] = torch.tensor([[*t, *[0] * (longest - len(t))] for t in types])
    states = net.encoder(input_ids=ids, attention_mask=mask, **typed).last_hidden_state
    flat = torch.cat([one[: len(own)] for one, own in zip(states, sequences, strict=True)])
    starts = np.cumsum([0, *map(len, sequences[:-1])])
    read = kind.positions(features, starts) if hasattr(kind, "positions") else starts
    found: Tensor = kind.loss(net.heads[0](flat[torch.from_numpy(read)]), features)
    return found


@pytest.mark.parametrize("name", sorted(ROWS))
def test_loss_and_gradients_are_those_of_padded_batches(folder: Path, name: str) -> None:
    """Of every kind and architecture, dropout off, to 1e-5 (and to that of the loss around 0)."""
    words, kind = tokenizer.load(folder), modules.get(name)
    features = features_of(name, words)
    whole = checkpoint.load_masked_lm(folder) if name == "mlm" else None
    encoder = whole.base_model if whole else checkpoint.load_encoder(folder)
    torch.manual_seed(1)
    head = checkpoint.language_head(whole) if whole else None
    net = heads.WithHeads(encoder, [head or kind.head(encoder.config.hidden_size, LABELS, 0.0)])
    net.eval()
    ours = kind.loss(net(batches.collate(features, kind, words.pad_token_id, CPU)), features)
    gradients = torch.autograd.grad(ours, list(net.parameters()), allow_unused=True)
    if encoder.config.model_type in packed.BEFORE:
        encoder.set_attn_implementation("sdpa")
    theirs = padded_loss(net, kind, features, words.pad_token_id)
    assert float(ours) == pytest.approx(float(theirs), rel=1e-5)
    wanted = torch.autograd.grad(theirs, list(net.parameters()), allow_unused=True)
    compared = 0
    for (place, _), one, other in zip(net.named_parameters(), gradients, wanted, strict=True):
        assert (one is None) == (other is None), place
        if one is not None and other is not None:
            scale = float(other.abs().max()) + float(theirs)
            assert float((one - other).abs().max()) <= 1e-5 * scale, place
            compared += 1
    assert compared > 10


def test_a_sequence_decides_no_other_ones_states(folder: Path) -> None:
    """Not a bit: a leak in training would be a leak of labels, and none would see it."""
    encoder = checkpoint.load_encoder(folder).eval()
    packed.prepare(encoder)
    pad, read = encoder.config.pad_token_id, np.zeros(1, np.int64)
    lengths, rng = [4, 5, 5, 9, 20], np.random.default_rng(0)
    rows = [rng.integers(5, 9, length).tolist() for length in lengths]
    with torch.inference_mode():
        (before,) = packed.run(encoder, packed.pack(rows, None, read, pad, CPU))
        for changed, row in enumerate(rows):
            others = [*rows]
            others[changed] = [5 + (token - 4) % 4 for token in row]
            (after,) = packed.run(encoder, packed.pack(others, None, read, pad, CPU))
            parts = zip(before[:43].split(lengths), after[:43].split(lengths), strict=True)
            same = [torch.equal(one, other) for one, other in parts]
            assert same == [number != changed for number in range(len(rows))]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40), st.booleans())
def test_groups_are_the_whole_row_and_none_is_much_longer_than_its_shortest(
    lengths: list[int], ordered: bool
) -> None:
    """Each token is in one group, at a place of its own; padding in attention is bounded."""
    lengths = sorted(lengths) if ordered else lengths
    rows = [[7] * length for length in lengths]
    batch = packed.pack(rows, None, np.zeros(1, np.int64), 1, CPU)
    assert len(batch.ids) % packed.STEP == 0
    assert sum(group.tokens for group in batch.groups) == len(batch.ids)
    values = torch.arange(len(batch.ids), dtype=torch.float32)[:, None]
    for group, own in zip(
        batch.groups, values.split([g.tokens for g in batch.groups]), strict=True
    ):
        assert torch.equal(group.unpadded(group.padded(own)), own)
        places = group.shape[0] * group.shape[1]
        assert places <= packed.SLACK * group.tokens + packed.SPARE * group.shape[0]


def test_ends_are_those_of_the_whole_row() -> None:
    """The pads that fill it up are a sequence, or no token's output would be theirs."""
    ends = packed._ends((3, 5, 24), CPU)
    assert ends.before.tolist() == [0, 3, 8, 32]
    assert (ends.before.dtype, ends.longest) == (torch.int32, 24)


def flash(named: dict[str, Any]) -> Tensor:
    """What FlashAttention computes of these arguments, [tokens, heads, d], one sequence by one."""
    rows = [named[name].transpose(0, 1) for name in ("query", "key", "value")]
    ends, other = (named[name].tolist() for name in ("cum_seq_q", "cum_seq_k"))
    assert ends == other
    assert ends[-1] == len(named["query"])
    assert named["max_q"] == named["max_k"] == max(np.diff(ends))
    assert not any(named[name] for name in ("dropout_p", "is_causal", "return_debug_mask"))
    parts = []
    for first, behind in pairwise(ends):
        own = (row[:, first:behind] for row in rows)
        parts.append(scaled_dot_product_attention(*own, scale=named["scale"]).transpose(0, 1))
    return torch.cat(parts)


def test_all_sequences_at_once_have_the_gradients_of_groups(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a GPU's kernel is given, by the names of torch's own schema, done without a GPU."""
    encoder = checkpoint.load_encoder(folder).eval()
    if encoder.config.model_type not in packed.BEFORE:
        pytest.skip("its attention is its own")
    packed.prepare(encoder)
    rng, lengths = np.random.default_rng(0), [4, 5, 5, 9, 20]
    rows = [rng.integers(5, 9, length).tolist() for length in lengths]
    batch = packed.pack(rows, None, np.array([0, 10, 42]), 1, CPU)
    wanted = packed.run(encoder, batch)[0][batch.read]
    gradients = torch.autograd.grad(wanted.square().sum(), list(encoder.parameters()), None)
    calls = []

    def kernel(*given: Any, **named: Any) -> tuple[Tensor]:
        names = [one.name for one in schema.arguments if not one.kwarg_only]
        calls.append(len(given))
        return (flash({**dict(zip(names, given, strict=True)), **named}),)

    schema = torch.ops.aten._flash_attention_forward.default._schema
    monkeypatch.setattr(torch.ops.aten, "_flash_attention_forward", kernel)
    monkeypatch.setattr(packed, "_at_once", lambda _, ends, seen: (seen or 99) >= ends.longest)
    at_once = dataclasses.replace(batch, ends=packed._ends((*lengths, 21), CPU))
    found = packed.run(encoder, at_once)[0][batch.read]
    narrow = getattr(encoder.config, "layer_types", []).count("sliding_attention")
    assert len(calls) == encoder.config.num_hidden_layers - narrow
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    others = torch.autograd.grad(found.square().sum(), list(encoder.parameters()), None)
    for one, other in zip(gradients, others, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="FlashAttention is of GPUs")
def test_a_gpu_attends_at_once_as_in_groups(folder: Path) -> None:
    """In half precision, to what its eight bits can tell."""
    encoder = checkpoint.load_encoder(folder).to("cuda", torch.bfloat16).eval()
    packed.prepare(encoder)
    rows = [[5 + place % 4 for place in range(length)] for length in (4, 5, 5, 9, 20)]
    batch = packed.pack(rows, None, np.zeros(1, np.int64), 1, torch.device("cuda"))
    one = packed.run(encoder, batch)[0]
    other = packed.run(encoder, dataclasses.replace(batch, ends=None))[0]
    torch.testing.assert_close(one, other, rtol=0.05, atol=0.05)


def test_gathers_have_the_gradients_of_indexing() -> None:
    """They are written by hand, so that no order of summation is left open."""
    torch.manual_seed(0)
    batch = packed.pack([[1] * 3, [1] * 5, [1] * 4], None, np.array([0, 3, 8]), 1, CPU)
    group = batch.groups[0]
    row = torch.randn(len(batch.ids), 2, dtype=torch.float64, requires_grad=True)

    def through(tokens: Tensor) -> Tensor:
        padded = group.padded(tokens[: group.tokens]).view(*group.shape, 2)
        assert group.mask is not None
        masked = padded.sin() * group.mask[:, 0, 0, :, None]
        return group.unpadded(masked.flatten(0, 1)) + packed.pick(tokens, batch.read).sum()

    assert torch.autograd.gradcheck(through, row)


def test_a_padded_batch_is_still_understood(folder: Path) -> None:
    """Who calls the encoder as transformers does gets what transformers gives."""
    encoder = checkpoint.load_encoder(folder).eval()
    ids, mask = torch.tensor([[5, 6, 7], [5, 6, 1]]), torch.tensor([[1, 1, 1], [1, 1, 0]])
    with torch.inference_mode():
        before = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        packed.prepare(encoder)
        after = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(after[0], before[0])
    torch.testing.assert_close(after[1, :2], before[1, :2])


def test_dropout_masks_are_drawn_as_often_as_they_should_be() -> None:
    """The kit's own draw: its share, its independence of place, and equal from equal seeds."""
    layer = nn.Dropout(0.1).train()
    torch.manual_seed(1)
    one, two = layer(torch.ones(1000, 1003)), layer(torch.ones(1000, 1003))
    torch.manual_seed(1)
    assert torch.equal(one, layer(torch.ones(1000, 1003)))
    kept = (one > 0).double()
    assert float(kept.mean()) == pytest.approx(0.9, abs=0.002)
    assert float(one.double().mean()) == pytest.approx(1.0, abs=0.002)
    assert float((kept * (two > 0)).mean()) == pytest.approx(0.81, abs=0.003)
    assert float(kept.mean(0).std()) == pytest.approx((0.09 / 1000) ** 0.5, rel=0.15)
