"""Not a test: finished transfer runs in the working folder, and a look into its MLflow store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xstilts.core import files


def finished(key: str, seed: int, value: float, **more: Any) -> tuple[dict[str, Any], Path]:
    """A transfer run's folder with its record, of the study `demo`."""
    folder = Path("results/transfer/demo") / key
    task, *rest = key.split("-")
    spec = {"method": "none", "variant": "", "task": "none", "source_language": "none", "size": 0}
    if len(rest) > 1:
        spec |= {"method": "single", "task": task, "source_language": rest[0], "size": int(rest[1])}
    record: dict[str, Any] = {
        **{"stage": "transfer", "key": key, "study": "demo", "params": {**spec, "seed": seed}},
        **{"inputs": {}, "curves": {}, "artifacts": []},
        **{"metrics": {"average.zero_shot": value, "xnli.zero_shot": value, "xnli.sw": value}},
        **more,
    }
    files.write_json(folder / "record.json", record)
    return record, folder


def client_of(root: Path) -> Any:
    """The store of a project."""
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{root}/mlruns/mlflow.db")


def experiment_of(root: Path, study: str = "demo") -> Any:
    """The study's experiment."""
    found = client_of(root).get_experiment_by_name(study)
    assert found is not None
    return found
