"""Published aggregates: equal to the official `evaluate.py`, and never over a part."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from statistics import stdev
from typing import Any

import pytest

from xstilts.benchmarks import aggregates, protocols
from xstilts.benchmarks.aggregates import Line
from xstilts.results.scores import ScoreRow

NAMES = {"pawsx": "paws_x", "panx": "wikiann", "bucc2018": "bucc", "mewslix": "mewsli_x"}
VALUES = {"map@20": "map_at_20"}
LEVELS = {"tagging": "structured"}  # as the protocol calls the group, after the paper
ROW = ScoreRow(
    study="s", run="none-s1", method="none", variant="", task="none", source_language="none",
    size=0, seed=1, target="xnli", language="en", metric="accuracy", main=True, value=50.0, n=10,
    chance=33.3, collapsed=False, protocol="xtreme", data_sha="d", model_sha="m",
)  # fmt: skip


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    """What the official script says of its own mock submission."""
    place = os.environ.get("XSTILTS_GOLDEN")
    if not place:
        pytest.skip("XSTILTS_GOLDEN names no folder with the official scripts' numbers")
    content: dict[str, Any] = json.loads(
        (Path(place) / "xtreme_mock/expected.json").read_text(encoding="utf-8")
    )
    return content


def values(report: dict[str, Any]) -> dict[str, dict[str, dict[str, float]]]:
    """The official report's scores in single languages, under our names."""
    out: dict[str, dict[str, dict[str, float]]] = {}
    for task, content in report.items():
        for metric, by_language in content.items() if isinstance(content, dict) else ():
            for language, value in by_language.items() if isinstance(by_language, dict) else ():
                cell = out.setdefault(NAMES.get(task, task), {}).setdefault(language, {})
                cell[VALUES.get(metric, metric)] = float(value)
    return out


def by_name(lines: list[Line]) -> dict[tuple[str, str], Line]:
    return {(line.name, line.metric): line for line in lines}


@pytest.mark.parametrize(
    ("protocol", "version"), [("xtreme", "seqeval_0.0.12"), ("xtreme-r", "seqeval_any")]
)
def test_all_aggregates_are_those_of_the_official_script(
    golden: dict[str, Any], protocol: str, version: str
) -> None:
    """Task means, QA as the mean of F1 and exact match, groups, the whole."""
    report = golden[protocol][version]
    own = by_name(aggregates.lines(protocols.get(protocol), values(report)))
    compared = 0
    for name, content in report.items():
        if isinstance(content, dict):
            task = NAMES.get(name, name)
            assert own[task, "score"].value == pytest.approx(content["avg_metric"], abs=1e-9)
            for value in ("f1", "exact_match"):
                if (task, value) in own:
                    expected = content[f"avg_{value}"]
                    assert own[task, value].value == pytest.approx(expected, abs=1e-9)
        else:
            ours = {"all_task": "all", **LEVELS}.get(name, name)
            assert own[ours, "score"].value == pytest.approx(content, abs=1e-9)
        compared += 1
    assert compared == len(report) >= 7


def full(name: str = "xtreme", value: float = 50.0) -> dict[str, dict[str, dict[str, float]]]:
    """Every value that a protocol asks for."""
    protocol = protocols.get(name)
    return {
        task: {one: dict.fromkeys(protocol.values[task], value) for one in languages}
        for task, languages in protocol.languages.items()
    }


@pytest.mark.parametrize("name", sorted(protocols.PROTOCOLS))
def test_a_whole_benchmark_has_every_aggregate(name: str) -> None:
    """Nothing is missing where nothing is missing."""
    lines = aggregates.lines(protocols.get(name), full(name))
    assert {line.value for line in lines} == {50.0}
    assert {line.missing for line in lines} == {""}
    assert lines[-1].level == "all"


def test_one_language_too_few_takes_its_group_and_the_whole_away() -> None:
    """A mean over thirteen of fifteen languages is another number; the two are named."""
    part = full()
    del part["xnli"]["sw"]
    del part["xnli"]["ur"]
    lines = by_name(aggregates.lines(protocols.get("xtreme"), part))
    for name in ("xnli", "classification", "all"):
        assert lines[name, "score"].value is None
        assert lines[name, "score"].missing == "xnli in sw ur"
    assert lines["paws_x", "score"].value == lines["qa", "score"].value == 50.0


def test_a_missing_task_and_a_missing_value_are_named() -> None:
    """Exact match is half of a QA score."""
    part = full()
    del part["bucc"]
    del part["xquad"]["th"]["exact_match"]
    lines = by_name(aggregates.lines(protocols.get("xtreme"), part))
    assert lines["all", "score"].missing == "xquad in th; bucc"
    assert lines["retrieval", "score"].missing == "bucc"
    assert lines["qa", "score"].value is None


def test_languages_and_tasks_outside_the_list_do_not_count() -> None:
    """Romanian XQuAD belongs to XTREME-R alone."""
    more = full()
    more["xquad"]["ro"] = {"f1": 0.0, "exact_match": 0.0}
    more["xcopa"] = {"et": {"accuracy": 0.0}}
    lines = by_name(aggregates.lines(protocols.get("xtreme"), more))
    assert lines["all", "score"].value == 50.0
    assert ("xcopa", "score") not in lines


def test_rows_of_a_setting_are_over_its_seeds() -> None:
    """Mean and sample deviation over runs; a run has no deviation."""
    scores = [
        replace(ROW, run=f"none-s{seed}", seed=seed, language=language, value=value)
        for seed, value in ((1, 40.0), (2, 60.0))
        for language in protocols.get("xtreme").languages["xnli"]
    ]
    rows = [row for row in aggregates.rows("s", scores) if row["name"] == "xnli"]
    assert [(row["run"], row["seeds"], row["value"]) for row in rows] == [
        ("", 2, 50.0),
        ("none-s1", 1, 40.0),
        ("none-s2", 1, 60.0),
    ]
    assert rows[0]["sd"] == pytest.approx(stdev([40.0, 60.0]), abs=1e-5)
    assert rows[1]["sd"] is None
    assert rows[0].keys() == set(aggregates.SCHEMA.names)


def test_one_run_too_small_takes_the_settings_value_away() -> None:
    """A mean over the seeds that happen to be whole would hide the hole."""
    scores = [
        replace(ROW, run=f"none-s{seed}", seed=seed, language=language)
        for seed in (1, 2)
        for language in protocols.get("xtreme").languages["xnli"]
        if (seed, language) != (2, "sw")
    ]
    rows = [row for row in aggregates.rows("s", scores) if row["name"] == "xnli"]
    assert [(row["value"], row["missing"]) for row in rows] == [
        (None, "xnli in sw"),
        (50.0, ""),
        (None, "xnli in sw"),
    ]


def test_made_up_targets_have_no_published_aggregate() -> None:
    """The control world names a protocol for its rules of scoring, and is no benchmark."""
    assert aggregates.rows("s", [replace(ROW, target="world_new_tags")]) == []


def test_every_column_is_described() -> None:
    """The schema is the documentation of the file."""
    assert all(column.metadata[b"description"] for column in aggregates.SCHEMA)
