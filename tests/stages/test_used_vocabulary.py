"""`vocabulary: used`: a study whose encoder has only the pieces it uses gets the same bits."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transfer_project as project
from safetensors.torch import load_file
from transfer_project import STUDY, params, run, target

from xstilts.core import files, paths
from xstilts.core.errors import UserError
from xstilts.core.params import Adapter, Pretrain, Target, Texts, Training
from xstilts.core.progress import Observe
from xstilts.evaluation import kept
from xstilts.model import checkpoint, tokenizer, vocabulary
from xstilts.sources import obtain
from xstilts.stages import pretrain

KINDS = sorted(project.METRICS)
BASE, WHOLE = paths.pretrained(STUDY), Path("whole")
EMBEDDING = "embeddings.word_embeddings.weight"
# Everything by which a row that nobody reads could change one that is read.
TRAINING = {
    **project.TRAINING,
    **{"steps": 6, "learning_rate": 0.01, "dropout": 0.1, "clip": 0.1, "weight_decay": 0.1},
}
CHOOSING = {"select": "best", "evaluate_every": 2}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A working folder with a base model that has its whole vocabulary, and where it came from."""
    project.enter(tmp_path, monkeypatch, request.getfixturevalue("tokenizer"))
    shutil.copytree(BASE, WHOLE)

    def bring(spec: Any, place: Path, observe: Any = None) -> None:
        shutil.copytree(WHOLE, place, dirs_exist_ok=True)

    monkeypatch.setattr(obtain, "model", bring)
    return tmp_path


def cut(*targets: Target) -> dict[str, Any]:
    """Import the base model again, with the pieces of all rows of some targets; the record."""
    texts = [
        Texts(kind=one.kind, rows=[str(path) for path in sorted(Path(one.rows).glob("*.parquet"))])
        for one in targets
    ]
    spec = Pretrain(source="hub", reads="-", model="org/name", revision="0" * 40, texts=texts)
    made: Any = SimpleNamespace(study=STUDY, pretrain=spec)
    return dict(pretrain.run(made, STUDY, Observe(quiet=True)))


def results() -> tuple[dict[str, bytes], dict[str, Any]]:
    """All that the stage wrote: bytes, and the weights of the model that it keeps."""
    read = {
        name: (project.PREDICTED / name).read_bytes()
        for name in ("predictions.parquet", "predictions-sample.json")
    }
    told = files.read_json(project.RESULTS / "scores.json")
    for row in told["rows"]:
        row.pop("model_sha")
    read["scores"] = json.dumps(told).encode()
    record = files.read_json(project.RESULTS / "record.json")
    read["record"] = json.dumps([record["metrics"], record["curves"]]).encode()
    weights = {}
    for path in sorted(project.PREDICTED.glob("models/*/*.safetensors")):
        weights |= load_file(path)
    return read, weights


def same_bits(one: Target) -> None:
    """Whole and used, a target has equal predictions, scores, curves and weights."""
    run(params(one))
    read, weights = results()
    pieces = int(cut(one)["metrics"]["vocabulary"])
    run(params(one))
    again, fewer = results()
    assert read == again
    assert weights.keys() == fewer.keys()
    if EMBEDDING in weights:
        own = vocabulary.of(checkpoint.load_encoder(BASE))
        assert own is not None
        rows = weights.pop(EMBEDDING)
        assert len(rows) > pieces == len(fewer[EMBEDDING])
        assert torch.equal(rows[torch.tensor(own.vocabulary.kept)], fewer.pop(EMBEDDING))
    assert all(torch.equal(weights[name], fewer[name]) for name in weights)


def made(kind: str, **changes: Any) -> Target:
    """A target, kept and chosen by validation rows where its kind can be."""
    decoded = kind in kept.ASKED
    more = CHOOSING if decoded else {}
    training = {**TRAINING, **more, **changes} if kind not in ("retrieval", "mining") else None
    one = target(kind, keep=decoded, training=training and Training(**training))
    chosen = {"validation": str(Path(one.rows) / "qaa.validation.parquet")} if decoded else {}
    return one.model_copy(update=chosen)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gets_the_same_bits(kind: str) -> None:
    """Dropout, clipping, weight decay, the choice of the best: no piece is missed or moved."""
    same_bits(made(kind))


