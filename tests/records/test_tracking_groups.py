"""Seeds joined to settings: what is computed, and the runs, tags and views that show it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mlflow_store import client_of, experiment_of, finished

from xstilts.core import files
from xstilts.core.errors import UserError
from xstilts.records import tracking, tracking_groups, tracking_view


def study_of(scores: dict[str, list[float]]) -> None:
    """Finished transfer runs: setting -> a zero-shot mean for each seed."""
    for setting, values in scores.items():
        for seed, value in enumerate(values, 1):
            finished(setting.format(seed), seed, value)


def settings(root: Path) -> dict[str, Any]:
    """The runs of settings in the store, by name."""
    query = [experiment_of(root).experiment_id], "tags.stage = 'setting'"
    found = client_of(root).search_runs(*query)
    assert len({run.info.run_name for run in found}) == len(found)
    return {run.data.tags["setting"]: run for run in found}


def test_a_setting_is_a_key_without_its_seed() -> None:
    """Whatever stands behind the seed; a stage without seeds has none."""
    keys = {
        "none-s1": "none",
        "mnli-en-1000-s1-steps": "mnli-en-1000-steps",
        "nine-mul-1000-s1-mlm-shuffled": "nine-mul-1000-mlm-shuffled",
        "demo": None,
    }
    for key, setting in keys.items():
        assert tracking_view.setting({"key": key, "params": {"seed": 1}}) == setting
    assert tracking_view.setting({"key": "mnli-en-1000-s12", "params": {"seed": 12}}) == (
        "mnli-en-1000"
    )


def test_sync_gives_mean_and_spread_over_seeds(project: Path) -> None:
    """A row a setting, whose page links to its seeds; one seed has no spread."""
    study_of({"mnli-en-10-s{}": [60.0, 61.0, 65.0], "none-s{}": [50.0]})
    tracking.sync("demo")
    found = settings(project)
    assert set(found) == {"mnli-en-10", "none"}
    many, one = found["mnli-en-10"], found["none"]
    assert many.data.metrics["average.zero_shot"] == 62
    assert many.data.metrics["average.zero_shot.sd"] == pytest.approx(2.646)
    assert (many.data.metrics["seeds"], one.data.metrics["seeds"]) == (3, 1)
    assert "average.zero_shot.sd" not in one.data.metrics
    assert many.data.tags["seed"] == "1, 2, 3"
    query = f"tags.`mlflow.parentRunId` = '{many.info.run_id}'"
    seeds = client_of(project).search_runs([many.info.experiment_id], query)
    assert {run.data.tags["seed"] for run in seeds} == {"1", "2", "3"}


def test_a_setting_follows_its_seeds(project: Path) -> None:
    """Nothing new: the same runs. Another seed: one run in place of the old, no stale number."""
    study_of({"mnli-en-10-s{}": [60.0], "none-s{}": [50.0]})
    tracking.sync("demo")
    first = settings(project)
    tracking.sync("demo")
    assert {one.info.run_id for one in settings(project).values()} == {
        one.info.run_id for one in first.values()
    }
    finished("mnli-en-10-s2", 2, 70.0)
    tracking.sync("demo")
    second = settings(project)
    assert second["mnli-en-10"].data.metrics["average.zero_shot"] == 65
    assert second["mnli-en-10"].info.run_id != first["mnli-en-10"].info.run_id
    assert second["none"].info.run_id == first["none"].info.run_id


def test_the_settings_are_there_when_scores_are_joined(project: Path) -> None:
    """`aggregate` brings them up to date while a study runs; no sync is needed."""
    record, folder = finished("none-s1", 1, 50.0)
    with tracking.track("transfer", "none-s1", "demo", record["params"]) as tracker:
        tracker.finish(record, folder)
    assert settings(project) == {}
    joined = record | {"stage": "aggregate", "key": "demo", "params": {}, "artifacts": []}
    files.write_json(Path("results/aggregate/demo/record.json"), joined)
    with tracking.track("aggregate", "demo", "demo", {}) as tracker:
        tracker.finish(joined, Path("results/aggregate/demo"))
    assert settings(project)["none"].data.metrics["average.zero_shot"] == 50
    assert tracking.sync("demo") == 0


def test_views_open_grouped_and_best_first(project: Path) -> None:
    """What MLflow's page reads: a filter, an order, the columns, and by what runs are grouped."""
    study_of({"none-s{}": [50.0, 51.0]})
    tracking.sync("demo")
    tags = experiment_of(project).tags
    runs = json.loads(tags["mlflow.sharedViewState.transfer"])
    means = json.loads(tags["mlflow.sharedViewState.setting"])
    group = {"mode": "tag", "groupByData": "setting"}
    assert runs["groupBy"] == {"aggregateFunction": "average", "groupByKeys": [group]}
    assert runs["searchFilter"] == "tags.stage = 'transfer'"
    assert "groupBy" not in means
    assert means["orderByKey"] == "metrics.`average.zero_shot`"
    assert means["selectedColumns"][:3] == [
        f"metrics.`{name}`" for name in ("average.zero_shot", "average.zero_shot.sd", "seeds")
    ]


