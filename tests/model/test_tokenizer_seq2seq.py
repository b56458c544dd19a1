"""mT5 and mBART-50 come with a SentencePiece model alone: tokenizers are made when imported."""

from pathlib import Path

import pytest

from xstilts.core.errors import UserError
from xstilts.core.files import write_json
from xstilts.kinds import generation
from xstilts.model import tokenizer

PIECES = ("\u2581", "\u2581ta", "pi", "ka", "\u2581ne", "mo")
ROW = {"source": "tapika nemo", "targets": ["nemo"], "language": "fr"}


def laid_out(folder: Path, family: str) -> Path:
    """A folder as the published repositories are, with a small made-up model."""
    from transformers.utils import sentencepiece_model_pb2_new as proto

    special = {"mt5": ("<pad>", "</s>", "<unk>"), "mbart": ("<unk>", "<s>", "</s>")}[family]
    found = proto.ModelProto()
    for name in special:
        found.pieces.add(piece=name, score=0.0, type=2 if name == "<unk>" else 3)
    for rank, name in enumerate(PIECES):
        found.pieces.add(piece=name, score=-float(rank + 1), type=1)
    found.trainer_spec.model_type = 1
    found.trainer_spec.unk_id = special.index("<unk>")
    write_json(folder / "config.json", {"model_type": family})
    name = tokenizer.CONVERTED[family][0]
    (folder / name).write_bytes(found.SerializeToString())
    return folder


def test_mt5_keeps_the_published_ids(tmp_path: Path) -> None:
    """pad 0, end 1, and then the pieces in their order; nothing before a source."""
    tokenizer.complete(laid_out(tmp_path, "mt5"))
    words = tokenizer.load(tmp_path)
    assert (words.pad_token_id, words.eos_token_id) == (0, 1)
    (feature,) = generation.encode([ROW], words, 16, 8)
    assert words.convert_ids_to_tokens(feature["ids"][0]) == [
        *("\u2581ta", "pi", "ka", "\u2581ne", "mo"),
        "</s>",
    ]
    assert words.decode(feature["target"][:-1]) == "nemo"


def test_mbart_puts_the_code_of_the_language_first(tmp_path: Path) -> None:
    """fairseq's layout: <s>, <pad>, </s>, <unk>, pieces, codes."""
    tokenizer.complete(laid_out(tmp_path, "mbart"))
    words = tokenizer.load(tmp_path)
    assert (words.bos_token_id, words.pad_token_id, words.eos_token_id) == (0, 1, 2)
    (feature,) = generation.encode([ROW], words, 16, 8)
    assert words.convert_ids_to_tokens(feature["ids"][0])[0] == "fr_XX"
    assert words.convert_ids_to_tokens(feature["target"]) == ["fr_XX", "\u2581ne", "mo", "</s>"]
    assert feature["given"][:2] == [2, feature["target"][0]]


def test_a_broken_model_is_one_line(tmp_path: Path) -> None:
    """Bytes that are no SentencePiece model."""
    folder = laid_out(tmp_path, "mt5")
    (folder / "spiece.model").write_bytes(b"no model")
    with pytest.raises(UserError, match=r"spiece.model is no SentencePiece model") as caught:
        tokenizer.complete(folder)
    assert "\n" not in str(caught.value)
