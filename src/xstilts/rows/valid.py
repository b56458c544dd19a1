"""What must hold for a row: its texts, label, answers and ids are there and fit together. Pure.

Used by `read`, for every row that a study reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from xstilts.core.errors import UserError
from xstilts.kinds.spec import KINDS, filled
from xstilts.tasks.base import Row, Split, Task

SURROGATE = re.compile("[\ud800-\udfff]")
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
    kind = KINDS[task.kind]
    for name in kind.plain:
        if not isinstance(row.get(name), str | None):
            return f"{name} is no text"
    if not _whole(row):
        return "half of a surrogate pair, which UTF-8 cannot hold"
    for name in kind.needed:
        if not filled(row[name]):
            return f"{name} is empty"
    return kind.wrong(row, len(task.labels), split)


def _whole(value: object) -> bool:
    """Whether all texts in a value can be written as UTF-8; JSON's `\\ud83d` alone cannot."""
    if isinstance(value, str):
        return value.isascii() or not SURROGATE.search(value)
    if isinstance(value, dict):
        return all(map(_whole, value.values()))
    return not isinstance(value, list | tuple) or all(map(_whole, value))
