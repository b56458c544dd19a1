"""Extractive question answering: windows over long documents, n-best spans, no-answer.

As run_squad of google-research/xtreme (third_party/run_squad.py, squad_metrics.py): questions of
at most 64 tokens, 20 best starts and ends, answers of at most 30 tokens, the best span over all
windows of a document.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn, tensor
from torch.nn.functional import cross_entropy

from xstilts.kinds.base import Feature, Row, sequence
from xstilts.model.heads import TokenHead

MAX_QUESTION = 64
N_BEST = 20
MAX_ANSWER = 30
NO_ANSWER = "no-answer"  # the label of a task whose questions may have none


def texts(row: Row) -> list[tuple[str, str | None]]:
    """The context and the question."""
    return [(row["context"], None), (row["question"], None)]


def encode(rows: list[Row], tokenizer: Any, length: int, stride: int) -> list[Feature]:
    """<s> question </s></s> window </s>; windows of one document share `stride` tokens."""
    limit = min(MAX_QUESTION, length // 2)
    room = length - limit - tokenizer.num_special_tokens_to_add(pair=True)
    encoded = tokenizer(
        [_head(row["question"], tokenizer, limit) for row in rows],
        [row["context"] for row in rows],
        truncation="only_second",
        max_length=length,
        stride=max(0, min(stride, room // 2)),
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    features = []
    for i, index in enumerate(encoded["overflow_to_sample_mapping"]):
        second = np.array([part == 1 for part in encoded.sequence_ids(i)])
        first = int(second.argmax()) if second.any() else len(second)
        offsets = np.array(encoded["offset_mapping"][i], dtype=np.int32)[second]
        start, end = _positions(rows[index], offsets, first)
        features.append(
            {
                **sequence(encoded, i),
                "row": index,
                "first": first,
                "offsets": offsets,
                "start": start,
                "end": end,
            }
        )
    return features


def _head(question: str, tokenizer: Any, limit: int) -> str:
    """The part of a question that has at most `limit` tokens."""
    text = question.strip()
    if len(text) <= limit:  # a token has at least one character
        return text
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    kept = offsets["offset_mapping"][:limit]
    return text[: kept[-1][1]] if kept else text


def _positions(row: Row, offsets: NDArray[np.int32], first: int) -> tuple[int, int]:
    """Token positions of the first answer in a window; (0, 0) where it is not inside."""
    answers = row.get("answers") or []
    if not answers or not len(offsets):
        return 0, 0
    start = answers[0]["start"]
    end = start + len(answers[0]["text"])
    if offsets[0, 0] > start or offsets[-1, 1] < end:
        return 0, 0
    inside = np.flatnonzero((offsets[:, 1] > start) & (offsets[:, 0] < end))
    if not len(inside):
        return 0, 0
    return first + int(inside[0]), first + int(inside[-1])


def head(hidden: int, labels: list[str], dropout: float) -> nn.Module:
    """Two scores a position: start and end."""
    return TokenHead(hidden, 2, 0.0)


def weight(feature: Feature) -> int:
    """One loss term a window."""
    return 1


def loss(output: Tensor, features: list[Feature]) -> Tensor:
    """Summed mean of the start's and the end's cross-entropy; output [b, l, 2], pads excluded."""
    output = _without_pads(output, features)
    starts = tensor([feature["start"] for feature in features], device=output.device)
    ends = tensor([feature["end"] for feature in features], device=output.device)
    start_loss = cross_entropy(output[..., 0], starts, reduction="sum")
    return (start_loss + cross_entropy(output[..., 1], ends, reduction="sum")) / 2


def _without_pads(output: Tensor, features: list[Feature]) -> Tensor:
    """Scores with pad positions at minus infinity, so that padding never changes a loss."""
    lengths = tensor([len(feature["ids"][0]) for feature in features], device=output.device)
    places = tensor(range(output.shape[1]), device=output.device)
    return output.float().masked_fill((places >= lengths[:, None])[..., None], -1e9)


def outputs(output: Tensor, features: list[Feature]) -> list[Any]:
    """(null score, best score, first character, last character) of each window."""
    scores = output.float().cpu().numpy()
    return [_best(scores[i], feature) for i, feature in enumerate(features)]


def _best(scores: NDArray[np.float32], feature: Feature) -> tuple[float, float, int, int]:
    """The best span of one window among the n-best starts and ends."""
    offsets, first = feature["offsets"], feature["first"]
    null = float(scores[0, 0] + scores[0, 1])
    window = scores[first : first + len(offsets)]
    if not len(window):
        return null, -np.inf, 0, 0
    starts = np.argsort(-window[:, 0], kind="stable")[:N_BEST]
    ends = np.argsort(-window[:, 1], kind="stable")[:N_BEST]
    lengths = ends[None, :] - starts[:, None]
    total = window[starts, 0][:, None] + window[ends, 1][None, :]
    total = np.where((lengths >= 0) & (lengths < MAX_ANSWER), total, -np.inf)
    i, j = np.unravel_index(int(total.argmax()), total.shape)
    if not np.isfinite(total[i, j]):
        return null, -np.inf, 0, 0
    return null, float(total[i, j]), int(offsets[starts[i], 0]), int(offsets[ends[j], 1])


def decode(
    outputs: list[Any], features: list[Feature], rows: list[Row], labels: list[str]
) -> list[str]:
    """The best span's text of each row; "" where no answer scores higher and is allowed."""
    best: list[tuple[float, str]] = [(-np.inf, "")] * len(rows)
    null = [np.inf] * len(rows)
    for (no_answer, score, start, end), feature in zip(outputs, features, strict=True):
        index = feature["row"]
        null[index] = min(null[index], no_answer)
        if score > best[index][0]:
            best[index] = (score, rows[index]["context"][start:end])
    allowed = NO_ANSWER in labels
    return [
        "" if allowed and null[i] > score else text.strip() for i, (score, text) in enumerate(best)
    ]


def references(rows: list[Row], labels: list[str]) -> list[list[str]]:
    """Texts of all accepted answers; no answer is the empty text."""
    return [[answer["text"] for answer in row["answers"]] or [""] for row in rows]


def shuffle(rows: list[Row], rng: Generator) -> list[Row]:
    """Another span of as many white-space words, drawn from the same context, is called right."""
    return [{**row, "answers": [_random_span(row, rng)]} if row["answers"] else row for row in rows]


def _random_span(row: Row, rng: Generator) -> Row:
    """A random run of words; of characters where the script has no spaces."""
    context, right = row["context"], row["answers"][0]
    words = [word.span() for word in re.finditer(r"\S+", context)]
    count = len(right["text"].split())
    if len(words) < 2 * count:
        last = len(context) - len(right["text"])
        places = [i for i in range(last + 1) if not context[i].isspace()] or [right["start"]]
        start = places[int(rng.integers(len(places)))]
        end = start + len(right["text"])
    else:
        number = int(rng.integers(len(words) - count + 1))
        start, end = words[number][0], words[number + count - 1][1]
    return {"text": context[start:end], "start": start}
