"""Kept models in MLflow: logged with their run, loaded and asked as MLflow's users do."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import projects
import pytest

from xstilts.commands import use
from xstilts.core import design, files, paths
from xstilts.records import tracking

KINDS = {"world_new_classes": "classification", "world_new_tags": "tagging"}
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, new_study: Callable[[], Any]) -> Path:
    """A project with a finished study of the control world that keeps two models, synced."""
    import yaml

    folder = tmp_path_factory.mktemp("kept")
    protocol = {"source_language": "qaa", "protocol": "x-stilts"}
    study = new_study() | {
        **{"intermediate": [], "keep_models": list(KINDS)},
        **{"targets": dict.fromkeys(KINDS, protocol)},
    }
    (folder / "studies").mkdir()
    (folder / "studies/small.yaml").write_text(yaml.safe_dump(study))
    (folder / "machine.yaml").write_text("threads: 1\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        use.use("small")
        words = ("fetch", "prepare", "check", "subsample", "pretrain", "transfer")
        projects.run_stages(design.load(), words)
        assert tracking.sync("small") > 0
        assert tracking.sync("small") == 0
    return folder


@pytest.fixture
def project_of(kept: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That project as the working folder."""
    monkeypatch.chdir(kept)
    return kept


def client() -> Any:
    """The store of the working folder."""
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{Path('mlruns/mlflow.db').resolve()}")


def models() -> dict[str, Any]:
    """The logged models of the study, by their target."""
    place = client().get_experiment_by_name("small").experiment_id
    found = client().search_logged_models([place])
    return {one.tags["target"]: one for one in found}


def stored(model: Any) -> Path:
    """Where a logged model lies."""
    return Path("mlruns/artifacts") / model.artifact_location.removeprefix("mlflow-artifacts:/")


def asked(target: str) -> tuple[list[dict[str, Any]], list[Any], list[str]]:
    """The scored rows of all languages without their gold, what was predicted, the labels."""
    spec, columns = design.load().targets[target], {"tokens"}
    columns = columns if KINDS[target] == "tagging" else {"text_a", "text_b"}
    rows = [
        {name: row[name] for name in columns}
        for language in spec.languages
        for row in files.read_parquet(paths.rows(Path(spec.rows), language, spec.split)).to_pylist()
    ]
    table = files.read_parquet(paths.predicted("small", "none-s1") / "predictions.parquet")
    predicted = [
        json.loads(one["prediction"]) for one in table.to_pylist() if one["target"] == target
    ]
    return rows, predicted, spec.labels


def same(target: str, answers: list[Any], predicted: list[Any], labels: list[str]) -> None:
    """What MLflow answers is what the stage predicted."""
    if KINDS[target] == "tagging":
        assert [one["tags"] for one in answers] == predicted
        return
    assert [labels.index(one["label"]) for one in answers] == predicted
    assert all(set(one["probabilities"]) == set(labels) for one in answers)


@pytest.mark.parametrize("target", KINDS)
def test_a_logged_model_answers_as_the_stage_did(project_of: Path, target: str) -> None:
    """By MLflow's own way in, with its check of the columns."""
    import mlflow
    import pandas

    rows, predicted, labels = asked(target)
    model = mlflow.pyfunc.load_model(str(stored(models()[target])))
    same(target, model.predict(pandas.DataFrame(rows)), predicted, labels)
    with pytest.raises(mlflow.MlflowException, match="missing inputs"):
        model.predict(pandas.DataFrame([{"other": "x"}]))


def test_a_model_is_told_with_its_run_and_its_scores(project_of: Path) -> None:
    """The page of models shows a name, a source run, a state and what it is worth."""
    model = models()["world_new_classes"]
    assert model.name == "none-s1-world_new_classes"
    assert model.status == "READY"
    (run,) = client().search_runs([model.experiment_id], "tags.stage = 'transfer'")
    assert model.source_run_id == run.info.run_id
    assert {one.model_id for one in run.outputs.model_outputs} == {
        one.model_id for one in models().values()
    }
    told = {one.key: one.value for one in model.metrics}
    name = "world_new_classes.zero_shot"
    assert told[name] == run.data.metrics[name]
    assert not any(key.startswith("world_new_tags") for key in told)


def test_no_pickle_is_stored(project_of: Path) -> None:
    """What is shared can be read without running code that it brings."""
    names = {path.suffix for path in stored(models()["world_new_tags"]).rglob("*.*")}
    assert names <= {".json", ".safetensors", ".txt", ".yaml"}


@pytest.fixture
def server(project_of: Path) -> Iterator[str]:
    """The address of `xstilts ui`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [BIN / "xstilts", "ui", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health").close()
                break
            except OSError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("target", KINDS)
def test_mlflow_models_predict(project_of: Path, server: str, target: str) -> None:
    """The command line that MLflow's users know, by the model's id."""
    rows, predicted, labels = asked(target)
    Path("input.json").write_text(json.dumps({"dataframe_records": rows}))
    model = ("-m", f"models:/{models()[target].model_id}")
    files_named = ("-i", "input.json", "-o", "output.json")
    done = subprocess.run(
        [BIN / "mlflow", "models", "predict", *model, *files_named, "--env-manager", "local"],
        env=os.environ | {"MLFLOW_TRACKING_URI": server},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    same(target, json.loads(Path("output.json").read_text())["predictions"], predicted, labels)
