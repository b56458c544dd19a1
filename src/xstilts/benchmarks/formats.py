"""What the readers of `score_files` share: pairs, lines, errors that name file and line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xstilts.core.errors import UserError

LABELS = {
    "xnli": ("contradiction", "entailment", "neutral"),
    "paws_x": ("0", "1"),
    "xcopa": (0, 1),
}


@dataclass(frozen=True)
class Pairs:
    """Predictions and references as a metric reads them, row by row.

    Attributes:
        n: what the score counts: rows, sentences, questions, queries, or gold pairs.
        missing: rows without a prediction; they count as wrong.
        notes: what the official code does without a word, in sentences.
    """

    predictions: list[Any]
    references: list[Any]
    n: int
    missing: int = 0
    notes: list[str] = field(default_factory=list)


def fault(file: Path, what: str, mend: str, line: int | None = None) -> UserError:
    """The error that says what is wrong where in a file."""
    place = f"{file} line {line}" if line else f"{file}"
    return UserError(f"{place}: {what}. Mend: {mend}")


def text_of(file: Path) -> str:
    """The whole file; raises UserError where it cannot be read or is not UTF-8."""
    try:
        return file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        raise fault(file, f"cannot be read ({error.strerror})", "give a file") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise fault(file, "is not UTF-8", "save it as UTF-8", line) from error


def lines(file: Path) -> list[str]:
    """Stripped lines, blank ones too; only \\n ends a line, as for the scripts."""
    found = [line.strip() for line in text_of(file).split("\n")]
    return found if found[-1] else found[:-1]


def same_length(
    ours: list[Any], gold: list[Any], predictions: Path, references: Path, unit: str = "rows"
) -> None:
    """Refuse lists of which one is longer: pairs that slid would give a score, a wrong one."""
    if len(ours) != len(gold):
        what = f"has {len(ours)} {unit}, but {references} has {len(gold)}"
        raise fault(predictions, what, "predict each of the references, in their order")


def numbered(file: Path) -> Iterable[tuple[int, str]]:
    """Lines with their numbers, from 1."""
    return enumerate(lines(file), 1)


def label_of(task: str, file: Path, line: int, label: Any) -> Any:
    """The label, if the task has it."""
    # True == 1 in Python, and a JSON true is no label.
    if label not in LABELS[task] or isinstance(label, bool):
        known = ", ".join(map(str, LABELS[task]))
        raise fault(file, f"{label!r} is no label of {task}", f"use one of {known}", line)
    return label
