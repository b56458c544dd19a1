"""The page of provenance: links to MLflow where they are known, never an error where not."""

from __future__ import annotations

from pathlib import Path

import pytest

from xstilts import pipeline
from xstilts.core.files import write_json
from xstilts.report import runs_page


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_nothing_ran_yet() -> None:
    """The report links to this page also after `git clone` and `dvc pull`."""
    text = runs_page.write("demo").read_text(encoding="utf-8")
    assert "No stage of this study has run" in text


def test_a_run_links_to_mlflow_and_is_found_by_its_key() -> None:
    """The report's `runs.html#<run>` must lead to the row with the MLflow link."""
    facts = {"mlflow_run_id": "abc123", "mlflow_experiment_id": "7", "host": "<b>"}
    write_json(Path("provenance/demo/transfer/none-s1.json"), facts)
    write_json(Path("provenance/demo/intermediate/none-s1.json"), {})
    path = runs_page.write("demo")
    text = path.read_text(encoding="utf-8")
    assert path == Path("provenance/demo/runs.html")
    assert 'href="http://127.0.0.1:5000/#/experiments/7/runs/abc123"' in text
    assert text.count('id="none-s1"') == 1
    assert 'id="intermediate-none-s1"' in text
    assert "host: &lt;b&gt;" in text
    assert 'href="../../report/demo/index.html"' in text


def test_a_run_without_its_experiment_has_no_link() -> None:
    """Experiment 0 is never the study's: a link to it opens nothing."""
    write_json(Path("provenance/demo/transfer/none-s1.json"), {"mlflow_run_id": "abc123"})
    text = runs_page.write("demo").read_text(encoding="utf-8")
    assert "<td><code>abc123</code></td>" in text
    assert "#/experiments" not in text


def test_a_broken_file_is_shown_and_stops_nothing() -> None:
    """It is written after each stage; it must never make a stage fail."""
    broken = Path("provenance/demo/transfer/x.json")
    broken.parent.mkdir(parents=True)
    broken.write_text("{", encoding="utf-8")
    assert "unreadable" in runs_page.write("demo").read_text(encoding="utf-8")


def test_cost_is_told_by_stage_and_together() -> None:
    """Wall-clock, the same times processes (which a cluster charges for), energy, and memory."""
    laid = {"a": {"processes": 2}, "b": {"processes": 1, "nodes": 2}}
    for run, seconds in (("a", 4000.0), ("b", 200.4)):
        facts = {"seconds": seconds, "machine": laid[run]}
        facts["joules"] = {"cpu": 3.6e5, "gpu": 1.44e6}
        facts["peak_bytes"] = {"process": 9_000_000_000, "gpu": int(seconds * 1e6)}
        facts["hardware"] = {"gpus": ["NVIDIA H100", "NVIDIA H100"], "cpu": "x", "cores": 8}
        write_json(Path(f"provenance/demo/intermediate/{run}.json"), facts)
    write_json(Path("provenance/demo/transfer/none-s1.json"), {"seconds": "?", "machine": None})
    text = runs_page.write("demo").read_text(encoding="utf-8")
    row = "<td>2</td><td>1 h 10 min</td><td>2 h 20 min</td><td>1 kWh</td>"
    row += "<td>4 GB</td><td>2 × NVIDIA H100</td>"
    assert f'<th scope="row">intermediate</th>{row}' in text
    bare = "<td>1</td><td>0 s</td><td>0 s</td><td>not told</td>"
    assert f'<th scope="row">transfer</th>{bare}' in text
    assert '<th scope="row">together</th><td>3</td><td>1 h 10 min</td>' in text


def test_a_run_of_many_leaves_the_page_alone(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would read what all others left, and thousands of jobs would write one file."""
    monkeypatch.setenv("XSTILTS_TRACKING", "off")
    monkeypatch.chdir(prepared)
    page = runs_page.runs_page_path("small")
    pipeline.run_stage("subsample", "world_qa-qaa-s1")
    assert not page.exists()
    pipeline.run_stage("check")
    assert 'id="subsample-world_qa-qaa-s1"' in page.read_text(encoding="utf-8")
