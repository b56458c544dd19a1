"""Mewsli-X: which of a million entities is meant? Mentions in news, descriptions in 50 languages.

From the hub's copy of the release of May 2022, in which each mention is one sentence marked up as
XTREME-R's script does it: `Smith: The verdict came back for { Smith }, who ...`. Scores on it are
not those of the paper, which had an earlier release.
"""

from __future__ import annotations

from xstilts.tasks.base import Row, Task


def convert(row: Row, language: str) -> Row:
    """A candidate, or a mention: with the id of its entity, or to train on with its description."""
    if "mention" not in row:
        own = {"id": row["entity_id"], "text": row["description"], "relevant": []}
        return {**own, "pair": None, "positive": None, "positive_pair": None}
    named = {"id": str(row["example_id"])} if row.get("example_id") else {}
    return {
        **named,
        "text": row["mention"],
        "pair": None,
        "relevant": [row["entity_id"]] if row.get("entity_id") else [],
        "positive": row.get("entity"),
        "positive_pair": None,
    }


TASK = Task(
    name="mewsli_x",
    title="Mewsli-X",
    description="Which entity, by its description in any language, does a mention in news mean?",
    kind="ranking",
    dataset="izhx/mewsli-x",
    revision="7e3723faa15c6d84cfd56d66cf6cd347be8ad00e",
    licence="apache-2.0",
    reference="https://aclanthology.org/2021.emnlp-main.802",
    languages=("ar", "de", "en", "es", "fa", "ja", "pl", "ro", "ta", "tr", "uk"),
    train_languages=("en",),
    config="{language}",
    splits={
        "train": "wikipedia_pairs/train",
        "validation": "wikipedia_pairs/validation",
        "test": "test",
        "candidates": "candidate_entities/test",
    },
    convert=convert,
    metric="map_at_20",
    chance=0.0,  # one right one among 1,003,893
    train_rows={"en": 167_719},
    evaluation="test",
    protocols=("xtreme-r",),
)
