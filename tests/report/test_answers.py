"""What a study answers, as tables: short for people, whole for machines."""

from __future__ import annotations

import fake_study
import pytest

from xstilts.core import paths
from xstilts.core.progress import Observe
from xstilts.report import answers, tables
from xstilts.report.data import Results, load
from xstilts.report.table import Table
from xstilts.stages import aggregate


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, dict[str, Table]]:
    """The tables of a fake study of several sizes."""
    params = fake_study.params()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("answers"))
        fake_study.write(params, examples=60)
        aggregate.run(params, "fake", Observe(quiet=True))
        results = load(params, paths.aggregated("fake"))
    return results, {table.name: table for table in answers.build(results)}


def test_every_question_with_answers_has_a_table(made: tuple[Results, dict[str, Table]]) -> None:
    """An answer that is computed and not shown was computed for nothing."""
    results, found = made
    shown = {row["question"] for table in found.values() for row in table.records}
    assert shown == {row["question"] for row in results.questions}
    assert set(found) <= set(tables.build(results))


def test_a_cell_is_its_answer(made: tuple[Results, dict[str, Table]]) -> None:
    """Value, interval and the interval of languages like these come from one row."""
    results, found = made
    table = found["normalised"]
    row = next(one for one in table.records if one["target"] == results.targets[0])
    line = next(line for line in table.rows if line[0].text == row["subject"])
    entry = line[1 + table.header[1:].index(row["target"])]
    assert entry.text.lstrip("+−") == f"{abs(row['value']):.1f}"
    assert f"{abs(row['low']):.1f}" in entry.small
    assert f"{abs(row['like_high']):.1f}" in entry.title


def test_first_size_says_at_how_many_sizes(made: tuple[Results, dict[str, Table]]) -> None:
    """A gain at one size of three, told by luck, must not read as a threshold."""
    _, found = made
    texts = {
        entry.text + " " + entry.small for row in found["first-size"].rows for entry in row[1:]
    }
    assert texts
    assert all("of" in text for text in texts)


def test_gaps_say_their_change_too(made: tuple[Results, dict[str, Table]]) -> None:
    """A gap alone says nothing of the intermediate task: `none` has one as well."""
    _, found = made
    none, *others = found["transfer-gap"].rows
    assert none[0].text == "none"
    assert not any(entry.small for entry in none[1:])
    assert all(entry.small[0] in "+−" for row in others for entry in row[1:] if entry.text != "–")


@pytest.mark.parametrize("name", ["gain-by-distance", "normalised", "transfer-gap"])
def test_a_table_says_which_sizes_it_leaves_out(
    name: str, made: tuple[Results, dict[str, Table]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A size that is not there must not look like one that was not run; machines get all."""
    results, found = made
    whole = found[name]
    assert answers.HIDDEN not in whole.caption
    monkeypatch.setattr(answers, "MANY", 2)
    short = next(table for table in answers.build(results) if table.name == name)
    assert len(short.rows) < len(whole.rows)
    assert short.caption == whole.caption + answers.HIDDEN
    assert short.records == whole.records
