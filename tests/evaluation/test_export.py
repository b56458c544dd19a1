"""`xstilts export`: plain transformers loads a study's model and says what the kit says."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import training_encoders as encoders
import transformers
from safetensors.torch import load_file

from xstilts.core import files
from xstilts.core.errors import UserError
from xstilts.core.params import Architecture, Output, Target, Training
from xstilts.evaluation import export, kept
from xstilts.kinds import modules
from xstilts.model import checkpoint, prompts, tokenizer, vocabulary
from xstilts.model.heads import LayerAttention, WithHeads
from xstilts.model.seq2seq import EncoderDecoder
from xstilts.sources import obtain

MODEL, OUT, PUBLISHED = Path("kept"), Path("out/model"), Path("published")
LABELS = {"classification": ["a", "b", "c"], "tagging": ["O", "B-X", "I-X"]}
ROWS: dict[str, list[dict[str, Any]]] = {
    "classification": [
        {"text_a": "tapika nemoti", "text_b": "kasuro"},
        {"text_a": "42 belado", "text_b": None},
    ],
    "multiple_choice": [
        {"context": "tapika", "question": "42 ?", "choices": ["nemoti", "kasuro belado"]},
        {"context": "belado", "question": "", "choices": ["tapika", "42", "nemoti"]},
    ],
    "tagging": [{"tokens": ["tapika", "42", "nemoti"]}, {"tokens": ["belado"]}],
    "span": [{"context": "tapika nemoti kasuro 42", "question": "belado ?"}],
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder, and a place from which the published checkpoint is brought again."""
    monkeypatch.chdir(tmp_path)

    def bring(spec: Any, place: Path, observe: Any = None) -> None:
        assert (spec.source, spec.model, spec.revision) == ("hub", "org/name", "0" * 40)
        shutil.copytree(PUBLISHED, place, dirs_exist_ok=True)

    monkeypatch.setattr(obtain, "model", bring)


def keep(architecture: str, kind: str, used: bool, layers: str = "last") -> None:
    """A kept model with random weights, of all pieces of its checkpoint or of some."""
    encoders.checkpoint(architecture, PUBLISHED)
    encoder, words = checkpoint.load_encoder(PUBLISHED), tokenizer.load(PUBLISHED)
    if used:
        ids = words("tapika nemoti kasuro belado 42 ?")["input_ids"]
        kept_ids = vocabulary.kept_ids(ids, words, encoder)
        whose = {"source": "hub", "model": "org/name", "revision": "0" * 40}
        pieces = len(encoder.get_input_embeddings().weight)
        vocabulary.cut(encoder, vocabulary.Vocabulary(**whose, pieces=pieces, kept=kept_ids))
    torch.manual_seed(5)
    for weight in encoder.parameters():  # as if it had been fine-tuned
        weight.data += 0.05 * torch.randn_like(weight)
    labels = LABELS.get(kind, [])
    fused = {0: LayerAttention(16)} if layers == "attention" else None
    net = WithHeads(encoder, [modules.get(kind).head(16, labels, 0.0)], fused)
    training = Training(steps=1, batch=4, learning_rate=0.1, max_length=24, layers=layers)
    target: Any = Target.model_construct(
        **{"task": kind, "kind": kind, "labels": labels, "source_language": "qaa", "batch": 4},
        training=training,
    )
    kept.save(net, target, PUBLISHED, MODEL)


def classes(net: Any, words: Any) -> list[dict[str, Any]]:
    """Labels and probabilities by plain transformers."""
    told = []
    for row in ROWS["classification"]:
        (parts,) = net(**words(row["text_a"], row["text_b"], return_tensors="pt")).logits.softmax(
            -1
        )
        named = {net.config.id2label[i]: float(part) for i, part in enumerate(parts)}
        told.append({"label": max(named, key=named.__getitem__), "probabilities": named})
    return told


def choices(net: Any, words: Any) -> list[dict[str, Any]]:
    """Choices by plain transformers."""
    told = []
    for row in ROWS["multiple_choice"]:
        asked = [f"{row['context']} {row['question']}".strip()] * len(row["choices"])
        given = words(asked, row["choices"], return_tensors="pt", padding=True)
        scores = net(**{name: value[None] for name, value in given.items()}).logits
        told.append({"choice": int(scores.argmax())})
    return told


