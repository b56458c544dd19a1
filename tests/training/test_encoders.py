"""Every architecture: encode, train, save, load; and what is refused, with what to do."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import training_encoders as encoders
from training_jobs import QUIET

from xstilts.core.errors import UserError
from xstilts.core.machine import Machine
from xstilts.core.params import Adapter, Part, Training
from xstilts.kinds import modules
from xstilts.model import checkpoint, heads, packed, tokenizer
from xstilts.training import batches, predict
from xstilts.training.engine import Setup, Workers
from xstilts.training.finetune import FineTuned, finetune
from xstilts.training.loop import TrainingSpec

MACHINE = Machine(threads=1, micro_batch=4)
ROWS = [
    {"id": str(i), "text_a": f"tapika {word} nemoti", "text_b": "kasuro 42" if i % 2 else None}
    | {"label": i % 2}
    for i, word in enumerate(encoders.WORDS * 2)
]
QUERY = {"modernbert": "Wqkv", "deberta-v2": "query_proj"}


@pytest.fixture(scope="module", params=encoders.NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """An architecture."""
    return str(request.param)


@pytest.fixture(scope="module")
def folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of it."""
    return encoders.checkpoint(name, tmp_path_factory.mktemp(name))


def part(kind: str = "classification", **changes: Any) -> Part:
    """What is learnt."""
    usual = {
        **{"task": kind, "kind": kind, "rows_kind": "classification", "labels": ["a", "b"]},
        **{"metric": "accuracy", "language": "en", "rows": "-", "max_length": 32, "stride": 8},
    }
    return Part(**{**usual, **changes})


def train(
    folder: Path,
    state: Path,
    rows: Any,
    parts: list[Part],
    machine: Machine = MACHINE,
    **changes: Any,
) -> FineTuned:
    """Two steps."""
    budget = {"steps": 2, "batch": 8, "learning_rate": 0.01, "max_length": 32, **changes}
    settings = machine.model_copy(update={"threads": 1, "micro_batch": 4})
    setup = Setup(tokenizer.load(folder), settings, Workers.start(settings), QUIET)
    spec = TrainingSpec("test", Training(**budget), 1, parts)
    return finetune(folder, spec, rows, state, setup)


def states(encoder: Any, words: Any) -> torch.Tensor:
    """What an encoder says of the rows, without dropout."""
    kind = modules.get("classification")
    features = kind.encode(ROWS, words, 32, 0)
    batch = batches.collate(features, kind, words.pad_token_id, torch.device("cpu"))
    net = heads.WithHeads(encoder, [torch.nn.Identity()]).eval()
    with torch.inference_mode():
        output: torch.Tensor = net(batch)
    return output


def row(ids: list[int], words: Any) -> packed.Packed:
    """One sequence whose tokens are all read."""
    read = np.arange(len(ids))
    return packed.pack([ids], None, read, words.pad_token_id, torch.device("cpu"))


def test_it_is_trained_saved_and_loaded(name: str, folder: Path, tmp_path: Path) -> None:
    """What phase ii writes is what phase iii reads, to the last bit."""
    trained = train(folder, tmp_path / "state", [ROWS], [part()], dropout=0.1)
    trained.model.encoder.save_pretrained(tmp_path / "out")
    words = tokenizer.load(folder)
    before, after, loaded = (
        states(encoder.eval(), words)
        for encoder in (
            checkpoint.load_encoder(folder),
            trained.model.encoder,
            checkpoint.load_encoder(tmp_path / "out"),
        )
    )
    assert torch.equal(after, loaded)
    assert not torch.allclose(before, after, atol=1e-4), "nothing was learnt"
    assert not (tmp_path / "out" / "pytorch_model.bin").exists()
    assert checkpoint.load_encoder(folder).config._attn_implementation in ("sdpa", "eager")


