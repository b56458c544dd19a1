"""What DVC draws and compares: few points, named for people, right numbers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import fake_study
import pytest

from xstilts.core import paths
from xstilts.core.files import read_json, write_json
from xstilts.core.params import Params
from xstilts.core.progress import Observe
from xstilts.report import plots
from xstilts.report.data import Results, load
from xstilts.stages import aggregate, report

ROOT = Path(__file__).parents[2]
QUIET = Observe(quiet=True)
STEPS = range(1, 301)


def results(study: Params, folder: Path) -> Results:
    """The aggregate of a made-up study with a curve in each record, which is 0, 1, 2 ... + seed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        shutil.copy(ROOT / "references.yaml", folder)
        fake_study.write(study, examples=20)
        for run, spec in study.transfer.items():
            path = paths.transferred("fake", run) / "record.json"
            record = read_json(path)
            first = next(iter(study.targets))
            curve = [[step, float(step + spec.seed)] for step in STEPS]
            write_json(path, {**record, "curves": {f"{first}.loss": curve}})
        aggregate.run(study, "fake", QUIET)
        return load(study, paths.aggregated("fake"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plots")


@pytest.fixture(scope="module")
def _small(folder: Path) -> Results:
    return results(fake_study.params(), folder)


@pytest.fixture
def small(_small: Results, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    """Two targets, three series, in the working folder."""
    monkeypatch.chdir(folder)
    return _small


def test_score_by_size_has_a_line_a_series_and_a_level_one(small: Results) -> None:
    """`none` has no size; it is drawn over all sizes of the others."""
    rows = plots.zero_shot_rows(small)
    names = [*small.targets, "mean of targets"]
    assert list(dict.fromkeys(row["target"] for row in rows)) == names
    for target in small.targets:
        own = [row for row in rows if row["target"] == target]
        level = [row for row in own if row["series"] == "none"]
        assert [row["size"] for row in level] == [1000, 4000, 16000]
        baseline = small.baseline(target, "zero-shot")
        assert baseline is not None
        assert {(row["score"], row["gain"]) for row in level} == {(baseline["mean"], 0.0)}
        line = [row for row in own if row["series"] == "facts (qaa)"]
        assert [row["size"] for row in line] == [1000, 4000, 16000]
        for row in line:
            assert row["gain"] == pytest.approx(row["score"] - baseline["mean"], abs=1e-4)
    assert "facts (qaa), shuffled" in {row["series"] for row in rows}


def test_curves_are_means_over_seeds_of_few_points(small: Results, tmp_path: Path) -> None:
    """The last update is always there."""
    plots.save(small, tmp_path)
    rows = json.loads((tmp_path / "curves.json").read_text())
    line = [row for row in rows if row["setting"] == "facts-qaa-4000"]
    assert {row["panel"] for row in rows} == {f"{small.targets[0]} loss"}
    assert {row["setting"] for row in rows} == {group["group"] for group in small.groups}
    assert len(line) == plots.POINTS
    assert line[-1] == {**line[-1], "step": 300, "value": 301.5}  # seeds 1 and 2
    assert all(row["value"] == row["step"] + 1.5 for row in line)


def test_seeds_that_stopped_earlier_are_no_part_of_a_mean(small: Results) -> None:
    """Early stopping ends seeds at different updates."""
    steps = {1: [1.0, 3.0], 2: [2.0, 2.0], 3: [9.0]}
    assert list(plots._line(steps)) == [{"step": 1, "value": 2.0}, {"step": 2, "value": 2.0}]


def test_metrics_are_named_and_few(small: Results) -> None:
    """A line of `dvc metrics diff` says target, setting, what."""
    found = plots.metrics(small)
    assert set(found) == {*small.targets, "mean of targets", "study"}
    row = small.row(small.targets[0], "zero-shot", "facts-qaa-4000")
    assert row is not None
    told = {"score": round(row["mean"], 2), "gain": round(row["delta"], 2)}
    assert found[small.targets[0]]["facts-qaa-4000"] == told
    assert set(found[small.targets[0]]["none"]) == {"score"}
    assert found["study"] == {"runs": len(small.params.transfer), "collapsed cells": 1}


def test_a_large_study_has_its_mean_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of settings x ten targets are no metrics, and no curves that can be told apart."""
    large = results(fake_study.large(seeds=(1,), sizes=(1000, 100_000)), tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plots, "CELLS", 10)
    assert set(plots.metrics(large)) == {"mean of targets", "study"}
    curves = plots._curves(large)
    every = {row["setting"] for row in plots.curve_rows(large, curves)}
    monkeypatch.setattr(plots, "LINES", 5)
    few = {row["setting"] for row in plots.curve_rows(large, curves)}
    assert "none" in few
    assert "mnli-en-100000" in few
    assert "mnli-en-1000" not in few
    assert few < every


def test_the_stage_writes_them_beside_its_own(small: Results) -> None:
    """And its record names the files that it read."""
    made = report.run(small.params, "fake", QUIET)
    names = {"plots/curves.json", "plots/zero-shot.json", "tables/main.tex", "tables/main.csv"}
    assert names <= set(made["artifacts"])
    assert "figures/size.pdf" in made["artifacts"]
    assert "results/transfer/fake/none-s1/record.json" in made["inputs"]
    assert read_json(Path("report/fake.metrics.json")) == plots.metrics(small)


def test_every_template_has_its_data(root: Path) -> None:
    """A plot names a template; a template names fields, which the rows must have."""
    import yaml

    drawn = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["plots"]
    used = {one["template"] for plot in drawn for one in plot.values()}
    assert used == {path.stem for path in (root / ".dvc/plots").glob("*.json")}
    for path in (root / ".dvc/plots").glob("*.json"):
        text = json.dumps(json.loads(path.read_text(encoding="utf-8")))
        for anchor in ("DATA", "TITLE", "X", "Y", "X_LABEL", "Y_LABEL"):
            assert f"<DVC_METRIC_{anchor}>" in text, (path, anchor)
