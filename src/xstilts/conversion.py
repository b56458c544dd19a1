"""Make tokenizer.json where a checkpoint has a SentencePiece model alone (mDeBERTa-v3's spm.model).

Run once, when the checkpoint is imported; from then on tokenizer.json is all that is read. The
published pieces and scores and the published normaliser (its character map) are kept; transformers
5 would load spm.model with a normaliser of its own.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from xstilts.errors import UserError
from xstilts.files import write_bytes, write_json

MODEL = "spm.model"
NAMES = {
    "bos_token": "[CLS]",
    "cls_token": "[CLS]",
    "eos_token": "[SEP]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "mask_token": "[MASK]",  # not in the SentencePiece model: it comes after its last piece
}


def complete(folder: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json into a folder that has only spm.model.

    Raises:
        UserError: the model is broken, or is not one of the DeBERTa family.
    """
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
    write_bytes(folder / "tokenizer.json", (tokenizer.to_str(pretty=True) + "\n").encode())
    names = ["input_ids", "attention_mask"]  # of two types of text this encoder knows nothing
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_input_names": names, **NAMES}
    write_json(folder / "tokenizer_config.json", config)