def tags(net: Any, words: Any) -> list[dict[str, Any]]:
    """Tags of whole words by plain transformers."""
    told = []
    for row in ROWS["tagging"]:
        given = words(row["tokens"], is_split_into_words=True, return_tensors="pt")
        best = net(**given).logits[0].argmax(-1).tolist()
        told.append({"tags": [net.config.id2label[one] for one in best[1:-1]]})
    return told


def spans(net: Any, words: Any) -> list[dict[str, Any]]:
    """Answers by plain transformers: the best start and end in the context, in their order."""
    told = []
    for row in ROWS["span"]:
        given = words(row["question"], row["context"], return_tensors="pt")
        first = 2 + len(words.tokenize(row["question"]))
        said = row["context"].split()
        scores = net(**given)
        own = slice(first, first + len(said))
        both = scores.start_logits[0, own, None] + scores.end_logits[0, None, own]
        place = int(both.triu().masked_fill(both.triu() == 0, -1e9).argmax())
        told.append({"answer": " ".join(said[place // len(said) : place % len(said) + 1])})
    return told


PLAIN: dict[str, Callable[[Any, Any], list[dict[str, Any]]]] = {
    "classification": classes,
    "multiple_choice": choices,
    "tagging": tags,
    "span": spans,
}


def writer(words: Any, prompt: bool) -> None:
    """A kept encoder-decoder with random weights."""
    torch.manual_seed(5)
    size = {"layers": 1, "hidden": 16, "heads": 2, "feed_forward": 32}
    shape = Architecture(vocabulary=300, **size, max_positions=64, initializer_range=0.3)
    net = EncoderDecoder(checkpoint.small_mt5(shape, len(words), 0.0))
    net.encoder.lm_head.weight.data[:4] = 0.0  # special pieces: it is not silent
    if prompt:
        net.encoder = prompts.add(net.encoder, 3)
    training = Training(steps=1, batch=4, learning_rate=0.1, output=Output(length=6))
    target: Any = Target.model_construct(
        **{"task": "generation", "kind": "generation", "labels": [], "source_language": "qaa"},
        training=training,
    )
    kept.save(net, target, Path(words.name_or_path), MODEL)


def test_an_encoder_decoder_is_exported_whole(tokenizer: Any) -> None:
    """transformers' own `generate` writes what the kit does, token for token."""
    writer(tokenizer, prompt=False)
    row = {"source": "tapika nemoti 42"}
    (said,) = kept.load(MODEL)([row])
    assert export.export(MODEL, OUT) == "MT5ForConditionalGeneration"
    net = transformers.AutoModelForSeq2SeqLM.from_pretrained(OUT)
    words = transformers.AutoTokenizer.from_pretrained(OUT)
    ids = words(row["source"], add_special_tokens=False)["input_ids"]
    asked = torch.tensor([[*ids, words.eos_token_id]])
    begun = torch.tensor([[words.pad_token_id]])
    ends = {"eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    (found,) = net.generate(asked, decoder_input_ids=begun, max_new_tokens=6, **ends)
    assert words.decode(found, skip_special_tokens=True).strip() == said["answer"] != ""
    assert kept.load(OUT)([row]) == [said]


def test_soft_prompts_are_not_left_out_silently(tokenizer: Any) -> None:
    """Without them the folder would be another model."""
    writer(tokenizer, prompt=True)
    with pytest.raises(UserError, match="tuned by soft prompts, which transformers does not read"):
        export.export(MODEL, OUT)
    assert not OUT.exists()


@pytest.mark.parametrize("kind", sorted(PLAIN))
@pytest.mark.parametrize("architecture", ["xlm-roberta", "bert", "deberta-v2"])
def test_plain_transformers_answers_as_the_kit_does(architecture: str, kind: str) -> None:
    """With the head in the class that transformers has for it, and all pieces in their places."""
    keep(architecture, kind, used=True)
    said = kept.load(MODEL)(ROWS[kind])
    name = export.export(MODEL, OUT)
    net = getattr(transformers, export.CLASSES[kind]).from_pretrained(OUT)
    assert type(net).__name__ == name
    words = transformers.AutoTokenizer.from_pretrained(OUT)
    with torch.inference_mode():
        plain = PLAIN[kind](net.eval(), words)
    for one, other in zip(said, plain, strict=True):
        assert one.keys() == other.keys()
        parts = one.pop("probabilities", {}), other.pop("probabilities", {})
        assert parts[0] == pytest.approx(parts[1], abs=1e-6)
        assert one == other
    assert kept.load(OUT)(ROWS[kind])[0].keys() == kept.load(MODEL)(ROWS[kind])[0].keys()


def test_pieces_that_were_left_out_are_the_published_ones() -> None:
    """And those that were kept are as they were trained."""
    keep("xlm-roberta", "classification", used=True)
    told = files.read_json(MODEL / "vocabulary.json")
    export.export(MODEL, OUT)
    assert not (OUT / "vocabulary.json").exists()
    assert not list(OUT.parent.glob(".*")), "the published checkpoint is no longer needed"
    own, whole, published = (
        checkpoint.load_encoder(folder).get_input_embeddings().weight
        for folder in (MODEL, OUT, PUBLISHED)
    )
    rest = sorted(set(range(told["pieces"])) - set(told["kept"]))
    assert rest
    assert torch.equal(whole[torch.tensor(rest)], published[torch.tensor(rest)])
    assert torch.equal(whole[torch.tensor(told["kept"])], own)
    assert len(whole) == files.read_json(OUT / "config.json")["vocab_size"]
    assert kept.load(OUT)([{"text_a": "mirune sofati"}])  # words that the study never used


@pytest.mark.parametrize(
    ("architecture", "layers"), [("modernbert", "last"), ("bert", "attention")]
)
def test_a_head_that_transformers_has_not_comes_beside_its_encoder(
    architecture: str, layers: str
) -> None:
    """AutoModel loads the encoder, the kit the whole."""
    keep(architecture, "classification", used=True, layers=layers)
    said = kept.load(MODEL)(ROWS["classification"])
    export.export(MODEL, OUT)
    assert kept.load(OUT)(ROWS["classification"]) == said
    plain = transformers.AutoModel.from_pretrained(OUT)
    assert plain.config.vocab_size == len(plain.get_input_embeddings().weight)


def test_a_checkpoint_of_phase_ii_comes_as_an_encoder() -> None:
    """Its tokenizer lies with the model that it was trained from."""
    encoders.checkpoint("xlm-roberta", PUBLISHED)
    trained = Path("models/intermediate/s/r")
    checkpoint.save_encoder(checkpoint.load_encoder(PUBLISHED), trained)
    files.write_json(trained / "record.json", {"params": {"checkpoint": str(PUBLISHED)}})
    assert export.export(trained, OUT) == "XLMRobertaModel"
    whole, own = (load_file(folder / "model.safetensors") for folder in (OUT, trained))
    assert all(torch.equal(whole[name], own[name]) for name in own)
    words = transformers.AutoTokenizer.from_pretrained(OUT)
    assert words("tapika 42")["input_ids"] == tokenizer.load(PUBLISHED)("tapika 42")["input_ids"]


def test_what_cannot_be_exported_is_refused() -> None:
    """No model, a folder that is there, another checkpoint than the pieces were chosen from."""
    with pytest.raises(UserError, match=r"none holds no model. Mend"):
        export.export(Path("none"), OUT)
    keep("xlm-roberta", "classification", used=True)
    told = files.read_json(MODEL / "vocabulary.json")
    files.write_json(MODEL / "vocabulary.json", {**told, "pieces": told["pieces"] + 1})
    with pytest.raises(UserError, match=r"org/name has \d+ pieces, and had \d+ when .* Mend"):
        export.export(MODEL, OUT)
    assert not OUT.exists()
    OUT.mkdir(parents=True)
    with pytest.raises(UserError, match=r"out/model is there already. Mend: name a new folder"):
        export.export(MODEL, OUT)