def test_every_kind_is_trained_and_decoded(folder: Path, tmp_path: Path) -> None:
    """Whatever the encoder's layout of tokens and types; a prediction for each row."""
    rows: dict[str, list[dict[str, Any]]] = {
        "classification": ROWS,
        "multiple_choice": [
            {
                "context": "tapika",
                "question": word,
                "choices": ["42", "nemoti", word],
                "label": i % 3,
            }
            for i, word in enumerate(encoders.WORDS)
        ],
        "span": [
            {
                "context": f"tapika {word} nemoti " * 12,
                "question": "kasuro ?",
                "answers": [{"text": word, "start": 7}],
            }
            for word in encoders.WORDS
        ],
        "tagging": [
            {"tokens": ["tapika", word] * 9, "tags": [0, 1] * 9} for word in encoders.WORDS
        ],
    }
    parts = [part(kind, rows_kind=kind) for kind in rows]
    trained = train(folder, tmp_path, list(rows.values()), parts, steps=8, batch=4)
    words = tokenizer.load(folder)
    workers = Workers(0, 1, torch.device("cpu"))
    for number, (kind, own) in enumerate(rows.items()):
        module = modules.get(kind)
        decoder = predict.Decoder(
            trained.model, module, ["a", "b"], words, (32, 8), 40, workers, number
        )
        assert len(decoder(own)) == len(module.references(own, ["a", "b"])) == len(own)


def test_dropout_is_that_of_the_training(folder: Path) -> None:
    """Each architecture names it in its own way; a name that is ignored trains without."""
    encoder = checkpoint.load_encoder(folder, 0.3)
    assert checkpoint.dropout_of(encoder) == 0.3
    words = tokenizer.load(folder)
    net = heads.WithHeads(encoder, [torch.nn.Identity()]).train()
    batch = row(words("tapika nemoti")["input_ids"], words)
    torch.manual_seed(1)
    one, two = (net(batch) for _ in range(2))
    assert not torch.equal(one, two)


def test_its_own_language_head_goes_on(name: str, folder: Path, tmp_path: Path) -> None:
    """Continued masked language modelling beside a task: the head that the checkpoint brings."""
    whole = checkpoint.load_masked_lm(folder)
    words = tokenizer.load(folder)
    ids = torch.tensor([words("tapika kasuro nemoti")["input_ids"]])
    net = heads.WithHeads(whole.base_model, [checkpoint.language_head(whole)]).eval()
    with torch.inference_mode():
        expected = whole.eval()(ids).logits
        found = net(row(ids[0].tolist(), words))
    torch.testing.assert_close(found, expected[0])
    text = [{"text": row["text_a"], "pair": row["text_b"]} for row in ROWS]
    trained = train(
        folder, tmp_path / "a", [ROWS, text], [part(), part("mlm", share=0.5)], steps=4, batch=4
    )
    assert set(trained.history.loss) == {"loss", "loss.classification", "loss.mlm"}
    barely = {"learning_rate": 1e-7, "weight_decay": 0.0, "steps": 4, "batch": 4}
    parts = [part(), part("mlm", share=0.5)]
    moved = train(folder, tmp_path / "b", [ROWS, text], parts, **barely).model.heads[1].state_dict()
    for key, value in (
        checkpoint.language_head(checkpoint.load_masked_lm(folder)).state_dict().items()
    ):
        torch.testing.assert_close(moved[key], value, atol=1e-5, rtol=0)


def test_the_zero_stage_decides_no_result(folder: Path, tmp_path: Path) -> None:
    """Stage 3 gathers a weight where its module runs, but DeBERTa reads some elsewhere."""
    text = [{"text": row["text_a"], "pair": row["text_b"]} for row in ROWS]
    found = [
        train(
            *(folder, tmp_path / str(zero), [ROWS, text], [part(), part("mlm", share=0.5)]),
            **{"steps": 5, "layers": "attention", "dropout": 0.0, "machine": Machine(zero=zero)},
        ).history.losses()
        for zero in (0, 3)
    ]
    assert found[1] == pytest.approx(found[0], rel=1e-5)


