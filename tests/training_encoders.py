"""Small random checkpoints of every architecture, with tokenizers in their layouts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xstilts.core.files import write_json
from xstilts.kinds import modules
from xstilts.model import heads
from xstilts.model.checkpoint import load_encoder

WORDS = ["tapika", "nemoti", "kasuro", "belado", "mirune", "sofati", "42", "?"]
BERT_LIKE = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
GEMMA_LIKE = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")
SHAPE = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 66,
    "initializer_range": 0.2,
}
NAMES = ("xlm-roberta", "bert", "deberta-v2", "modernbert")


def write_tokenizer(folder: Path, special: Sequence[str], types: bool) -> int:
    """A tokenizer of whole words; special tokens first, and unused ones last. Its number of ids."""
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors

    if special is GEMMA_LIKE:
        pad, end, start, unknown, mask = special
    else:
        pad, unknown, start, end, mask = special
    vocabulary = {word: i for i, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    second = ":1" if types else ":0"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start}:0 $A:0 {end}:0",
        pair=f"{start}:0 $A:0 {end}:0 $B{second} {end}{second}",
        special_tokens=[(start, vocabulary[start]), (end, vocabulary[end])],
    )
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in special])
    tokenizer.add_special_tokens([AddedToken("<unused0>", special=True)])
    tokenizer.save(str(folder / "tokenizer.json"))
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if types else [])]
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_input_names": names,
        "pad_token": pad,
        "unk_token": unknown,
        "mask_token": mask,
    }
    ends = ("bos_token", "eos_token") if special is GEMMA_LIKE else ("cls_token", "sep_token")
    write_json(
        folder / "tokenizer_config.json", config | dict(zip(ends, (start, end), strict=True))
    )
    return len(tokenizer.get_vocab())


def checkpoint(name: str, folder: Path, head: bool = True) -> Path:
    """Save a random model of an architecture and its tokenizer; `head`: for language modelling."""
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    special = GEMMA_LIKE if name == "modernbert" else BERT_LIKE
    count = write_tokenizer(folder, special, types=name in ("bert", "deberta-v2"))
    shape = {**SHAPE, "vocab_size": count, "pad_token_id": 0}
    more: dict[str, Any] = {
        "xlm-roberta": {"type_vocab_size": 1},
        "bert": {"type_vocab_size": 2},
        "deberta-v2": {  # as mDeBERTa-v3's own
            "type_vocab_size": 0,
            "relative_attention": True,
            "position_buckets": 8,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "pos_att_type": ["p2c", "c2p"],
            "max_relative_positions": -1,
            "position_biased_input": False,
        },
        "modernbert": {
            "bos_token_id": 2,
            "eos_token_id": 1,
            "cls_token_id": 2,
            "sep_token_id": 1,
            "local_attention": 8,
            "global_attn_every_n_layers": 2,
        },
    }
    prefix = {
        "xlm-roberta": "XLMRoberta",
        "bert": "Bert",
        "deberta-v2": "DebertaV2",
        "modernbert": "ModernBert",
    }[name]
    config = getattr(transformers, f"{prefix}Config")(**shape, **more[name])
    torch.manual_seed(0)
    made = getattr(transformers, f"{prefix}{'ForMaskedLM' if head else 'Model'}")(config)
    made.save_pretrained(folder)
    return folder


def classified(name: str, rows: int) -> list[dict[str, Any]]:
    """Features with a label, as an architecture's tokenizer would give them."""
    rng = np.random.default_rng(1)
    found = [[2, *rng.integers(5, 13, rng.integers(2, 9)).tolist(), 3] for _ in range(rows)]
    features = [{"ids": [ids], "row": i, "label": ids[1] % 2} for i, ids in enumerate(found)]
    if name in ("bert", "deberta-v2"):
        return [{**one, "types": [[0] * len(one["ids"][0])]} for one in features]
    return features


def with_head(folder: Path) -> heads.WithHeads:
    """A checkpoint with dropout under a head for two classes."""
    encoder = load_encoder(folder, dropout=0.1)
    torch.manual_seed(0)
    return heads.WithHeads(encoder, [modules.get("classification").head(16, ["a", "b"], 0.1)])
