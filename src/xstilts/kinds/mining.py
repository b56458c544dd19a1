"""Mining of translations (BUCC): nothing is trained; pairs are found in two lists of sentences.

Embeddings are made in evaluation/embed.py, pairs and threshold in evaluation/search.py.
"""

from __future__ import annotations

from xstilts.kinds.base import Row


def texts(row: Row) -> list[tuple[str, str | None]]:
    """The sentence."""
    return [(row["text"], None)]


def sides(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """The foreign and the English sentences, each in the order of the rows."""
    foreign = [row for row in rows if row["side"] == "foreign"]
    return foreign, [row for row in rows if row["side"] == "english"]


def pairs(foreign: list[Row], english: list[Row]) -> list[tuple[int, int]]:
    """(foreign row, English row) of the true pairs; ids of no English row are left out."""
    places = {row["id"]: place for place, row in enumerate(english)}
    return [
        (number, places[name])
        for number, row in enumerate(foreign)
        for name in row["gold"]
        if name in places
    ]


def references(rows: list[Row], labels: list[str]) -> list[list[str]]:
    """Of each foreign sentence the ids of the English ones that translate it, often none."""
    return [list(row["gold"]) for row in sides(rows)[0]]
