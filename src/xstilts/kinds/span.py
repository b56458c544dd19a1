"""Extractive question answering: windows over long documents, n-best spans, no-answer.

As run_squad of google-research/xtreme, commit 838c13b (third_party/run_squad.py and
processors/squad.py, squad_metrics.py of transformers 2.4.1): questions of at most 64 tokens,
20 best starts and ends, answers of at most 30 tokens that start where the window has a token's
maximum context, the best span over all windows of a document. Its padding is no candidate here.

There, an answer is white-space words, or tokens of these. The scripts train in English alone; in a
language without spaces, whole clauses would be taught. A row in training therefore has its
`training_language` (training/finetune.py): where that has no spaces, the tokens of the answer's own
characters are taught, and what they read as is answered, as jiant (commit daa5a258) answers in
Chinese. Rows that are scored have none: they are answered by the scripts' rule in all languages.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn, tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

from xstilts.kinds.answers import answer_text
from xstilts.kinds.base import Feature, Row
from xstilts.kinds.windows import (
    WORD,
    Document,
    answer_characters,
    answer_tokens,
    documents,
    fullest,
    windows,
)
from xstilts.model.heads import TokenHead
from xstilts.model.tokenizer import separators
from xstilts.tasks.languages import LANGUAGES

MAX_QUESTION = 64
N_BEST = 20
MAX_ANSWER = 30
NOTHING = "empty"  # the answer where no span is possible; so the scripts have it
IGNORED = -100  # the place of an answer that is not where it is said to be
BLOCK = 1000  # rows whose documents are read at once, which bounds memory
UNSPACED = ("Hans", "Hant", "Jpan", "Thai", "Mymr")  # scripts without spaces between words
NO_ANSWER = "no-answer"  # the label of a task whose questions may have none


def texts(row: Row) -> list[tuple[str, str | None]]:
    """The context and the question."""
    return [(row["context"], None), (row["question"], None)]


def encode(
    rows: list[Row], tokenizer: Any, length: int, stride: int, question: int = MAX_QUESTION
) -> list[Feature]:
    """<s> question </s></s> window </s>; a window starts `stride` tokens after the one before.

    Args:
        question: tokens of a question, at most; never more than half of `length`.
    """
    limit = min(question, length // 2)
    asked = _ids([row["question"] for row in rows], tokenizer)
    answered = _first_answers(rows, tokenizer)
    features: list[Feature] = []
    for start in range(0, len(rows), BLOCK):
        contexts = list(dict.fromkeys(row["context"] for row in rows[start : start + BLOCK]))
        read = dict(zip(contexts, documents(contexts, tokenizer), strict=True))
        for index in range(start, min(start + BLOCK, len(rows))):
            document, ids = read[rows[index]["context"]], asked[index][:limit]
            gold = _gold(rows[index], document, answered[index])
            for feature in _windows(document, ids, tokenizer, length, stride):
                features.append({**feature, "row": index, **_positions(gold, feature)})
    return features


def _ids(texts: list[str], tokenizer: Any) -> list[list[int]]:
    """The tokens of each text alone."""
    found: list[list[int]] = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    return found


def _first_answers(rows: list[Row], tokenizer: Any) -> list[list[str]]:
    """The tokens of each row's first answer; none where it has no answer."""
    texts = [row["answers"][0]["text"] if row.get("answers") else "" for row in rows]
    encoded = tokenizer(texts, add_special_tokens=False, verbose=False)
    return [one.tokens for one in encoded.encodings]


def _windows(
    document: Document, question: list[int], tokenizer: Any, length: int, step: int
) -> list[Feature]:
    """The sequences of a document; of each its tokens' words, and where it has maximum context."""
    opening = [tokenizer.cls_token_id, *question, *separators(tokenizer)]
    parts = windows(len(document.ids), length - len(opening) - 1, step)
    full = fullest(parts, len(document.ids))
    features: list[Feature] = []
    for number, part in enumerate(parts):
        own = slice(part.start, part.stop)
        text, places = document.reading(own)
        ids = [*opening, *document.ids[own], tokenizer.sep_token_id]
        types = [0] * len(opening) + [1] * (len(ids) - len(opening))
        features.append(
            {
                "ids": [ids],
                **({"types": [types]} if "token_type_ids" in tokenizer.model_input_names else {}),
                "first": len(opening),
                "start_of_window": part.start,
                "full": full[number, own],
                "words": document.word[own],
                "places": places,
                "text": text,
            }
        )
    return features


def _gold(row: Row, document: Document, pieces: list[str]) -> tuple[int, int] | None:
    """First and last token of the first answer in its document; None where it cannot be told."""
    if not row.get("answers"):
        return -1, -1
    answer = row["answers"][0]
    if _unspaced(row):
        return answer_characters(document, answer["text"], answer["start"])
    return answer_tokens(document, answer["text"], answer["start"], pieces)