@pytest.mark.parametrize(
    "changes",
    [
        {"layers": "attention"},
        {"adapter": Adapter(modules=["query", "value"])},
        {"freeze": "embeddings"},
        {"precision": "bf16"},
        {"sweep": [0.01, 0.003]},
    ],
    ids=str,
)
def test_however_it_is_trained(changes: dict[str, Any]) -> None:
    """What is put on the encoder, or taken from its training, knows nothing of rows."""
    same_bits(made("classification", **changes))


@pytest.mark.parametrize("zero", [1, 2, 3])
def test_in_every_stage_of_zero(zero: int) -> None:
    """There gradients are copied into buffers, and weights cut out of them, by their numbers."""
    Path("machine.yaml").write_text(f"threads: 1\nmicro_batch: 4\nzero: {zero}\n")
    same_bits(made("tagging"))


def test_only_what_is_used_is_stored() -> None:
    """Rows of the matrix, the list of them, and a `vocab_size` that plain transformers reads."""
    one = made("classification")
    record = cut(one)
    encoder = checkpoint.load_encoder(BASE)
    own = vocabulary.of(encoder)
    assert own is not None
    kept_ids, whole = own.vocabulary.kept, load_file(WHOLE / "model.safetensors")[EMBEDDING]
    stored = load_file(BASE / "model.safetensors")[EMBEDDING]
    assert len(kept_ids) < own.vocabulary.pieces == len(whole)
    assert torch.equal(stored, whole[torch.tensor(kept_ids)])
    assert files.read_json(BASE / "config.json")["vocab_size"] == len(kept_ids)
    assert {"vocabulary.json", "model.safetensors"} <= record["inputs"].keys()
    assert record["metrics"]["vocabulary.published"] == len(whole)
    checkpoint.save_encoder(encoder, Path("again"))
    for name in ("model.safetensors", "vocabulary.json", "config.json"):
        assert (Path("again") / name).read_bytes() == (BASE / name).read_bytes()


def unknown_text() -> str:
    """A text with a piece of the published vocabulary that is not kept."""
    words, own = tokenizer.load(BASE), files.read_json(BASE / "vocabulary.json")
    lost = set(range(own["pieces"])) - set(own["kept"])
    texts = [words.decode([number]) for number in sorted(lost)]
    return next(text for text in texts if lost & set(words(text)["input_ids"]))


def test_a_piece_that_is_not_there_is_named_before_the_first_batch() -> None:
    """A person's own text to a kept model; rows that were changed behind DVC's back."""
    one = made("classification")
    cut(one)
    run(params(one))
    ask, text = kept.load(project.PREDICTED / "models/classification"), unknown_text()
    assert ask([{"text_a": "tapika"}])
    unknown = r"row 1 has a piece \(number \d+ of org/name\) that is not among .*Mend: .*export"
    with pytest.raises(UserError, match=unknown):
        ask([{"text_a": "tapika"}, {"text_a": text}])
    rows = project.rows("classification", 40)
    rows[3]["text_a"] = text
    project.write(Path(str(one.train_rows)), "classification", rows)
    with pytest.raises(UserError, match=unknown.replace("row 1", "row 3")):
        run(params(one))


@pytest.mark.parametrize(
    ("spoil", "wrong"),
    [
        (lambda told: told["kept"].pop(), "has [0-9]+ pieces, and the embedding has [0-9]+ rows"),
        (lambda told: told["kept"].reverse(), "`kept` is no ascending list of ids"),
        (lambda told: told.pop("model"), "model: key is missing"),
    ],
)
def test_a_list_of_pieces_that_is_broken_is_refused(spoil: Any, wrong: str) -> None:
    """Vectors would be those of other pieces, and nothing would say so."""
    cut(made("classification"))
    told = files.read_json(BASE / "vocabulary.json")
    spoil(told)
    files.write_json(BASE / "vocabulary.json", told)
    with pytest.raises(UserError, match=f"vocabulary.json.*{wrong}.*Mend"):
        checkpoint.load_encoder(BASE)
