"""The table of claims: answered ones first, full precision for machines; and what is recorded."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import fake_study
import pytest

from xstilts.claims.answers import Answer
from xstilts.claims.entries import Claim
from xstilts.claims.evidence import Estimate, Number
from xstilts.core import paths
from xstilts.core.errors import UserError
from xstilts.core.files import read_json
from xstilts.core.params import Params
from xstilts.core.progress import Observe
from xstilts.report import claims, tables
from xstilts.report.data import load
from xstilts.stages import aggregate, report

QUIET = Observe(quiet=True)
CLAIMS = """
- id: mnli_helps
  text: MNLI helps in this study, too, & so on.
  status: recalled
  source: Somebody 2020
  where: table 3
  url: https://arxiv.org/abs/2005.13013
  published: 7.5
  check: {gain: {of: {task: mnli}, above: 0}}
- id: facts_help
  text: Facts help on both targets.
  status: own
  source: a test
  check: {gain: {of: {task: facts}, target: [fact_qa, paraphrase], above: 0}}
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """A study with its aggregate, in the working folder."""
    monkeypatch.chdir(tmp_path)
    params = fake_study.params({"facts": [1000, 16000]}, seeds=(1, 2, 3))
    fake_study.write(params, examples=100)
    aggregate.run(params, "fake", QUIET)
    return params


def test_the_report_holds_answers_and_their_table(study: Params) -> None:
    """As JSON, CSV and LaTeX; claims.yaml is among what the record says was read."""
    Path("claims.yaml").write_text(CLAIMS)
    made = report.run(study, "fake", QUIET)
    assert "claims.yaml" in made["inputs"]
    assert {"tables/claims.csv", "tables/claims.tex"} <= set(made["artifacts"])
    recorded = read_json(paths.answers("fake"))["claims"]
    assert {name: one["verdict"] for name, one in recorded.items()} == {
        "facts_help": "reproduced",
        "mnli_helps": "not run",
    }
    with (paths.report("fake") / "tables/claims.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["id"] for row in rows] == ["facts_help", "mnli_helps"]
    assert float(rows[0]["low"]) == recorded["facts_help"]["low"] > 0
    (table,) = [tables.build(load(study, paths.aggregated("fake")))["claims"]]
    facts, mnli = ([entry.text for entry in row] for row in table.rows)
    assert facts[1:] == ["reproduced", f"+{float(rows[0]['value']):.1f}", "–", "a test"]
    assert mnli[1:] == ["not run", "–", "7.5", "Somebody 2020, table 3"]
    assert table.rows[0][2].small.endswith(", mean of 2, all agree")
    assert r"too, \& so on" in (paths.report("fake") / "tables/claims.tex").read_text()


@pytest.mark.parametrize(
    ("measure", "more", "said"),
    [
        ("gain", {}, "+8.2"),
        ("gain", {"minus": {"method": "shuffled"}}, "+8.2 over shuffled labels"),
        ("gain", {"minus": {"task": "ocnli", "language": "zh"}}, "+8.2 over ocnli (zh)"),
        ("gain", {"minus": {"task": ["qqp", "ccg", "mnli"]}}, "+8.2 over 3 tasks"),
        ("gain", {"minus": {"method": "single"}}, "+8.2 over single tasks"),
        ("gain", {"minus": {"method": "single", "task": "qqp"}}, "+8.2 over qqp"),
        ("gain", {"minus": {"size": 1000, "variant": ""}}, "+8.2 over 1K rows, no variant"),
        ("score", {}, "8.2 score"),
        ("score", {"minus": {"variant": ["adapter", "prompt"]}}, "+8.2 over adapter or prompt"),
        ("in_language", {}, "8.2 % in the right language"),
        ("in_language", {"minus": {"variant": "lr-1e-03"}},
         "+8.2 points in the right language, over lr-1e-03"),
        ("error", {}, "+8.2 from the expected"),
        ("slope", {"minus": {"language": "de"}}, "+8.2 per tenfold rows, over rows in de"),
    ],
)  # fmt: skip
def test_a_number_says_what_it_is(measure: str, more: dict[str, Any], said: str) -> None:
    """A share or a score with a sign would be read as a gain, and a gain as one over `none`."""
    check = {measure: {"of": {}, "above": 0, **more}}
    known = {"id": "one", "text": "Something is said here.", "status": "own", "source": "a test"}
    claim = Claim.model_validate({**known, "check": check})
    number = Number("one", "all", Estimate(8.2, 7.0, 9.0), {})
    one = Answer(claim, "reproduced", number.estimate, [(number, "agrees")], "", "")
    assert " ".join([claims.number(one), ", ".join(claims.details(one))]).strip() == said


def test_a_wrong_entry_stops_the_report(study: Params) -> None:
    """A claim that cannot be read must not look like one that was not made."""
    Path("claims.yaml").write_text(CLAIMS.replace("above: 0", "abov: 0", 1))
    with pytest.raises(UserError, match=r"entry 1 \(mnli_helps\): check.gain.abov: unknown key"):
        report.run(study, "fake", QUIET)


def test_no_claims_no_table(study: Params) -> None:
    """A study of one's own need not ask anything."""
    assert "claims" not in tables.build(load(study, paths.aggregated("fake")))
