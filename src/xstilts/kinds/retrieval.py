"""Retrieval of translations (Tatoeba): nothing is trained; each text's nearest neighbour is taken.

Embeddings are made in evaluation/embed.py. Two similarities, both of google-research/xtreme, commit
838c13b, third_party/utils_retrieve.py: the cosine (`similarity_search`), and the ratio margin of
Artetxe and Schwenk 2019 (arXiv 1811.01136; `mine_bitext` with mode "search").
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from xstilts.kinds.base import Feature, Row


def texts(row: Row) -> list[tuple[str, str | None]]:
    """Both sentences, apart: a parallel pair would teach the very thing that is tested."""
    return [(row["text_a"], None), (row["text_b"], None)]


def encode_texts(texts: list[str], tokenizer: Any, length: int) -> list[Feature]:
    """<s> text </s> of each text, cut at `length` tokens."""
    ids = tokenizer(texts, truncation=True, max_length=length)["input_ids"]
    return [{"ids": [one], "row": i} for i, one in enumerate(ids)]


def outputs(output: Tensor, features: list[Feature]) -> list[Any]:
    """The embedding [hidden] of each text, float32."""
    return list(output.float().cpu().numpy())
