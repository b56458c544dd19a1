"""The appendix on protocols: what `xstilts protocol` says, for the study's own tasks."""

from __future__ import annotations

import fake_study
import pytest

from xstilts.benchmarks import compare, described, protocols
from xstilts.report import protocol_tables
from xstilts.report.data import Results


def results(protocol: str) -> Results:
    """A study of all targets of a protocol; the appendix reads its params alone."""
    return Results(fake_study.large(protocol), [], [], [], {})


@pytest.mark.parametrize("name", ["xtreme", "xtreme-r", "x-stilts"])
def test_the_appendix_has_every_line_of_the_studys_tasks(name: str) -> None:
    """One source for terminal and report: a line that is in the one is in the other."""
    found = results(name)
    (table,) = protocol_tables.build(found)
    assert table.name == f"protocol-{name}"
    own = protocol_tables.own_tasks(found.params, name)
    assert set(found.params.targets) <= set(own)
    said = {(row["task"], row["part"], row["text"]) for row in table.records}
    for task in own:
        for part, text, _ in described.lines(protocols.get(name))[task]:
            assert (task, part, text) in said
    assert any(row["source"] for row in table.records)
    assert any(row["part"] == "we differ" for row in table.records)


def test_what_the_study_does_otherwise_is_said_beside_the_line() -> None:
    """A reader of the report sees the departure where the published value stands."""
    found = results("xtreme")
    (table,) = protocol_tables.build(found)
    own = {row["task"]: row["text"] for row in table.records if row["part"] == "this study"}
    unlike = compare.target_differences(found.params.targets["xnli"])
    assert unlike
    assert all(text in own["xnli"] for text in unlike)


def test_a_study_of_made_up_targets_follows_no_protocol() -> None:
    """The control world names a protocol for its scoring; nothing published is trained so."""
    assert list(protocol_tables.build(Results(fake_study.params(), [], [], [], {}))) == []
