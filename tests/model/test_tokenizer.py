"""The tokenizer: equal bytes in each process, XLM-R's ids and pairs, honest offsets."""

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from xstilts.core.errors import UserError
from xstilts.model.tokenizer import load, separators
from xstilts.model.unigram import train_unigram

PROGRAM = """
import sys, random
from pathlib import Path
from xstilts.model.unigram import train_unigram
lines = Path(sys.argv[1]).read_text().splitlines()
random.Random(int(sys.argv[3])).shuffle(lines)
train_unigram(lines, 120, Path(sys.argv[2]))
"""


def lines() -> list[str]:
    """Some hundred made-up sentences with full stops and digits."""
    rng = random.Random(0)
    words = ["".join(rng.choice("ptkmn") + rng.choice("aeiou") for _ in "123") for _ in range(80)]
    return [" ".join(rng.choices(words, k=6)) + f" {rng.randrange(9)}." for _ in range(400)]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One trained on `lines`, loaded by transformers."""
    folder = tmp_path_factory.mktemp("tokenizer")
    train_unigram(lines(), 150, folder)
    return load(folder)


def test_equal_bytes_in_each_process_and_order(tmp_path: Path) -> None:
    """The library's own trainer fails this; every id of the study hangs on it."""
    (tmp_path / "lines").write_text("\n".join(lines()))
    digests = set()
    for seed in ("1", "2"):
        folder = tmp_path / seed
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / "lines"), str(folder), seed]
        subprocess.run(command, check=True, env=environment)
        both = (folder / "tokenizer.json", folder / "tokenizer_config.json")
        digests.add(hashlib.sha256(b"".join(file.read_bytes() for file in both)).hexdigest())
    assert len(digests) == 1


def test_ids_are_laid_out_as_in_xlmr(tokenizer: Any) -> None:
    """Models and batches count on pad 1 and mask last."""
    tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    assert tokenizer.convert_tokens_to_ids(tokens) == [0, 1, 2, 3, len(tokenizer) - 1]
    assert (tokenizer.cls_token_id, tokenizer.sep_token_id) == (0, 2)
    assert (tokenizer.pad_token_id, tokenizer.mask_token_id) == (1, len(tokenizer) - 1)
    assert len(tokenizer) <= 150


def test_pairs_are_laid_out_as_in_xlmr(tokenizer: Any) -> None:
    """<s> A </s></s> B </s>, with no token types."""
    first, second = lines()[:2]
    one, two = (tokenizer(text, add_special_tokens=False).input_ids for text in (first, second))
    encoded = tokenizer(first, second)
    assert encoded.input_ids == [0, *one, 2, 2, *two, 2]
    assert "token_type_ids" not in encoded


def test_white_space_at_the_ends_of_a_text_is_no_token(tmp_path: Path) -> None:
    """SentencePiece leaves it out once a text is normalised; a published tokenizer.json may not."""
    pieces = [
        ("<s>", 0.0),
        ("<pad>", 0.0),
        ("</s>", 0.0),
        ("<unk>", 0.0),
        ("▁", -2.0),
        ("▁a", -1.0),
    ]
    frame = Tokenizer(models.Unigram(pieces, unk_id=3))
    frame.normalizer = normalizers.Replace("\u200c", " ")
    frame.pre_tokenizer = pre_tokenizers.Metaspace()
    frame.save(str(tmp_path / "tokenizer.json"))
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=frame, **names).save_pretrained(tmp_path)
    for text in ("a", "a ", "a\u200c", "\u200c a\u00a0"):
        assert load(tmp_path)(text, add_special_tokens=False).input_ids == [5], ascii(text)


def test_separators_are_those_between_two_texts(tokenizer: Any) -> None:
    """Two in XLM-R's layout, one in BERT's: what is built by hand has the tokenizer's own form."""
    assert separators(tokenizer) == [2, 2]
    bert = Tokenizer(models.WordLevel({"[CLS]": 0, "[SEP]": 1, "a": 2}))
    ends = [("[CLS]", 0), ("[SEP]", 1)]
    bert.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    names = {"cls_token": "[CLS]", "sep_token": "[SEP]"}
    assert separators(PreTrainedTokenizerFast(tokenizer_object=bert, **names)) == [1]


def test_offsets_and_words(tokenizer: Any) -> None:
    """A span answer is cut by offsets: each must name the piece's own characters."""
    text = lines()[0]
    encoded = tokenizer(text, return_offsets_mapping=True)
    for token, (start, end) in zip(encoded.tokens(), encoded["offset_mapping"], strict=True):
        if token not in ("<s>", "</s>"):
            assert text[start:end].strip() == token.lstrip("▁")
    assert tokenizer.decode(encoded.input_ids, skip_special_tokens=True) == text


def test_letters_and_signs_are_never_one_piece(tokenizer: Any) -> None:
    """A piece such as "pato." would put the full stop into an answer."""
    for token in tokenizer.get_vocab():
        kinds = {letter.isalpha() for letter in token.lstrip("▁")}
        assert len(kinds) <= 1 or token in tokenizer.all_special_tokens


def test_frequent_words_become_one_piece(tmp_path: Path) -> None:
    """The pieces must be learnt from counts, not be letters alone."""
    train_unigram(["katapo mi."] * 50 + ["pokata si."] * 50, 40, tmp_path)
    assert load(tmp_path).tokenize("katapo") == ["▁katapo"]


def test_too_small_a_vocabulary_is_told(tmp_path: Path) -> None:
    """Letters that have no piece would become unknown without a word."""
    with pytest.raises(UserError, match="vocab_size 8 is too small"):
        train_unigram(lines(), 8, tmp_path)


def test_no_text_is_told(tmp_path: Path) -> None:
    """An empty corpus is a mistake upstream."""
    with pytest.raises(UserError, match="no text"):
        train_unigram([" "], 100, tmp_path)


def test_a_missing_tokenizer_is_told(tmp_path: Path) -> None:
    """The library's own message for this is a stack of paths on the hub."""
    with pytest.raises(UserError, match="no tokenizer in"):
        load(tmp_path)