def test_tags_filter(project: Path) -> None:
    """By each that the README names; the language of a transfer is that of the rows before it."""
    study_of({"mnli-en-10-s{}": [60.0, 61.0], "none-s{}": [50.0]})
    tracking.sync("demo")
    for name, value in {
        **{"method": "single", "task": "mnli", "language": "en", "size": "10"},
        **{"setting": "mnli-en-10"},
    }.items():
        query = f"tags.stage = 'transfer' and tags.{name} = '{value}'"
        found = client_of(project).search_runs([experiment_of(project).experiment_id], query)
        assert {run.data.tags["run"] for run in found} == {"mnli-en-10-s1", "mnli-en-10-s2"}, name


def test_claims_are_tags(project: Path) -> None:
    """Of the experiment, and of the last runs that joined and showed the scores."""
    record, _ = finished("none-s1", 1, 50.0)
    for stage in ("aggregate", "report"):
        made = record | {"stage": stage, "key": "demo", "params": {}, "artifacts": []}
        files.write_json(Path(f"results/{stage}/demo/record.json"), made)
    tracking.sync("demo")
    tracking.tag_claims("demo", {"squad_gain": "reproduced", "xnli": "not run"})
    assert experiment_of(project).tags["claim.squad_gain"] == "reproduced"
    query = "tags.claim.squad_gain = 'reproduced' and tags.claim.xnli = 'not run'"
    found = client_of(project).search_runs([experiment_of(project).experiment_id], query)
    assert {run.data.tags["stage"] for run in found} == {"aggregate", "report"}
    with pytest.raises(ValueError, match="'maybe' is none of reproduced"):
        tracking.tag_claims("demo", {"xnli": "maybe"})


def test_claims_and_a_broken_store(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person is told; who tracks nothing is not asked for a store."""
    (project / "mlruns/mlflow.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(UserError, match="Mend"):
        tracking.tag_claims("demo", {"xnli": "undecided"})
    monkeypatch.setenv("XSTILTS_TRACKING", "off")
    tracking.tag_claims("demo", {"xnli": "undecided"})


def test_seeds_with_other_metrics_are_joined_where_they_agree() -> None:
    """A seed that lacks a metric does not stop the others."""
    base = {"stage": "transfer", "study": "demo", "curves": {"loss": [[0, 1.0]]}}
    records = [
        ({**base, "key": f"a-s{seed}", "params": {"seed": seed}, "metrics": metrics}, (seed, 9))
        for seed, metrics in (
            (2, {"x.zero_shot": 2.0, "loss": 1.0}),
            (1, {"x.zero_shot": 1.0, "x.sw": 5.0, "loss": 1.0}),
        )
    ]
    (one,) = tracking_groups.settings(records)
    told = {"x.zero_shot": 1.5, "x.zero_shot.sd": 0.707, "x.sw": 5.0}
    assert one.metrics == {"seeds": 2.0, **told}, "and no loss"
    assert one.times == (1, 9)
