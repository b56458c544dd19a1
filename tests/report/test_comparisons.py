"""The tables of ours against published: what stands in one table is of one kind, and says it.

Run: python -m pytest tests/report/test_comparisons.py
"""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import fake_study
import pytest

from xstilts.benchmarks import aggregates
from xstilts.benchmarks.signature import SCORERS
from xstilts.core import paths
from xstilts.core.params import Params, Target
from xstilts.core.progress import Observe
from xstilts.report import published
from xstilts.report.data import Results, load
from xstilts.report.table import Table, latex
from xstilts.stages import aggregate

RECALLED, DERIVED = "?", "≈"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Results:
    """All tasks and targets of the paper, by the protocol x-stilts, with two seeds."""
    folder = tmp_path_factory.mktemp("compared")
    params = fake_study.large(seeds=(1, 2), sizes=(100_000,))
    shutil.copy(root / "references.yaml", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        fake_study.write(params, examples=6)
        aggregate.run(params, "fake", Observe(quiet=True))
        return load(params, paths.aggregated("fake"))


def with_targets(results: Results, **changes: dict[str, str]) -> Results:
    """The same scores in a study with other targets."""
    targets = {
        name: Target(**(target.model_dump() | changes.get(name, {})))
        for name, target in results.params.targets.items()
    }
    params = Params.model_construct(**{**dict(results.params), "targets": targets})
    rows = aggregates.unmixed(results.benchmark, targets)
    return replace(results, params=params, benchmark=rows)


def tables(results: Results) -> dict[str, Table]:
    return {table.name: table for table in published.build(results)}


def test_a_cell_has_theirs_ours_and_the_difference(results: Results) -> None:
    """And the three fit each other, as the reader will see when subtracting."""
    table = tables(results)["comparison-x-stilts"]
    row = next(row for row in table.rows if row[0].text == "XLM-R Large (xtreme)")
    assert row[1].text == "none"
    entry = row[list(table.header).index("xnli")]
    told = re.fullmatch(r"ours (\d+\.\d) ± \d+\.\d \(([+−])(\d+\.\d)\)", entry.small)
    assert told
    difference = float(told[3]) * (1 if told[2] == "+" else -1)
    assert float(told[1]) - float(entry.text) == pytest.approx(difference, abs=0.11)
    own = next(
        row
        for row in results.benchmark
        if (row["group"], row["name"], row["run"]) == ("none", "xnli", "")
    )
    assert told[1] == f"{own['value']:.1f}"


def test_what_was_not_verified_is_marked_and_the_marks_are_explained(results: Results) -> None:
    """By a sign, as colour is lost in print."""
    for table in tables(results).values():
        if table.name == "references":
            continue
        marks = {entry.mark for row in table.rows for entry in row}
        assert any(RECALLED in mark for mark in marks)
        assert "? is recalled" in table.caption
        for mark in "".join(marks):
            assert f"{mark} " in table.caption
    compared = tables(results)["comparison-x-stilts"]
    for record in compared.records:
        assert record["source"]
        assert record["status"] in ("verified", "recalled", "derived")


def test_every_caution_is_in_the_caption_once(results: Results) -> None:
    """A group is marked for a task, too, whose own score was not published."""
    table = tables(results)["comparison-x-stilts"]
    said = {part for record in table.records for part in record["caution"].split(" | ") if part}
    assert len(said) >= 2
    assert all(table.caption.count(part) == 1 for part in said)


def test_what_is_not_of_one_kind_stands_apart_with_the_reason(results: Results) -> None:
    """Validation rows of the paper's baseline never meet our test rows."""
    made = tables(results)
    together, apart = made["comparison-x-stilts"], made["incomparable-x-stilts"]
    assert not any(record["unlike"] for record in together.records)
    for record, row in zip(apart.records, apart.rows, strict=True):
        assert record["difference"] is record["ours"] is None
        assert row[3].text == record["unlike"] != ""
    assert any("xnli: rows validation, not test" in record["unlike"] for record in apart.records)
    beside = {row[0].text: row for row in made["benchmark-x-stilts"].rows}
    baseline = beside["XLM-R Large, X-STILTs baseline"]
    shown = {name for name, entry in zip(made["benchmark-x-stilts"].header, baseline, strict=True)
             if entry.text}  # fmt: skip
    assert shown == {"setting", "xquad", "tydiqa", "tatoeba"}  # these have no other rows


def test_a_study_of_some_rows_has_tables_that_say_so_and_no_empty_one(results: Results) -> None:
    """Their names go into `\\input{}` and shells; a task in some languages has no official mean."""
    limited = {"xnli": {"score_limit": 300}, "tydiqa": {"score_limit": 60}}
    changed = with_targets(results, **limited)
    whole = [row for row in changed.benchmark if row["name"] != "xnli" or row["level"] != "task"]
    made = tables(replace(changed, benchmark=whole))
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in made)
    assert list(made["benchmark-x-stilts-test-60-of-a-language"].header)[1] == "tydiqa"
    assert "benchmark-x-stilts-test-300-of-a-language" not in made
    alone = made["benchmark-x-stilts-test-60-of-a-language"].rows
    assert "published scores" not in [row[0].text for row in alone]


def test_tasks_on_validation_rows_have_a_table_of_their_own(results: Results) -> None:
    """And then jiant's BUCC, which is on these, can be compared; no mean joins the two."""
    made = tables(with_targets(results, bucc={"split": "validation"}))
    assert "bucc" not in made["benchmark-x-stilts"].header
    other = made["benchmark-x-stilts-validation"]
    assert list(other.header) == ["setting", "bucc", "retrieval", "all"]
    assert {row[2].text for row in other.rows if row[0].text == "none"} == {"–"}
    compared = made["comparison-x-stilts"].records
    jiant = {row["name"]: row for row in compared if row["system"] == "XLM-R Large, jiant"}
    assert jiant["bucc"]["difference"] is not None
    assert {row["why"] for row in compared if row["name"] == "all"} == set()


def test_names_of_scorers_are_explained_where_they_set_numbers_apart(results: Results) -> None:
    """`margin/cls` alone says little."""
    apart = tables(with_targets(results, bucc={"pooling": "cls"}))["incomparable-x-stilts"]
    assert any("margin/mean, not margin/cls" in record["unlike"] for record in apart.records)
    for name in ("margin/mean", "margin/cls"):
        assert f"{name}: {SCORERS[name]}" in apart.caption


def test_the_tables_go_into_a_paper(results: Results) -> None:
    """Every line of the LaTeX has as many cells as the header."""
    for table in tables(results).values():
        body = [line for line in latex(table).splitlines() if line.endswith(r"\\")]
        assert len({line.count(" & ") for line in body}) == 1
        assert not re.search(r"(?<!\\)_", "\n".join(body))
