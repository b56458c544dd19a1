"""Load the tokenizer of a checkpoint folder, and make tokenizer.json where there is none.

`load` is for every stage that reads text: tokenizer.json is all that it goes by. `complete` is for
checkpoints with a SentencePiece model alone (mDeBERTa-v3, mT5, mBART-50), and run once, when the
checkpoint is imported. The published pieces and scores and the published normaliser (its character
map) are kept; transformers 5 would load spm.model with a normaliser of its own.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from xstilts.core.errors import UserError
from xstilts.core.files import read_json, write_bytes, write_json

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MODEL = "spm.model"
_ENDS = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
# Architectures of encoder-decoders -> their SentencePiece model, the class of transformers that
# knows its layout, and names of special tokens.
CONVERTED = {
    "mt5": ("spiece.model", "T5Converter", _ENDS),
    "mbart": (
        "sentencepiece.bpe.model",
        "MBart50Converter",
        {"bos_token": "<s>", "cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>"}
        | _ENDS,
    ),
}
NAMES = {
    "bos_token": "[CLS]",
    "cls_token": "[CLS]",
    "eos_token": "[SEP]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "mask_token": "[MASK]",  # not in the SentencePiece model: it comes after its last piece
}


def load(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer in `folder`, as its tokenizer.json says and with the names of special tokens.

    Raises:
        UserError: there is none, or it lacks a token that every encoder needs.
    """
    if not (folder / "tokenizer.json").is_file():
        raise UserError(f"no tokenizer in {folder}. Mend: run `dvc repro pretrain` to make it")
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    try:
        known = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        if type(known) is not PreTrainedTokenizerFast:
            # A model's own class builds its normaliser and its layout of pairs anew, which need not
            # be those of the published file; of it only the names are taken.
            names = {"model_input_names": known.model_input_names, **known.special_tokens_map}
            known = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True, **names)
    except Exception as error:  # the libraries raise many types for a broken file
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{_broken(folder)} cannot be read ({reason}). Mend: `dvc checkout` it, or rerun "
            "the stage that makes it"
        ) from error
    _strip(known)
    for name, other in (("cls_token", "bos_token"), ("sep_token", "eos_token"), ("pad_token", "")):
        if getattr(known, name) is None and getattr(known, other, None) is not None:
            setattr(known, name, getattr(known, other))
        told = name == "cls_token" and known.mask_token is None  # mT5 begins with no token
        if getattr(known, name) is None and not told:
            raise UserError(
                f"the tokenizer in {folder} names no {name}. Mend: add it to tokenizer_config.json"
            )
    return known


def special_ids(tokenizer: Any) -> list[int]:
    """Ids that stand for no text, ascending, whatever the tokenizer's layout."""
    added = tokenizer.added_tokens_decoder.items()
    return sorted({*tokenizer.all_special_ids, *(i for i, one in added if one.special)})


def _strip(known: PreTrainedTokenizerBase) -> None:
    """Make a SentencePiece vocabulary's tokenizer leave out white space at a text's ends.

    SentencePiece does so once it has normalised a text, and with it the slow tokenizers of the
    published scripts; in some tokenizer.json, XLM-R's among them, a text that ends in a blank or a
    zero-width joiner ends in a lone space token instead.
    """
    from tokenizers import normalizers

    backend = known.backend_tokenizer
    before = backend.pre_tokenizer
    if before is not None and b"Metaspace" in before.__getstate__():
        steps = [] if backend.normalizer is None else [backend.normalizer]
        backend.normalizer = normalizers.Sequence([*steps, normalizers.Strip()])


def separators(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The separators between two texts: [SEP], or </s></s> in the layout of RoBERTa and XLM-R."""
    return [int(tokenizer.sep_token_id)] * (tokenizer.num_special_tokens_to_add(pair=True) - 2)


def _broken(folder: Path) -> Path:
    """Which file made a tokenizer unreadable: the first that is no JSON, else tokenizer.json."""
    for path in sorted(folder.glob("*.json")):
        try:
            read_json(path)
        except UserError:
            return path
    return folder / "tokenizer.json"


def complete(folder: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json into a folder that has only SentencePiece's.

    Raises:
        UserError: the model is broken, or is not one of the DeBERTa family.
    """
    kept = folder / "config.json"
    family = read_json(kept).get("model_type") if kept.is_file() else None
    if family in CONVERTED and not (folder / "tokenizer.json").exists():
        _convert(folder, *CONVERTED[family])
        return
    if (folder / "tokenizer.json").exists() or not (folder / MODEL).exists():
        return
    from tokenizers import AddedToken
    from transformers.convert_slow_tokenizer import DebertaV2Converter

    ids: dict[str, int] = {}
    slow = SimpleNamespace(
        vocab_file=str(folder / MODEL),
        split_by_punct=False,
        do_lower_case=False,
        add_prefix_space=True,
        convert_tokens_to_ids=ids.get,
    )
    try:
        converter = DebertaV2Converter(slow)
        ids |= {piece.piece: place for place, piece in enumerate(converter.proto.pieces)}
        absent = [name for name in NAMES.values() if name not in ids and name != "[MASK]"]
        if absent:
            raise ValueError(f"it has no piece {absent[0]}")
        tokenizer = converter.converted()
    except Exception as error:  # protobuf and tokenizers raise many types for broken bytes
        raise UserError(
            f"{folder / MODEL} is no SentencePiece model of the DeBERTa family ({error}). "
            "Mend: pin a revision that has tokenizer.json"
        ) from error
    tokenizer.add_special_tokens(
        [AddedToken(name, special=True) for name in dict.fromkeys(NAMES.values())]
    )
    _write(folder, tokenizer, NAMES)


def _convert(folder: Path, name: str, converter: str, special: dict[str, str]) -> None:
    """Write the tokenizer of an encoder-decoder as transformers' own converter makes it.

    Raises:
        UserError: the model is missing or broken.
    """
    from transformers import convert_slow_tokenizer

    ids: dict[str, int] = {}
    slow = SimpleNamespace(
        vocab_file=str(folder / name), _extra_ids=0, convert_tokens_to_ids=ids.get
    )
    try:
        made = getattr(convert_slow_tokenizer, converter)(slow)
        ids |= {piece: place for place, (piece, _) in enumerate(made.vocab(made.proto))}
        absent = [token for token in special.values() if token not in ids]
        if absent:
            raise ValueError(f"it has no piece {absent[0]}")
        tokenizer = made.converted()
    except Exception as error:  # protobuf and tokenizers raise many types for broken bytes
        raise UserError(
            f"{folder / name} is no SentencePiece model of this family ({error}). "
            "Mend: pin a revision that has tokenizer.json"
        ) from error
    _write(folder, tokenizer, special)


def _write(folder: Path, tokenizer: Any, special: dict[str, str]) -> None:
    """A tokenizer of the library `tokenizers`, and what its special tokens are called."""
    write_bytes(folder / "tokenizer.json", (tokenizer.to_str(pretty=True) + "\n").encode())
    names = ["input_ids", "attention_mask"]  # of two types of text these models know nothing
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_input_names": names, **special}
    write_json(folder / "tokenizer_config.json", config)
