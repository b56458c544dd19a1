"""What must hold for a row: its texts, label, answers and ids are there and fit together. Pure.

Used by `read`, for every row that a study reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from xstilts.core.errors import UserError
from xstilts.rows.schema import NEEDED
from xstilts.tasks.base import Row, Split, Task

# Columns of text or nothing; the ids come from the source where it has some.
TEXTS = (
    *("id", "text_a", "text_b", "context", "question", "text", "pair", "positive"),
    *("positive_pair", "side"),
)
SIDES = ("foreign", "english")  # of a mining row
SURROGATE = re.compile("[\ud800-\udfff]")
NAMED = ("mining", "ranking")  # kinds whose rows name each other by id
MEND = "Mend: put it right at its source, then run `fetch` again"


def make_unique(row: Row, seen: dict[str, int]) -> bool:
    """Put `#2`, `#3` ... behind an id that came before; say whether that was needed."""
    name = row["id"]
    again = name in seen
    while row["id"] in seen:
        seen[name] += 1
        row["id"] = f"{name}#{seen[name]}"
    seen[row["id"]] = 1
    return again


def align(row: Row, place: str, strict: bool = True) -> int:
    """Move answers to their text where the stated start is wrong (in place); say how many.

    The hub's TyDi QA and XQuAD strip contexts and leave the starts as they were. The occurrence
    nearest to the stated start is taken.

    Args:
        strict: False leaves out an answer that does not occur in its context; the row may then be
            without one.

    Raises:
        UserError: an answer does not occur in its context, and `strict` is true.
    """
    moved, kept = 0, []
    for answer in row["answers"]:
        start = _nearest(row["context"], answer["text"], answer["start"])
        if start is None and strict:
            raise UserError(
                f"{place}: the answer {answer['text']!r} does not occur in its context. {MEND}"
            )
        if start is not None:
            moved += start != answer["start"]
            kept.append({**answer, "start": start})
    row["answers"] = kept
    return moved


def _nearest(context: str, text: str, start: int) -> int | None:
    """Where `text` occurs in `context` nearest to `start`; the earlier of two that are as near."""
    if start >= 0 and context[start:].startswith(text):
        return start
    places = _occurrences(context, text)
    return min(places, key=lambda one: (abs(one - start), one), default=None)


def _occurrences(context: str, text: str) -> Iterator[int]:
    """Where `text` starts in `context`, overlaps included; nowhere if it is empty."""
    start = context.find(text) if text else -1
    while start >= 0:
        yield start
        start = context.find(text, start + 1)


def number_tags(row: Row, labels: Mapping[str, int], place: str) -> None:
    """Turn tags that are names into their numbers, in place.

    Raises:
        UserError: a tag is not among the labels.
    """
    try:
        row["tags"] = [labels[tag] if isinstance(tag, str) else tag for tag in row["tags"]]
    except KeyError as error:
        raise UserError(f"{place}: the tag {error} is not among the labels. {MEND}") from error


def check(row: Row, task: Task, place: str, split: Split) -> None:
    """See that a row is one of its kind.

    Raises:
        UserError: an empty text, a label out of range, lists of unequal length.
    """
    wrong = _wrong(row, task, split)
    if wrong:
        raise UserError(f"{place} ({task.name} {row['id']}): {wrong}. {MEND}")


def _wrong(row: Row, task: Task, split: Split) -> str | None:
    """What is wrong with a row, if anything."""
    for name in TEXTS:
        if not isinstance(row.get(name), str | None):
            return f"{name} is no text"
    if not _whole(row):
        return "half of a surrogate pair, which UTF-8 cannot hold"
    for name in NEEDED[task.kind]:
        if not _filled(row[name]):
            return f"{name} is empty"
    if task.kind == "classification" and not _in_range(row["label"], len(task.labels)):
        return f"label {row['label']!r} is not in 0..{len(task.labels) - 1}"
    if task.kind == "multiple_choice":
        return _wrong_choice(row)
    if task.kind == "tagging":
        return _wrong_tags(row, task)
    if task.kind == "mining" and row["side"] not in SIDES:
        return f"side {row['side']!r} is none of {', '.join(SIDES)}"
    sought = task.kind == "ranking" and split != "candidates"
    if sought and not row["relevant"] and not _filled(row["positive"]):
        return "neither a relevant candidate nor a positive text"
    return None


def _wrong_choice(row: Row) -> str | None:
    if not isinstance(row["choices"], list | tuple):
        return "the choices are no list"
    if len(row["choices"]) < 2 or not all(map(_filled, row["choices"])):
        return "fewer than two choices, or an empty one"
    if not _in_range(row["label"], len(row["choices"])):
        return f"label {row['label']!r} is not in 0..{len(row['choices']) - 1}"
    return None


def _wrong_tags(row: Row, task: Task) -> str | None:
    if not all(isinstance(row[name] or (), list | tuple) for name in ("tokens", "tags")):
        return "tokens or tags are no list"
    if not all(isinstance(token, str) for token in row["tokens"]):
        return "a token is no text"
    if len(row["tokens"]) != len(row["tags"] or ()):
        return f"{len(row['tokens'])} tokens but {len(row['tags'] or ())} tags"
    if not all(_in_range(tag, len(task.labels)) for tag in row["tags"]):
        return f"a tag is not in 0..{len(task.labels) - 1}"
    return None


def _whole(value: object) -> bool:
    """Whether all texts in a value can be written as UTF-8; JSON's `\\ud83d` alone cannot."""
    if isinstance(value, str):
        return value.isascii() or not SURROGATE.search(value)
    if isinstance(value, dict):
        return all(map(_whole, value.values()))
    return not isinstance(value, list | tuple) or all(map(_whole, value))


def _filled(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())


def _in_range(label: Any, count: int) -> bool:
    return isinstance(label, int) and not isinstance(label, bool) and 0 <= label < count
