"""Score rows: what is refused, what survives a round trip, and the check of the grid.

Run: python -m pytest tests/results/test_scores.py
"""

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from xstilts.core.errors import UserError
from xstilts.results import scores

ROW = scores.ScoreRow(
    study="demo",
    run="qa-qaa-1000-s1",
    method="single",
    variant="",
    task="qa",
    source_language="qaa",
    size=1000,
    seed=1,
    target="paraphrase",
    language="qab",
    metric="accuracy",
    main=True,
    value=62.5,
    n=8,
    chance=50.0,
    collapsed=False,
    protocol="xtreme",
    data_sha="d" * 64,
    model_sha="m" * 64,
)


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps({"rows": rows}))
    return path


def test_rows_survive_json_and_arrow(tmp_path: Path) -> None:
    """What a run writes is what the aggregate reads, field by field."""
    rows = [ROW, replace(ROW, language="qac", value=0.0, collapsed=True)]
    path = tmp_path / "scores.json"
    path.write_text(json.dumps(scores.to_json(rows)))
    assert scores.from_json(path) == rows
    table = scores.to_table(rows, "c")
    assert table.schema.equals(scores.SCHEMA, check_metadata=True)
    assert set(table["code_sha"].to_pylist()) == {"c"}
    again = table.drop_columns(["code_sha"]).to_pylist()
    assert [scores.ScoreRow(**row) for row in again] == rows


def test_the_order_of_rows_does_not_change_the_table() -> None:
    """Runs finish in any order, and dvc.lock holds the bytes of the table."""
    rows = [replace(ROW, run=run, language=lang) for run in "ba" for lang in ("x", "w")]
    assert scores.to_table(rows, "c").equals(scores.to_table(rows[::-1], "c"))


def test_no_rows_make_an_empty_table() -> None:
    """A study may have no runs yet; its table still has its columns."""
    assert scores.to_table([], "c").schema == scores.SCHEMA


@pytest.mark.parametrize("schema", [scores.SCHEMA, scores.PREDICTIONS_SCHEMA])
def test_each_column_is_described_and_null_only_where_it_says_so(schema: pa.Schema) -> None:
    """The schema is the documentation of the files."""
    for column in schema:
        told = column.metadata[b"description"]
        assert told, column.name
        assert column.nullable == (b"null" in told), column.name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": 100.1}, "value is 100.1, not within 0 and 100"),
        ({"value": -1.0}, "value is -1.0"),
        ({"value": math.nan}, "value is nan"),
        ({"value": "62.5"}, "value is '62.5', not of type float"),
        ({"n": 0}, "n is 0"),
        ({"n": True}, "n is True, not of type int"),
        ({"main": 1}, "main is 1, not of type bool"),
        ({"run": None}, "run is None"),
    ],
)
def test_a_row_that_would_spoil_an_average_is_refused(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """In code as ValueError; in a file as a message that names file, row and field."""
    with pytest.raises(ValueError, match=message):
        replace(ROW, **change)
    path = _write(tmp_path / "scores.json", [asdict(ROW), asdict(ROW) | change])
    with pytest.raises(UserError, match=rf"scores\.json, row 1: {message}.*Mend: "):
        scores.from_json(path)


def test_a_whole_number_is_a_good_value() -> None:
    """Some JSON writers turn 50.0 into 50."""
    row = replace(ROW, value=50)
    assert type(row.value) is float
    assert row.value == 50


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1], "no list 'rows'"),
        ({"rows": [3]}, "row 0: is no JSON object"),
        ({"rows": [{**asdict(ROW), "extra": 1}]}, "unknown: extra"),
        ({"rows": [{k: v for k, v in asdict(ROW).items() if k != "seed"}]}, "missing: seed"),
    ],
)
def test_a_file_of_another_shape_is_refused(content: Any, message: str, tmp_path: Path) -> None:
    """A file of an older version must not be read half."""
    path = tmp_path / "scores.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=message):
        scores.from_json(path)


GRID = [(run, "paraphrase", language) for run in ("a", "b") for language in ("x", "y")]


def _rows(cells: list[tuple[str, str, str]]) -> list[scores.ScoreRow]:
    return [replace(ROW, run=run, target=target, language=lang) for run, target, lang in cells]


def test_a_full_grid_passes_with_minor_values() -> None:
    """Each cell has one main row; exact match beside F1 makes no second cell."""
    rows = _rows(GRID)
    minor = [replace(row, metric="exact_match", main=False) for row in rows]
    scores.check_cells(rows + minor, GRID)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (_rows(GRID[1:]), r"1 missing: a/paraphrase/x\."),
        (_rows(GRID + GRID[:1]), r"1 double: a/paraphrase/x\."),
        (
            [*_rows(GRID), replace(_rows(GRID)[0], metric="f1")],
            r"1 double: a/paraphrase/x\.",
        ),
        (
            [replace(_rows(GRID)[0], main=False), *_rows(GRID[1:])],
            r"1 missing: a/paraphrase/x\.",
        ),
        (
            _rows([*GRID, ("c", "paraphrase", "x"), ("c", "paraphrase", "y")]),
            r"1 of no run in the study \(run\): c\.",
        ),
        (_rows([*GRID, ("a", "nli", "x")]), r"1 not in the study: a/nli/x\."),
    ],
    ids=["missing", "double", "two mains", "no main", "strange run", "strange cell"],
)
def test_a_cell_too_few_or_too_many_is_named(rows: list[scores.ScoreRow], message: str) -> None:
    """A mean over a grid with a hole or a double compares different things."""
    with pytest.raises(UserError, match=message + r" Mend: "):
        scores.check_cells(rows, GRID)


def test_many_missing_cells_are_counted_and_the_first_named() -> None:
    """Names of thousands of cells would hide the message."""
    grid = [("a", "t", f"l{number:02}") for number in range(12)]
    with pytest.raises(UserError, match=r"12 missing: a/t/l00, .*a/t/l04 and 7 more\.") as caught:
        scores.check_cells([], grid)
    assert "l05" not in str(caught.value)


@pytest.mark.parametrize(
    ("predictions", "expected"),
    [
        ([1, 1, 1], True),
        ([1, 0, 1], False),
        (["", "", ""], True),
        (["", None], False),
        ([["O", "O"], ["O"]], True),
        ([["O", "B-PER"], ["O"]], False),
        ([1], False),
        ([], False),
    ],
)
def test_one_class_for_everything_is_a_collapse(predictions: list[Any], expected: bool) -> None:
    """Collapsed runs are flagged; one example alone shows nothing."""
    assert scores.collapsed(predictions) is expected