def _unspaced(row: Row) -> bool:
    """Whether a row is known to be in a script without spaces between words."""
    known = LANGUAGES.get(row.get("training_language", ""))
    return known is not None and known.script in UNSPACED


def _positions(gold: tuple[int, int] | None, feature: Feature) -> Feature:
    """Places of an answer in a window: 0 (<s>) where it is not inside, IGNORED if not known."""
    if gold is None:
        return {"start": IGNORED, "end": IGNORED}
    begin, end = (place - feature["start_of_window"] for place in gold)
    inside = begin >= 0 and end < len(feature["words"])
    first = feature["first"]
    return {"start": first + begin, "end": first + end} if inside else {"start": 0, "end": 0}


def head(hidden: int, labels: list[str], dropout: float) -> nn.Module:
    """Two scores a position: start and end."""
    return TokenHead(hidden, 2, 0.0)


def taught(feature: Feature) -> bool:
    """Whether its answer is known: there, too, a row is left out whose words do not hold it."""
    return bool(feature["start"] != IGNORED)


def weight(feature: Feature) -> int:
    """One loss term a window."""
    return 1


def positions(features: list[Feature], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """All tokens of each window."""
    pairs = zip(starts, features, strict=True)
    return np.concatenate([start + np.arange(len(feature["ids"][0])) for start, feature in pairs])


def loss(output: Tensor, features: list[Feature]) -> Tensor:
    """Summed mean of the start's and the end's cross-entropy; output [tokens of all windows, 2]."""
    lengths = [len(feature["ids"][0]) for feature in features]
    scores = pad_sequence(output.float().split(lengths), batch_first=True, padding_value=-1e9)
    starts = tensor([feature["start"] for feature in features], device=output.device)
    ends = tensor([feature["end"] for feature in features], device=output.device)
    start_loss = cross_entropy(scores[..., 0], starts, reduction="sum")
    return (start_loss + cross_entropy(scores[..., 1], ends, reduction="sum")) / 2


def outputs(output: Tensor, features: list[Feature]) -> list[Any]:
    """(null score, best score, first token, last token) of each window."""
    ends = np.cumsum([len(feature["ids"][0]) for feature in features])[:-1]
    scores = np.split(output.double().cpu().numpy(), ends)
    return [best_span(one, feature) for one, feature in zip(scores, features, strict=True)]


def best_span(scores: NDArray[np.float64], feature: Feature) -> tuple[float, float, int, int]:
    """The best span of a window among the n-best starts and ends; of equals, the first of these.

    Args:
        scores: [tokens, 2], of each token of the sequence as a start and as an end.

    Returns:
        (null score, best score, first token, last token); tokens count in the window. Where no
        span is possible, the best score is minus infinity.
    """
    null = float(scores[0, 0] + scores[0, 1])
    first, count = feature["first"], len(feature["words"])
    order = np.argsort(-scores, axis=0, kind="stable")[:N_BEST] - first
    starts, ends = (side[(side >= 0) & (side < count)] for side in order.T)
    length = ends - starts[:, None]
    possible = (length >= 0) & (length < MAX_ANSWER) & feature["full"][starts, None]
    sums = scores[first + starts, :1] + scores[first + ends, 1]
    possible &= sums > -np.inf
    if not possible.any():
        return null, -np.inf, 0, 0
    start, end = divmod(int(np.where(possible, sums, -np.inf).argmax()), len(ends))
    return null, float(sums[start, end]), int(starts[start]), int(ends[end])


def decode(
    outputs: list[Any], features: list[Feature], rows: list[Row], labels: list[str]
) -> list[str]:
    """The best span's text of each row; "" where no answer scores higher and is allowed."""
    best: list[tuple[float, str]] = [(-np.inf, NOTHING)] * len(rows)
    null = [np.inf] * len(rows)
    for (no_answer, score, start, end), feature in zip(outputs, features, strict=True):
        index = feature["row"]
        null[index] = min(null[index], no_answer)
        if score > best[index][0]:
            best[index] = (score, _text(rows[index], feature, start, end))
    allowed = NO_ANSWER in labels
    return ["" if allowed and null[i] > score else text for i, (score, text) in enumerate(best)]


def _text(row: Row, feature: Feature, start: int, end: int) -> str:
    """The answer that tokens `start` to `end` of a window are."""
    text = feature["text"][feature["places"][start, 0] : feature["places"][end, 1]]
    tokens = " ".join(text.split())
    if _unspaced(row):
        return tokens
    first, last = feature["words"][[start, end]]
    return answer_text(tokens, " ".join(WORD.findall(row["context"])[first : last + 1]))


def references(rows: list[Row], labels: list[str]) -> list[list[str]]:
    """Texts of all accepted answers; none where the question has no answer."""
    return [[answer["text"] for answer in row["answers"]] for row in rows]


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
