"""Counts of prepared rows, and the hashes by which rows are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xstilts import tasks
from xstilts.kinds.spec import KINDS
from xstilts.rows import counts, leaks, read
from xstilts.rows.counts import describe


def span(name: str, answers: list[Any]) -> dict[str, Any]:
    return {"id": name, "context": "Orla sleeps.", "question": "Who?", "answers": answers}


def test_what_a_language_filter_left_out_is_counted() -> None:
    """TyDi QA's file holds nine languages: training on all would not be zero-shot."""
    rows = read.Rows([span("1", [{"text": "Orla", "start": 0}]), span("2", [])])
    counts = describe(tasks.load("tydiqa"), rows)
    assert (counts["rows"], counts["unique_inputs"], counts["unanswerable"]) == (2, 1, 1)
    assert not {"elsewhere", "unmatched", "labels"} & counts.keys()
    rows.elsewhere, rows.unmatched = 46185, 3
    counts = describe(tasks.load("tydiqa"), rows)
    assert (counts["elsewhere"], counts["unmatched"]) == (46185, 3)


def test_labels_are_counted_by_row_and_by_token() -> None:
    """A skewed or missing class is seen before anything is trained."""
    task = tasks.load("mnli")
    rows = read.Rows([{"id": "1", "text_a": "a", "text_b": "b", "label": 1}])
    labels = counts.describe(task, rows)["labels"]
    assert list(labels) == list(task.labels)
    assert list(labels.values()) == [0, 1, 0]
    tags = read.Rows([{"id": "1", "tokens": ["a", "b"], "tags": [1, 1]}])
    assert sum(counts.describe(tasks.load("udpos"), tags)["labels"].values()) == 2


def test_no_rows_are_counted_as_such() -> None:
    """A mean over nothing would be an error, or no number."""
    counts = describe(tasks.load("mnli"), read.Rows())
    assert (counts["rows"], counts["mean_chars"], counts["max_chars"]) == (0, 0.0, 0)


@pytest.mark.parametrize(
    ("one", "other"),
    [(("ab",), ("a", "b")), (("a", ""), ("a",)), ((), ("",)), (("a", "b"), ("b", "a"))],
)
def test_texts_are_hashed_with_their_bounds(one: Any, other: Any) -> None:
    """A premise that ends where another begins is not the same pair."""
    assert leaks.digest(one) != leaks.digest(other)
    assert leaks.digest(one) == leaks.digest(list(one))
    assert len(leaks.digest(one)) == leaks.HASH


def test_broken_characters_have_a_hash() -> None:
    """Half a character (a lone surrogate) in a source must not stop the check."""
    assert leaks.digest(["\ud800"]) != leaks.digest(["?"])


def test_rows_are_found_among_a_tasks_training_rows(tmp_path: Path) -> None:
    """Exact, normalised, and by the first text alone, each at least as often as the one before."""
    train = [("The door.", "It."), ("...", "It.")]
    test = [("The door.", "It."), ("the  DOOR", "it!"), ("The door.", "Else."), ("!?", "It.")]
    pq.write_table(pa.table({"id": ["0", "1", "2", "3"]}), tmp_path / "rows.parquet")

    def sheet(pairs: list[tuple[str, str]]) -> leaks.Sheet:
        rows = [{"id": str(n), "text_a": a, "text_b": b} for n, (a, b) in enumerate(pairs)]
        return leaks.sheet(tmp_path / "rows.parquet", rows, KINDS["classification"].whole)

    own = counts.own_leaks({"train": {"en": sheet(train)}, "test": {"en": sheet(test)}})
    assert own == {"test": {"en": {"exact": 1, "normalised": 2, "shared_first_text": 3}}}
