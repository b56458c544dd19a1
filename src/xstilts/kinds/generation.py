"""Generation of a text from a text by an encoder-decoder: mT5, mBART-50, NLLB-200.

After Chirkova, Liang and Nikoulina 2023 (arXiv 2310.09917): fine-tuned in one language, asked in
others. What is learnt is every token of the first answer, given those before it. An answer is found
by greedy search or by beams (`output` of a training). Where the family has codes of languages, the
source begins with that of its row, and so does the answer, which is given that first token.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn, tensor
from torch.nn.functional import cross_entropy

from xstilts.core.params import Part, Training
from xstilts.kinds.base import Feature, Row
from xstilts.model import codes
from xstilts.model.checkpoint import load_seq2seq
from xstilts.model.seq2seq import EncoderDecoder, Sources, sources
from xstilts.model.tokenizer import special_ids


def texts(row: Row) -> list[tuple[str, str | None]]:
    """The source and the answers, apart."""
    return [(text, None) for text in (row["source"], *row["targets"])]


def lengths(spec: Part | Training) -> tuple[int, int]:
    """Tokens of a source and of an answer, at most."""
    return spec.max_length, spec.output.length


def model(folder: Path, dropout: float) -> nn.Module:
    """An encoder-decoder of a checkpoint folder: no head is fresh.

    Raises:
        UserError: the folder holds no whole checkpoint of one.
    """
    return EncoderDecoder(load_seq2seq(folder, dropout))


def encode(rows: list[Row], tokenizer: Any, length: int, limit: int) -> list[Feature]:
    """[language] source </s>, cut at `length`; [language] first answer </s>, cut at `limit`.

    Raises:
        UserError: the model's family has codes of languages, and none for a row's.
    """
    known, end = codes.of(tokenizer), tokenizer.eos_token_id
    start = end if known else tokenizer.pad_token_id  # what the decoder reads before all else
    asked = _ids([row["source"] for row in rows], tokenizer)
    told = _ids([(row.get("targets") or [""])[0] for row in rows], tokenizer)
    features = []
    for i, row in enumerate(rows):
        language = codes.token(known, row["language"], tokenizer)
        begin = [] if language is None else [language]
        room = len(begin) + 1
        answer = [*begin, *told[i][: max(0, limit - room)], end]
        features.append(
            {
                "ids": [[*begin, *asked[i][: max(0, length - room)], end]],
                "target": answer,
                "given": [start, *answer[:-1]],
                "begun": room,  # tokens of `given` that no model has to find
                "row": i,
            }
        )
    return features


def _ids(some: list[str], tokenizer: Any) -> list[list[int]]:
    """The tokens of each text alone."""
    found: list[list[int]] = tokenizer(some, add_special_tokens=False, verbose=False)["input_ids"]
    return found


def collate(features: list[Feature], pad: int, where: torch.device) -> Sources:
    """Features as one padded batch, in their order."""
    asked = [feature["ids"][0] for feature in features]
    return sources(asked, [feature["given"] for feature in features], pad, where)


def weight(feature: Feature) -> int:
    """One loss term a token of the answer."""
    return len(feature["target"])


def loss(output: Tensor, features: list[Feature]) -> Tensor:
    """Summed cross-entropy; output [tokens of all answers, vocabulary]."""
    gold = np.concatenate([np.asarray(feature["target"], np.int64) for feature in features])
    return cross_entropy(output.float(), tensor(gold, device=output.device), reduction="sum")


def predict(decoder: Any, rows: list[Row]) -> list[str]:
    """One answer a row."""
    features = decoder.store(encode, rows, decoder.tokenizer, *decoder.lengths)
    words, (_, limit) = decoder.tokenizer, decoder.lengths
    # DeepSpeed's engine, in a training, has the model inside.
    net = getattr(decoder.model, "module", decoder.model)
    silent = set(special_ids(words))

    def answers(some: list[Feature]) -> list[str]:
        # Of an answer a model is given the language's code alone, where its family has codes.
        asked = [{**one, "given": one["given"][: one["begun"]]} for one in some]
        batch = collate(asked, words.pad_token_id, decoder.workers.device)
        found = net.answers(batch, limit, decoder.beams, words.eos_token_id)
        kept = [[one for one in ids if one not in silent] for ids in found]
        return [text.strip() for text in words.batch_decode(kept)]

    told: list[str] = decoder.in_runs(features, answers)
    return told


def references(rows: list[Row], labels: list[str]) -> list[list[str]]:
    """All accepted answers of each row."""
    return [list(row["targets"]) for row in rows]


def shuffle(rows: list[Row], rng: Generator) -> list[Row]:
    """Answers permuted over rows: they say nothing of their sources."""
    order = rng.permutation(np.arange(len(rows))).tolist()
    return [
        {**row, "targets": rows[other]["targets"]} for row, other in zip(rows, order, strict=True)
    ]
