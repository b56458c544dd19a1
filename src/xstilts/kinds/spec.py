"""What is known of every kind before anything is trained: its rows, and what may be done with them.

All that decides by a task's kind asks `KINDS`. Without torch, as data stages and `plan` ask, too;
the machinery of a kind is a module of its own, named in modules.py.

Rows have an `id`, and columns that mean the same in every kind: `label` numbers what is right (a
label of the task, a choice), `tags` number a label for each of `tokens`, which are the words of one
text, and `answers` are spans of `context`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import pyarrow as pa

Row = dict[str, Any]
Texts = tuple[str, ...]
TEXT = pa.string()
NUMBER = pa.int32()
IDS = pa.list_(TEXT)
ANSWERS = pa.list_(pa.struct([("text", TEXT), ("start", NUMBER)]))
SIDES = ("foreign", "english")  # of a mining row


def nothing_wrong(row: Row, labels: int, split: str) -> str | None:
    """The rule of kinds whose needed texts are all that must hold."""
    return None


@dataclass(frozen=True)
class Spec:
    """The facts of a kind.

    Attributes:
        columns: of its prepared rows beside `id`; no two kinds have the same, so that a file tells
            its kind. What is text here is text in every row, or None.
        reads: the columns that a model reads, in order: text, lists of texts, or tokens.
        needed: texts that may not be empty. Others may: a question that is asked by its choices
            alone, a single sentence.
        tokens: mean tokens of an example with all its sequences, by XLM-R's tokenizer: of costs.
        wrong: (row, how many labels its task has, split) -> what is wrong with it, or None.
        shape: what all texts of a row are together, or all shapes that a row has, the most telling
            first: rows that have a shape in common can be found to be the same (rows/leaks.py).
        sequences: "one" an example, which is cut where it is too long, or "several".
        scored: "decoded": a trained head's outputs are read (where the kind's module has `predict`,
            by that). "ranked": a trained encoder ranks candidates. "matched", "mined": the
            embeddings of an encoder as it is find translations, of each text or of few among many.
            None: it is never scored, as it is text alone.
        intermediate: whether it may be an intermediate task.
        shuffled: whether its module can take the meaning from its labels: the negative control.
        decodes: whether its model is an encoder-decoder, and not an encoder under a head.
    """

    columns: Mapping[str, pa.DataType]
    reads: tuple[str, ...]
    needed: tuple[str, ...]
    tokens: int
    wrong: Callable[[Row, int, str], str | None] = nothing_wrong
    shape: str | Callable[[Row], Iterator[tuple[str, Texts]]] = "text"
    sequences: Literal["one", "several"] = "one"
    scored: Literal["decoded", "ranked", "matched", "mined"] | None = "decoded"
    intermediate: bool = True
    shuffled: bool = True
    decodes: bool = False

    @cached_property
    def schema(self) -> pa.Schema:
        """All columns of prepared rows."""
        return pa.schema([("id", TEXT), *self.columns.items()])

    @cached_property
    def plain(self) -> Texts:
        """The columns that hold a text or nothing."""
        return tuple(field.name for field in self.schema if field.type == TEXT)

    @property
    def trained(self) -> bool:
        """Whether a model is trained before it is scored; others are scored as they come."""
        return self.scored not in ("matched", "mined")

    @property
    def chooses(self) -> bool:
        """Whether validation rows can choose among models: only what is decoded is scored there."""
        return self.scored == "decoded"

    @property
    def by_id(self) -> bool:
        """Whether rows name each other: ids are gold, and predictions are lists of them."""
        return self.scored in ("ranked", "mined")

    def texts(self, row: Row) -> Texts:
        """What a model reads of a row, label and answers left out."""
        found: list[str] = []
        for name in self.reads:
            value = row.get(name) or ()
            words = " ".join(value) if name == "tokens" else value
            found += [words] if isinstance(words, str) else words
        return tuple(found)

    def whole(self, row: Row) -> Iterator[tuple[str, Texts]]:
        """One shape for all rows, as those of one task have the same texts."""
        yield "whole", self.texts(row)

    def shapes(self, row: Row) -> Iterator[tuple[str, Texts]]:
        """(shape, texts) of a row, the most telling first."""
        if isinstance(self.shape, str):
            yield self.shape, self.texts(row)
        else:
            yield from self.shape(row)


def filled(text: object) -> bool:
    """Whether it is a text with more than white space in it."""
    return isinstance(text, str) and bool(text.strip())


def _in_range(label: Any, count: int) -> bool:
    return isinstance(label, int) and not isinstance(label, bool) and 0 <= label < count


def wrong_label(row: Row, labels: int, split: str) -> str | None:
    """The rule of rows that have one of the task's labels."""
    known = _in_range(row["label"], labels)
    return None if known else f"label {row['label']!r} is not in 0..{labels - 1}"


def _wrong_choice(row: Row, labels: int, split: str) -> str | None:
    if not isinstance(row["choices"], list | tuple):
        return "the choices are no list"
    if len(row["choices"]) < 2 or not all(map(filled, row["choices"])):
        return "fewer than two choices, or an empty one"
    return wrong_label(row, len(row["choices"]), split)


