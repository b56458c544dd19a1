"""CCG supertagging: the category of each word in CCGbank's derivations, in English.

CCGbank (LDC2005T13) is licensed, so its rows come from your own folder, $XSTILTS_CCG. It has to
hold `ccg.train` and `ccg.dev` in the layout of nyu-mll/jiant: UTF-8, a sentence a line, its words
parted by single spaces, a tab, as many categories parted by single spaces; no head line. Other
files (jiant's tags_to_id.json) are left alone: the categories are those that the two files use.

    Herons sleep .<tab>N S[dcl]\\NP .
"""

from __future__ import annotations

from pathlib import Path

from xstilts.core.errors import UserError
from xstilts.tasks.base import Row, Split, Task

MEMBERS: dict[Split, tuple[str, ...]] = {"train": ("ccg.train",), "validation": ("ccg.dev",)}


def labels(folder: Path) -> tuple[str, ...]:
    """The categories that occur in the two files, in alphabetical order.

    Raises:
        UserError: a file is missing or has another layout.
    """
    found: set[str] = set()
    for (name,) in MEMBERS.values():
        try:
            lines = (folder / name).read_text(encoding="utf-8").split("\n")
            tagged = (line.split("\t")[1] for line in lines if line.strip())
            found.update(tag for tags in tagged for tag in tags.split())
        except (OSError, UnicodeDecodeError, IndexError) as error:
            raise UserError(
                f"{folder / name} is not as expected ({type(error).__name__}). "
                "Mend: a sentence a line: words, a tab, their categories"
            ) from error
    return tuple(sorted(found))


def convert(row: Row, language: str) -> Row:
    """Words and categories; that there are as many of both is checked for all tagging tasks."""
    return {"tokens": row["tokens"], "tags": row["tags"]}


TASK = Task(
    name="ccg",
    title="CCG",
    description="The lexical category of each word: a supertag that nearly is a parse.",
    kind="tagging",
    dataset="ldc/ccgbank",
    revision=None,
    licence="LDC User Agreement (LDC2005T13)",
    reference="https://aclanthology.org/J07-3004",
    languages=("en",),
    train_languages=("en",),
    splits={},
    members=MEMBERS,
    parse="tagged",
    place="XSTILTS_CCG",
    obtain="Get CCGbank (LDC2005T13) from https://catalog.ldc.upenn.edu and write ccg.train and "
    "ccg.dev as src/xstilts/tasks/ccg.py says.",
    convert=convert,
    labels_from=labels,
    metric="tag_accuracy",
    chance=0.0,  # no guess among more than a thousand categories is worth a number
    train_rows={"en": 38_015},  # as recalled of Phang et al. 2020
    evaluation="validation",
)