def test_adapters_leave_all_else_as_it_is(name: str, folder: Path, tmp_path: Path) -> None:
    """Merged into the weights that they are on; every other weight keeps its bits."""
    module = QUERY.get(name, "query")
    adapter = Adapter(rank=2, modules=[module])
    trained = train(folder, tmp_path, [ROWS], [part()], adapter=adapter.model_dump())
    before, after = checkpoint.load_encoder(folder).state_dict(), trained.model.encoder.state_dict()
    assert after.keys() == before.keys()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed == {key for key in before if key.endswith(f"{module}.weight")}
    trained.model.encoder.save_pretrained(tmp_path / "out")
    saved = json.loads((tmp_path / "out" / "config.json").read_text())
    assert not any("peft" in key or "lora" in key for key in saved)
    assert checkpoint.load_encoder(tmp_path / "out").state_dict().keys() == before.keys()


def test_an_unknown_module_is_named_with_those_that_there_are(folder: Path, tmp_path: Path) -> None:
    """`query` is a module of XLM-R; other encoders call theirs otherwise."""
    adapter = {"rank": 2, "modules": ["quary"]}
    with pytest.raises(UserError, match=r"no module 'quary'\. Mend: use some of .*dense|Wqkv"):
        train(folder, tmp_path, [ROWS], [part()], adapter=adapter)


def test_the_head_reads_all_layers_by_attention(folder: Path, tmp_path: Path) -> None:
    """As `heads.LayerAttention` says, with the states that the encoder itself gives."""
    trained = train(folder, tmp_path, [ROWS], [part()], layers="attention")
    net, words = trained.model.eval(), tokenizer.load(folder)
    fusion, (ids,) = (
        net.fusions["0"],
        words(["tapika kasuro"], return_tensors="pt")["input_ids"][None],
    )
    with torch.inference_mode():
        found = net.encoder(ids, output_hidden_states=True)
        states = torch.stack([*found.hidden_states[1:-1], found.last_hidden_state])  # [L, b, l, d]
        scores = torch.einsum("bld,nbld->bln", fusion.query(states[-1]), states) / 16**0.5
        mixed = torch.einsum("bln,nbld->bld", scores.softmax(-1), states)
        fused = fusion.norm(states[-1] + fusion.value(mixed))
        batch = row(ids[0].tolist(), words)
        torch.testing.assert_close(net(batch), net.heads[0](fused[0]))
        torch.testing.assert_close(net.layer_weights(batch), scores.softmax(-1)[0])
    assert len(states) == 2
    trained.model.encoder.save_pretrained(tmp_path / "out")
    encoder = checkpoint.load_encoder(tmp_path / "out")
    assert encoder.state_dict().keys() == checkpoint.load_encoder(folder).state_dict().keys()


def test_layers_are_weighed_where_the_head_reads(folder: Path, tmp_path: Path) -> None:
    """A tagger reads the first token of each word, and no pad; the company decides nothing."""
    changed = {"kind": "tagging", "labels": ["O", "B-X"], "metric": "tag_accuracy"}
    texts = [encoders.WORDS[n:] for n in range(3)]
    rows = [{"id": text[0], "tokens": text, "tags": [0] * len(text)} for text in texts]
    net = train(folder, tmp_path, [rows], [part(**changed)], layers="attention").model.eval()
    words, cpu = tokenizer.load(folder), torch.device("cpu")
    tagging, pad = modules.get("tagging"), words.pad_token_id
    features = tagging.encode(rows, words, 32, 0)
    with torch.inference_mode():
        together = net.layer_weights(batches.collate(features, tagging, pad, cpu))
        each = [batches.collate([one], tagging, pad, cpu) for one in features]
        alone = [net.layer_weights(one) for one in each]
    torch.testing.assert_close(together, torch.cat(alone))
    torch.testing.assert_close(together.sum(-1), torch.ones(sum(map(len, texts))))
    assert together.std(0).max() > 0


