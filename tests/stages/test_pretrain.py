"""The pretrain stage: what is imported can be used as it is, or is refused at once."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
import training_encoders as encoders
from safetensors.torch import load_file

from xstilts.core import paths
from xstilts.core.errors import UserError
from xstilts.core.files import write_parquet
from xstilts.core.params import Pretrain
from xstilts.core.progress import Observe
from xstilts.kinds.spec import KINDS
from xstilts.model import checkpoint, tokenizer
from xstilts.sources import obtain
from xstilts.stages import pretrain

QUIET = Observe(quiet=True)
OUT = Path("models/pretrain/s")
PIECES = ["▁tapika", "▁ne", "moti", "▁", "t", "a", "p", "i", "k", "n", "e", "m", "o", "f"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XSTILTS_PROCESSES", "1")


def sentencepiece(
    path: Path, special: tuple[str, ...] = ("[PAD]", "[CLS]", "[SEP]", "[UNK]")
) -> None:
    """A model in the layout of mDeBERTa-v3's spm.model: special pieces first, no mask."""
    from transformers.utils import sentencepiece_model_pb2_new as proto

    found = proto.ModelProto()
    for name in special:
        kind = 2 if name == "[UNK]" else 3  # unknown, control
        found.pieces.add(piece=name, score=0.0, type=kind)
    for rank, name in enumerate(PIECES):
        found.pieces.add(piece=name, score=-float(rank + 1), type=1)
    found.trainer_spec.model_type = 1
    found.trainer_spec.unk_id = special.index("[UNK]") if "[UNK]" in special else 0
    path.write_bytes(found.SerializeToString())


def imported(monkeypatch: pytest.MonkeyPatch, name: str, spoil: Any = None) -> Any:
    """Import a checkpoint of an architecture."""

    def bring(spec: Any, target: Path, observe: Observe) -> None:
        encoders.checkpoint(name, target)
        if spoil:
            spoil(target)

    monkeypatch.setattr(obtain, "model", bring)
    spec = Pretrain(source="hub", reads="-", model="org/name", revision="0" * 40)
    made: Any = SimpleNamespace(study="s", pretrain=spec)
    return pretrain.run(made, "s", QUIET)


@pytest.mark.parametrize("name", encoders.NAMES)
def test_a_checkpoint_of_each_architecture_is_imported(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """mBERT, mDeBERTa-v3, mmBERT and XLM-R: one line of the study apart."""
    done = imported(monkeypatch, name)
    assert done["metrics"]["parameters"] == checkpoint.load_encoder(OUT).num_parameters()
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(done["inputs"])


def only_sentencepiece(folder: Path) -> None:
    """As mDeBERTa-v3 is published."""
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false, "vocab_type": "spm"}')
    sentencepiece(folder / tokenizer.MODEL)


def test_a_sentencepiece_model_becomes_a_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that follows reads tokenizer.json alone; pieces keep their ids, the mask comes last."""
    done = imported(monkeypatch, "deberta-v2", only_sentencepiece)
    assert "tokenizer.json" in done["inputs"]
    words = tokenizer.load(OUT)
    place = {name: 4 + rank for rank, name in enumerate(PIECES)}
    one = [1, place["▁tapika"], place["▁ne"], place["moti"], 2]
    assert words("tapika nemoti")["input_ids"] == one
    assert words("tapika  nemoti ", "tapika")["input_ids"] == [*one, place["▁tapika"], 2]
    assert words.mask_token_id == len(PIECES) + 4 == len(words) - 1
    assert (words.pad_token_id, words.cls_token_id, words.sep_token_id) == (0, 1, 2)
    offsets = words("tapika nemoti", return_offsets_mapping=True)["offset_mapping"]
    assert offsets[1:-1] == [(0, 6), (6, 9), (9, 13)] or offsets[1:-1] == [(0, 6), (7, 9), (9, 13)]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "spm.model").write_bytes(b"no model"),
        lambda folder: sentencepiece(folder / "spm.model", ("<unk>", "<s>", "</s>")),
    ],
)
def test_another_sentencepiece_model_is_refused(
    monkeypatch: pytest.MonkeyPatch, spoil: Any
) -> None:
    """Another family lays its special tokens out otherwise."""
    with pytest.raises(UserError, match=r"spm.model is no SentencePiece model of.*Mend: pin a rev"):
        imported(monkeypatch, "deberta-v2", lambda path: (only_sentencepiece(path), spoil(path)))
    assert not OUT.exists()


def test_a_tokenizer_that_cannot_be_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and not when the first task is encoded."""
    with pytest.raises(UserError, match=r"tokenizer.json cannot be read .*Mend"):
        imported(monkeypatch, "bert", lambda path: (path / "tokenizer.json").write_text("{"))
    assert not OUT.exists()


def test_a_small_model_is_trained_from_scratch() -> None:
    """Text in, an XLM-R with its language head and a tokenizer out; the same bytes each time."""
    rows = [
        {"id": str(i), "text": f"tapika {'abc'[i % 3]} nemoti {i % 5}", "pair": None}
        for i in range(40)
    ]
    write_parquet(
        paths.rows(Path("text"), "mul", "train"),
        pa.Table.from_pylist(rows, schema=KINDS["mlm"].schema),
    )
    shape = {"vocabulary": 40, "layers": 1, "hidden": 16, "heads": 2, "feed_forward": 16}
    spec = Pretrain.model_validate(
        {
            "source": "scratch",
            "reads": "-",
            "architecture": {**shape, "max_positions": 32},
            "corpora": [
                {"task": "t", "split": "train", "languages": ["mul"], "rows": "text", "kind": "mlm"}
            ],
            "training": {"steps": 3, "batch": 8, "learning_rate": 0.01, "max_length": 24},
        }
    )
    made: Any = SimpleNamespace(study="s", pretrain=spec)
    done = pretrain.run(made, "s", QUIET)
    assert done["metrics"]["rows"] == 15
    assert done["metrics"]["loss"] == done["curves"]["loss"][-1][1]
    assert checkpoint.load_masked_lm(OUT).num_parameters() == done["metrics"]["parameters"]
    first = load_file(OUT / "model.safetensors")
    pretrain.run(made, "s", QUIET)
    again = load_file(OUT / "model.safetensors")
    assert all((first[name] == again[name]).all() for name in first)
