"""Readers of data sets whose rows lie across several files: BUCC 2018, LAReQA's XQuAD-R, treebanks.

Each gets the raw files of one split and gives plain rows of one language.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from xstilts.core.errors import UserError
from xstilts.sources import treebanks
from xstilts.sources.archive import MEND
from xstilts.sources.raw import Piece
from xstilts.tasks.base import Row, Split


def read(parse: str, pieces: Sequence[Piece], language: str, split: Split) -> Iterator[Row]:
    """Rows of one language's split by one of `READERS`.

    Raises:
        UserError: a file is missing, corrupt or not as expected, or they do not fit together.
    """
    try:
        yield from READERS[parse](pieces, language, split)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        have = ", ".join(map(str, pieces))
        raise UserError(
            f"{have}: not as expected of {parse} ({type(error).__name__}: {error}). {MEND}"
        ) from error


def bucc(pieces: Sequence[Piece], language: str, split: Split) -> Iterator[Row]:
    """Sentences of both sides, foreign first: id, side, text, gold (ids of its translations).

    Files by their ending: `.en` and `.<language>` have lines of id, tab, sentence; `.gold` lines
    of foreign id, tab, English id (google-research/xtreme, scripts/run_bucc2018.sh).

    Raises:
        UserError: a file is missing, or the gold names a sentence that is not there.
    """
    files = {PurePosixPath(piece.name).suffix: piece for piece in pieces}
    wanted = (f".{language}", ".en", ".gold")
    if lost := [ending for ending in wanted if ending not in files]:
        have = ", ".join(map(str, pieces)) or "nothing"
        raise UserError(
            f"BUCC in {language!r}: no {', '.join(lost)} file in {have}. Mend: its task"
        )
    sides = {"foreign": files[f".{language}"], "english": files[".en"]}
    gold: dict[str, list[str]] = defaultdict(list)
    for foreign, english in _pairs(files[".gold"]):
        gold[foreign].append(english)
        gold[english].append(foreign)
    for side, piece in sides.items():
        for name, text in _pairs(piece):
            yield {"id": name, "side": side, "text": text.strip(), "gold": gold.pop(name, [])}
    if gold:
        raise UserError(
            f"{files['.gold']} names {next(iter(gold))!r}, which is no sentence of "
            f"{' or '.join(map(str, sides.values()))}. Mend: put it right at its source, then run "
            "`fetch` again"
        )


def _pairs(piece: Piece) -> Iterator[tuple[str, str]]:
    """The first two columns of a tab-separated file without a head line."""
    for number, line in enumerate(piece.lines()):
        if line.strip():
            first, *rest = line.rstrip("\r\n").split("\t")
            if not rest:
                raise UserError(f"{piece} row {number} has no tab. {MEND}")
            yield first, rest[0]


def lareqa(pieces: Sequence[Piece], language: str, split: Split) -> Iterator[Row]:
    """Questions (id, text, relevant) or, of the split `candidates`, sentences (id, text, pair).

    Files are `<language>.json`, of SQuAD's form with `sentence_breaks`. A candidate is a sentence
    with its paragraph around it. A question is relevant to the sentences, in every language, that
    hold the answer to it there: those that read as the first one in which the answer starts. Ids
    are those of third_party/utils_lareqa.py in google-research/xtreme, whose counts these are.
    """
    by_language = {PurePosixPath(piece.name).stem: piece for piece in pieces}
    if split == "candidates":
        for paragraph, ids in _paragraphs(language, by_language[language]):
            for name, text in zip(ids, _sentences(paragraph), strict=True):
                yield {"id": name, "text": text, "pair": paragraph["context"]}
        return
    relevant: dict[str, list[str]] = defaultdict(list)
    asked: list[Row] = []
    for code, piece in by_language.items():
        for question, paragraph, ids in _questions(code, piece):
            found = _answering(question, paragraph, ids)
            relevant[question["id"]] += found
            if code == language:
                row = {"id": f"{question['id']}_{code}", "text": question["question"]}
                asked.append({**row, "question": question["id"], "answered": bool(found)})
    for row in asked:
        yield {**row, "relevant": relevant[row["question"]] if row["answered"] else []}


def _paragraphs(code: str, piece: Piece) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """(paragraph, ids of its sentences) of one language; paragraphs are numbered from 1."""
    with piece.opened() as stream:
        articles = json.loads(stream.read().decode("utf-8"))["data"]
        found = (paragraph for article in articles for paragraph in article["paragraphs"])
        for number, paragraph in enumerate(found, start=1):
            count = len(paragraph["sentence_breaks"])
            yield paragraph, [f"{code}_{number}_{place}" for place in range(count)]


def _questions(
    code: str, piece: Piece
) -> Iterator[tuple[dict[str, Any], dict[str, Any], list[str]]]:
    for paragraph, ids in _paragraphs(code, piece):
        for question in paragraph["qas"]:
            yield question, paragraph, ids


def _sentences(paragraph: dict[str, Any]) -> list[str]:
    return [paragraph["context"][start:end] for start, end in paragraph["sentence_breaks"]]


def _answering(question: dict[str, Any], paragraph: dict[str, Any], ids: list[str]) -> list[str]:
    """Ids of the sentences that answer; none where the answer starts between two sentences."""
    place = question["answers"][0]["answer_start"]
    texts = _sentences(paragraph)
    for (start, end), text in zip(paragraph["sentence_breaks"], texts, strict=True):
        if start <= place < end:
            return [name for name, other in zip(ids, texts, strict=True) if other == text]
    return []


def conllu(pieces: Sequence[Piece], language: str, split: Split) -> Iterator[Row]:
    """Sentences (tokens, pos_tags by name) of all treebanks of a language, file after file."""
    for piece in pieces:
        yield from treebanks.sentences(piece.lines(), language)


READERS: dict[str, Callable[[Sequence[Piece], str, Split], Iterator[Row]]] = {
    "bucc": bucc,
    "lareqa": lareqa,
    "conllu": conllu,
}