def _wrong_tags(row: Row, labels: int, split: str) -> str | None:
    if not all(isinstance(row[name] or (), list | tuple) for name in ("tokens", "tags")):
        return "tokens or tags are no list"
    if not all(isinstance(token, str) for token in row["tokens"]):
        return "a token is no text"
    if len(row["tokens"]) != len(row["tags"] or ()):
        return f"{len(row['tokens'])} tokens but {len(row['tags'] or ())} tags"
    if not all(_in_range(tag, labels) for tag in row["tags"]):
        return f"a tag is not in 0..{labels - 1}"
    return None


def _wrong_side(row: Row, labels: int, split: str) -> str | None:
    known = row["side"] in SIDES
    return None if known else f"side {row['side']!r} is none of {', '.join(SIDES)}"


def _wrong_query(row: Row, labels: int, split: str) -> str | None:
    sought = split == "candidates" or row["relevant"] or filled(row["positive"])
    return None if sought else "neither a relevant candidate nor a positive text"


def _wrong_targets(row: Row, labels: int, split: str) -> str | None:
    if not filled(row["language"]):
        return "its language is not said"
    if not isinstance(row["targets"], list | tuple) or not row["targets"]:
        return "there is no text to answer with (`targets`)"
    return None if all(map(filled, row["targets"])) else "one of its `targets` is empty"


def _asked(row: Row) -> Iterator[tuple[str, Texts]]:
    """A question, with its document first."""
    yield "asked", (row["context"], row["question"])
    yield "question", (row["question"],)


def _sought(row: Row) -> Iterator[tuple[str, Texts]]:
    """A query; training rows hold the document."""
    if row.get("positive_pair"):
        yield "asked", (row["positive_pair"], row["text"])
    yield "question", (row["text"],)


def _told(row: Row) -> Iterator[tuple[str, Texts]]:
    """A text and where it has one its pair, of which either may be found alone."""
    if row.get("pair"):
        yield "pair", (row["text"], row["pair"])
    yield "text", (row["text"],)
    if row.get("pair"):
        yield "text", (row["pair"],)


KINDS: dict[str, Spec] = {
    "classification": Spec(
        columns={"text_a": TEXT, "text_b": TEXT, "label": NUMBER},
        reads=("text_a", "text_b"),
        needed=("text_a",),
        tokens=45,
        wrong=wrong_label,
        shape="pair",
    ),
    "multiple_choice": Spec(
        columns={"context": TEXT, "question": TEXT, "choices": pa.list_(TEXT), "label": NUMBER},
        reads=("context", "question", "choices"),
        needed=("context",),
        tokens=350,
        wrong=_wrong_choice,
        shape="choices",
        sequences="several",
    ),
    "span": Spec(
        columns={"context": TEXT, "question": TEXT, "answers": ANSWERS},
        reads=("context", "question"),
        needed=("context", "question"),
        tokens=200,
        shape=_asked,
        sequences="several",
    ),
    "tagging": Spec(
        columns={"tokens": pa.list_(TEXT), "tags": pa.list_(NUMBER)},
        reads=("tokens",),
        needed=(),
        tokens=35,
        wrong=_wrong_tags,
    ),
    "retrieval": Spec(  # text_a of a row translates its text_b
        columns={"text_a": TEXT, "text_b": TEXT},
        reads=("text_a", "text_b"),
        needed=("text_a", "text_b"),
        tokens=50,
        shape="pair",
        scored="matched",
        intermediate=False,
        shuffled=False,
    ),
    "mining": Spec(  # gold: ids of its translations, most often none
        columns={"side": TEXT, "text": TEXT, "gold": IDS},
        reads=("text",),
        needed=("text",),
        tokens=30,
        wrong=_wrong_side,
        scored="mined",
        intermediate=False,
        shuffled=False,
    ),
    # Queries: text, relevant (ids of candidates). Candidates: text, pair (its context). Training:
    # text, positive, positive_pair (the candidate that is right, and its context).
    "ranking": Spec(
        columns={
            **{"text": TEXT, "pair": TEXT, "relevant": IDS},
            **{"positive": TEXT, "positive_pair": TEXT},
        },
        reads=("text", "pair", "positive", "positive_pair"),
        needed=("text",),
        tokens=170,
        wrong=_wrong_query,
        shape=_sought,
        scored="ranked",
        intermediate=False,
    ),
    # What is to be answered, in the language of the source; the first of `targets` is taught.
    "generation": Spec(
        columns={"source": TEXT, "targets": IDS, "language": TEXT},
        reads=("source",),
        needed=("source",),
        tokens=300,
        wrong=_wrong_targets,
        decodes=True,
    ),
    "mlm": Spec(
        columns={"text": TEXT, "pair": TEXT},
        reads=("text", "pair"),
        needed=("text",),
        tokens=128,
        shape=_told,
        scored=None,
        intermediate=False,
        shuffled=False,
    ),
}
