"""XTREME's own mock submission, scored from its files: the whole report of evaluate.py.

Run: XSTILTS_GOLDEN=<folder> python -m pytest tests/metrics/test_golden_report.py
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xstilts.benchmarks import aggregates, protocols, score_files
from xstilts.benchmarks.protocols import Protocol

# Our names -> those of evaluate.py, whose files of a task end in .tsv where not said otherwise.
OFFICIAL = {
    **{"paws_x": "pawsx", "wikiann": "panx", "bucc": "bucc2018", "mewsli_x": "mewslix"},
    **{"structured": "tagging", "all": "all_task", "map_at_20": "map@20"},
}
SUFFIX = dict.fromkeys(("xquad", "mlqa", "tydiqa", "mewslix"), "json") | {"xcopa": "jsonl"}
# benchmark, version in the golden file -> version of seqeval
REPORTS = {
    ("xtreme", "seqeval_0.0.12"): "0.0.12",
    ("xtreme", "seqeval_1.2.2"): "1.2.2",
    ("xtreme-r", "seqeval_any"): "0.0.12",
}
Values = dict[str, dict[str, dict[str, float]]]  # task -> language -> value


def _official(name: str) -> str:
    return OFFICIAL.get(name, name)


def _files(mock: Path, task: str, language: str) -> tuple[Path, Path]:
    """Predictions and labels."""
    file = f"{_official(task)}/test-{language}.{SUFFIX.get(_official(task), 'tsv')}"
    return mock / "predictions" / file, mock / "labels" / file


def _values(mock: Path, rules: Protocol, seqeval: str, known: Any) -> Values:
    """All values of the tasks that the official report has."""
    return {
        task: {
            language: score_files.score(
                task, language, *_files(mock, task, language), rules.name, seqeval
            ).values
            for language in languages
        }
        for task, languages in rules.languages.items()
        if _official(task) in known
    }


def _report(rules: Protocol, values: Values) -> dict[str, Any]:
    """In the form of evaluate.py; token accuracy is ours alone."""
    out: dict[str, Any] = {_official(task): {} for task in values}
    for task, languages in values.items():
        names = next(iter(languages.values())).keys() - {"token_accuracy"}
        for name in names:
            column = {language: found[name] for language, found in languages.items()}
            out[_official(task)][_official(name)] = column
            out[_official(task)][f"avg_{_official(name)}"] = sum(column.values()) / len(column)
    for line in aggregates.lines(rules, values):
        if line.metric == aggregates.SCORE and line.value is not None:
            if line.level == aggregates.TASK:
                out[_official(line.name)]["avg_metric"] = line.value
            else:
                out[_official(line.name)] = line.value
    return out


@pytest.mark.parametrize("which", REPORTS, ids=" ".join)
def test_equals_the_official_report(
    which: tuple[str, str], golden_folder: Path, compared: Callable[..., None]
) -> None:
    """Languages, averages, groups and the overall score, no more of them and no fewer."""
    mock = golden_folder / "xtreme_mock"
    official = json.loads((mock / "expected.json").read_text(encoding="utf-8"))[which[0]][which[1]]
    rules = protocols.get(which[0])
    ours = _report(rules, _values(mock, rules, REPORTS[which], official))
    assert ours.keys() == official.keys()
    for name, found in ours.items():
        compared(f"xtreme_mock {' '.join(which)} {name}", [(found, official[name])])


def test_every_mock_file_is_in_a_report(golden_folder: Path) -> None:
    """The reports above read the files of their protocol's languages; there must be no others."""
    mock = golden_folder / "xtreme_mock"
    expected = json.loads((mock / "expected.json").read_text(encoding="utf-8"))
    reports = {(name, version) for name, of in expected.items() for version in of}
    assert reports - {("xtreme-r", "note")} == REPORTS.keys()
    read = {mock / "expected.json"}
    for name, version in REPORTS:
        for task, languages in protocols.get(name).languages.items():
            if _official(task) in expected[name][version]:
                read |= {file for language in languages for file in _files(mock, task, language)}
    assert {file for file in mock.rglob("*") if file.is_file()} == read