@pytest.mark.parametrize("name", ["bert"], indirect=True)
def test_types_of_text_reach_an_encoder_that_knows_them(folder: Path) -> None:
    """mBERT was trained with 0 for the first text and 1 for the second."""
    words = tokenizer.load(folder)
    (single, pair) = modules.get("classification").encode(ROWS[:2], words, 32, 0)
    assert set(single["types"][0]) == {0}
    assert pair["types"][0] == [0] * 5 + [1] * 3
    kind, pad = modules.get("classification"), words.pad_token_id
    batch = batches.collate([single, pair], kind, pad, torch.device("cpu"))
    assert batch.types is not None
    assert batch.types[len(single["types"][0]) :][:8].tolist() == pair["types"][0]
    net = heads.WithHeads(checkpoint.load_encoder(folder), [torch.nn.Identity()]).eval()
    without = replace(batch, types=torch.zeros_like(batch.types))
    with torch.inference_mode():
        assert not torch.allclose(net(batch), net(without), atol=1e-3)


def test_noise_is_drawn_from_the_pieces_of_any_layout(folder: Path) -> None:
    """XLM-R's mask is the last id, mBERT's is among the first; special ids are no text."""
    words = tokenizer.load(folder)
    mlm = modules.get("mlm")
    rows = [{"text": " ".join(encoders.WORDS * 3), "pair": None}] * 60
    training = Training(steps=1, batch=8, learning_rate=1, mask=0.5)
    drawn = mlm.draw(mlm.encode(rows, words, 32, 0), np.random.default_rng(1), words, training)
    put = {one["ids"][0][place] for one in drawn for place in one["masked"]}
    plain = {words.convert_tokens_to_ids(word) for word in encoders.WORDS}
    assert put == {*plain, words.mask_token_id}


def test_an_encoder_alone_has_no_language_head(name: str, tmp_path: Path) -> None:
    """What phase ii writes, or mDeBERTa-v3: a fresh head there would train, and teach nothing."""
    folder = encoders.checkpoint(name, tmp_path / name, head=False)
    with pytest.raises(UserError, match=r"has no language-modelling head \(.* is missing\).*Mend"):
        checkpoint.load_masked_lm(folder)
    checkpoint.load_encoder(folder)


def spoilt(folder: Path, what: str) -> Path:
    """A checkpoint that is not to be used."""
    config = json.loads((folder / "config.json").read_text())
    weights = folder / "model.safetensors"
    if what == "gpt2":
        config["model_type"] = "gpt2"
    elif what == "more layers":
        config["num_hidden_layers"] = 3
    elif what == "pickle":
        weights.rename(folder / "pytorch_model.bin")
    elif what == "code":
        config["model_type"] = "own"
        config["auto_map"] = {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}
        (folder / "own.py").write_text("raise SystemExit('code of a checkpoint was run')")
    elif what == "truncated":
        weights.write_bytes(weights.read_bytes()[:1000])
    else:
        weights.unlink()
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("gpt2", r"of the architecture 'gpt2'. Mend: take one of xlm-roberta, bert"),
        ("more layers", r"model.safetensors lacks .* more weights: it belongs to another arch"),
        (
            "pickle",
            r"as a pickle alone \(pytorch_model.bin\), which is never read.*Mend: pin a rev",
        ),
        ("code", r"holds no usable checkpoint .*Mend"),
        ("truncated", r"holds no usable checkpoint .*Mend"),
        ("no weights", r"holds no usable checkpoint .*Mend"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, what: str, says: str) -> None:
    """Before hours of training: one line that says what to do."""
    folder = spoilt(encoders.checkpoint("bert", tmp_path / "bert"), what)
    with pytest.raises(UserError, match=says):
        checkpoint.load_encoder(folder)
