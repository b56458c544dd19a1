"""Verdicts in MLflow: where the report's run is logged, and again when the store is made anew."""

from __future__ import annotations

import shutil
from pathlib import Path

import fake_study
import pytest
from mlflow_store import client_of, experiment_of

from xstilts import pipeline
from xstilts.core import design
from xstilts.core.params import Params
from xstilts.core.progress import Observe
from xstilts.records import code, tracking
from xstilts.stages import aggregate

CLAIMS = """
- id: facts_help
  text: Facts help by more than nothing.
  status: own
  source: a test
  check: {gain: {of: {task: facts}, above: 0}}
- id: mnli_helps
  text: MNLI helps in this study, too.
  status: own
  source: a test
  check: {gain: {of: {task: mnli}, above: 0}}
"""
QUERY = "tags.claim.facts_help = 'reproduced' and tags.claim.mnli_helps = 'not run'"


@pytest.fixture
def study(project: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """A study with its aggregate and two claims, about to be reported."""
    params = fake_study.params({"facts": [1000, 16000]}, seeds=(1, 2, 3))
    fake_study.write(params, examples=100)
    aggregate.run(params, "fake", Observe(quiet=True))
    Path("claims.yaml").write_text(CLAIMS)
    monkeypatch.setattr(design, "load_run", lambda word, study, key: params)
    monkeypatch.setattr(code, "identity", lambda *names: "0" * 64)
    return params


def tagged(project: Path) -> set[str]:
    """Stages of the runs that the query of the README's sort finds."""
    place = experiment_of(project, "fake")
    runs = client_of(project).search_runs([place.experiment_id], QUERY)
    return {run.data.tags["stage"] for run in runs}


def test_the_run_of_the_report_has_the_verdicts(project: Path, study: Params) -> None:
    """The very run, which is finished only when its stage is; and the experiment."""
    pipeline.run_stage("report", "fake")
    assert tagged(project) == {"report"}
    assert experiment_of(project, "fake").tags["claim.facts_help"] == "reproduced"


def test_a_store_made_anew_has_them_again(project: Path, study: Params, empty_store: Path) -> None:
    """They come from fake.claims.json, as all else comes from the records."""
    pipeline.run_stage("report", "fake")
    shutil.copyfile(empty_store, project / "mlruns/mlflow.db")
    for path in Path("results/transfer").rglob("record.json"):
        path.unlink()  # made up, they tell less than a run's
    assert tracking.sync("fake") == 2
    assert tagged(project) == {"aggregate", "report"}
    assert tracking.sync("fake") == 0


def test_a_broken_store_stops_no_report(
    project: Path, study: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report is there, and the person is told how to have the tags later."""
    (project / "mlruns/mlflow.db").write_bytes(b"this is no database" * 100)
    pipeline.run_stage("report", "fake")
    assert Path("report/fake.claims.json").is_file()
    assert "xstilts track sync" in capsys.readouterr().err
