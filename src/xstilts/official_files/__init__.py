"""Readers of the official file formats of predictions and references, for `xstilts score`.

Formats are those that evaluate.py of google-research/xtreme (commit 838c13b) reads, and for LAReQA,
whose script writes no predictions, JSON as Mewsli-X has it: {question id: [candidate ids, best
first]} against {question id: [relevant ids]}. What is not the format is a UserError that names file
and line; what the official code passes over in silence (ids without a prediction, ids too many) is
passed over too, and said in `Pairs.notes`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from xstilts.official_files import lines, objects
from xstilts.official_files.base import Pairs, fault

READERS: dict[str, Callable[[str, Path, Path], Pairs]] = {
    "xnli": lines.labels,
    "paws_x": lines.labels,
    "xcopa": objects.choices,
    "udpos": lines.tags,
    "wikiann": lines.tags,
    "xquad": objects.answers,
    "mlqa": objects.answers,
    "tydiqa": objects.answers,
    "bucc": lines.pairs,
    "tatoeba": lines.rows,
    "mewsli_x": objects.rankings,
    "lareqa": objects.rankings,
}


def read(task: str, predictions: Path, references: Path) -> Pairs:
    """Both files of one task (our name) and language.

    Raises:
        UserError: a file is missing, is not in the task's format, or the two do not fit.
    """
    pairs = READERS[task](task, predictions, references)
    if not pairs.references:
        raise fault(references, "there are no rows", "give the file with the gold labels")
    return pairs
