"""Documents of extractive question answering: white-space words, their tokens, windows over them.

Used by span.py. As run_squad of google-research/xtreme, commit 838c13b, makes them
(third_party/processors/squad.py): each word is cut into tokens by itself, a window starts `step`
tokens behind the one before, and of the windows that hold a token one has its maximum context.
What the vocabulary lacks is the unknown token; transformers 2.4.1, which the scripts use, gave it
XLM-R's padding id, and took the rest of a window for padding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers.models import WordPiece

Numbers = NDArray[np.int32]
# What parts words there; other blanks (no-break, ideographic) do not.
WORD = re.compile("[^ \t\r\n\u202f]+")
SENTENCEPIECE_SPACE = "\u2581"


@dataclass(frozen=True)
class Document:
    """A context as a model reads it.

    Attributes:
        words: its white-space words.
        starts: [words], first character of each in the context.
        tokens: [tokens], as the vocabulary has them; where it has none, the characters themselves.
        ids: [tokens].
        word: [tokens], the number of each token's word; in order.
        characters: [tokens, 2], first character of each in the context, and the one behind.
        text: what the tokens read as, put together; unknown ones by their sign.
        places: [tokens, 2], first character of each token in `text`, and the one behind.
    """

    words: list[str]
    starts: Numbers
    tokens: list[str]
    ids: list[int]
    word: Numbers
    characters: Numbers
    text: str
    places: Numbers

    def reading(self, own: slice) -> tuple[str, Numbers]:
        """What some tokens read as, and the places [tokens, 2] of each in that text."""
        places = self.places[own]
        if not len(places):
            return "", places
        begin, end = int(places[0, 0]), int(places[-1, 1])
        return self.text[begin:end], places - places[0, 0]


def documents(contexts: Sequence[str], tokenizer: Any) -> Iterator[Document]:
    """Each context as a document, in order."""
    words = [WORD.findall(context) for context in contexts]
    # A space before each word, for vocabularies that know by it where a word begins.
    spaced = [[f" {word}" for word in some] or [""] for some in words]
    encoded = tokenizer(spaced, is_split_into_words=True, add_special_tokens=False, verbose=False)
    for context, some, encoding in zip(contexts, words, encoded.encodings, strict=True):
        yield _document(context, some, encoding, tokenizer)


def _document(context: str, words: list[str], encoding: Any, tokenizer: Any) -> Document:
    """A context, its words, and what the tokenizer made of them."""
    starts = np.array([word.start() for word in WORD.finditer(context)], dtype=np.int32)
    word = np.array(encoding.word_ids, dtype=np.int32)
    # Offsets count from the space before the word.
    inside = np.array(encoding.offsets, dtype=np.int32).reshape(-1, 2)
    characters = np.maximum(inside - 1, 0) + starts[word][:, None]
    tokens, ids, unknown = encoding.tokens, encoding.ids, tokenizer.unk_token_id
    known = tokens
    if unknown in ids:
        pairs = zip(tokens, ids, strict=True)
        known = [tokenizer.unk_token if one == unknown else token for token, one in pairs]
    text, places = _joined(known, tokenizer)
    return Document(
        words=words,
        starts=starts,
        tokens=tokens,
        ids=ids,
        word=word,
        characters=characters.astype(np.int32),
        text=text,
        places=places,
    )


def _joined(tokens: list[str], tokenizer: Any) -> tuple[str, Numbers]:
    """Tokens as one text, and where each stands in it."""
    if isinstance(tokenizer.backend_tokenizer.model, WordPiece):
        parts = [one.removeprefix("##") if one[:2] == "##" else f" {one}" for one in tokens]
    else:
        parts = [one.replace(SENTENCEPIECE_SPACE, " ") for one in tokens]
    ends = np.cumsum([0, *map(len, parts)], dtype=np.int32)
    return "".join(parts), np.stack([ends[:-1], ends[1:]], axis=1)


def windows(tokens: int, room: int, step: int) -> list[range]:
    """The tokens of each window; one that is empty where there are none.

    Args:
        room: tokens that a window holds.
        step: tokens between the starts of two. No token is left out: `room` is the most.
    """
    step = min(step, room)
    starts = range(0, max(tokens - room, 0) + step, step)
    return [range(start, min(start + room, tokens)) for start in starts]


def fullest(parts: list[range], tokens: int) -> NDArray[np.bool_]:
    """[windows, tokens]: whether a window has the maximum context of a token.

    The context is the smaller of what is left and right of it, and a hundredth of the window's
    length; of windows that are equal the first has it.
    """
    place = np.arange(tokens)
    context = np.full((len(parts), tokens), -np.inf)
    for row, part in zip(context, parts, strict=True):
        own = place[part.start : part.stop]
        row[part.start : part.stop] = np.minimum(own - part.start, part.stop - 1 - own)
        row[part.start : part.stop] += 0.01 * len(part)
    return np.arange(len(parts))[:, None] == context.argmax(0)


def answer_tokens(
    document: Document, text: str, start: int, pieces: list[str]
) -> tuple[int, int] | None:
    """First and last token of an answer; None where its words do not hold its text.

    They are all tokens of its white-space words, or those of them that are the answer's own.

    Args:
        start: its first character in the context.
        pieces: the tokens of its text alone.
    """
    edges = [start, start + len(text) - 1]  # white space belongs to the word before it
    first, last = np.searchsorted(document.starts, edges, side="right") - 1
    if first < 0 or " ".join(text.split()) not in " ".join(document.words[first : last + 1]):
        return None
    begin = int(np.searchsorted(document.word, first))
    end = int(np.searchsorted(document.word, last, side="right")) - 1
    for place in range(begin, end + 2 - len(pieces)):
        if pieces and document.tokens[place : place + len(pieces)] == pieces:
            return place, place + len(pieces) - 1
    return begin, end


def answer_characters(document: Document, text: str, start: int) -> tuple[int, int] | None:
    """First and last token that hold characters of an answer; None where none does."""
    first, behind = document.characters.T
    inside = np.flatnonzero((behind > start) & (first < start + len(text)))
    return (int(inside[0]), int(inside[-1])) if len(inside) else None
