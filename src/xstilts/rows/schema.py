"""The columns of prepared rows by kind, and what a model reads of a row. Pure."""

from __future__ import annotations

import unicodedata

import pyarrow as pa

from xstilts.tasks.base import Row

TEXT = pa.string()
NUMBER = pa.int32()
IDS = pa.list_(TEXT)
ANSWERS = pa.list_(pa.struct([("text", TEXT), ("start", NUMBER)]))
SCHEMAS: dict[str, pa.Schema] = {
    "classification": pa.schema(
        [("id", TEXT), ("text_a", TEXT), ("text_b", TEXT), ("label", NUMBER)]
    ),
    "multiple_choice": pa.schema(
        [
            ("id", TEXT),
            ("context", TEXT),
            ("question", TEXT),
            ("choices", pa.list_(TEXT)),
            ("label", NUMBER),
        ]
    ),
    "span": pa.schema([("id", TEXT), ("context", TEXT), ("question", TEXT), ("answers", ANSWERS)]),
    "tagging": pa.schema([("id", TEXT), ("tokens", pa.list_(TEXT)), ("tags", pa.list_(NUMBER))]),
    # row i of text_a translates row i of text_b
    "retrieval": pa.schema([("id", TEXT), ("text_a", TEXT), ("text_b", TEXT)]),
    # side: foreign or english; gold: ids of its translations, most often none
    "mining": pa.schema([("id", TEXT), ("side", TEXT), ("text", TEXT), ("gold", IDS)]),
    # Queries: text, relevant (ids of candidates). Candidates: text, pair (its context). Training:
    # text, positive, positive_pair (the candidate that is right, and its context).
    "ranking": pa.schema(
        [
            *(("id", TEXT), ("text", TEXT), ("pair", TEXT), ("relevant", IDS)),
            *(("positive", TEXT), ("positive_pair", TEXT)),
        ]
    ),
    "mlm": pa.schema([("id", TEXT), ("text", TEXT), ("pair", TEXT)]),
}
# Texts that may not be empty; the others may (a choice task without a question, a single sentence).
NEEDED = {
    "classification": ("text_a",),
    "multiple_choice": ("context",),
    "span": ("context", "question"),
    "tagging": (),
    "retrieval": ("text_a", "text_b"),
    "mining": ("text",),
    "ranking": ("text",),
    "mlm": ("text",),
}


def texts(row: Row) -> tuple[str, ...]:
    """What a model reads of a row, label and answers left out."""
    if "tokens" in row:
        return (" ".join(row["tokens"]),)
    names = ("text_a", "text_b", "text", "pair", "positive", "positive_pair", "context", "question")
    plain = tuple(row[name] for name in names if row.get(name))
    return plain + tuple(row.get("choices", ()))


class _Separators(dict[int, str]):
    """Code point -> a space for white space, punctuation and control signs; itself otherwise."""

    def __missing__(self, code: int) -> str:
        kind = unicodedata.category(chr(code))
        self[code] = " " if kind[0] in "PZC" else chr(code)
        return self[code]


_SEPARATORS = _Separators()


def normalise(text: str) -> str:
    """NFKC, lower case, runs of white space and punctuation as one space."""
    folded = unicodedata.normalize("NFKC", text).lower()
    return " ".join(folded.translate(_SEPARATORS).split())
