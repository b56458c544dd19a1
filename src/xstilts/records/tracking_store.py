"""The MLflow store as the kit uses it: opened, its experiments, and what one run is given.

All imports of mlflow are here and in tracking_models.py, and late: it takes a second.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xstilts.core import paths
from xstilts.records import tracking_view
from xstilts.records.tracking_data import Dataset

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Set on import, because deepspeed imports mlflow by itself. A store that does not answer costs a
# stage seconds and not MLflow's default of minutes.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")

SCHEME = "mlflow-artifacts:/"  # relative to the server's --artifacts-destination
LIMITS = {"params": 6000, "tags": 5000}  # MLflow's, in characters of a value
BATCH = {"params": 100, "tags": 100, "metrics": 800}  # items of a request, which may have 1000
Point = tuple[str, float, int, int, str | None]  # name, value, ms since the epoch, step, model
Pairs = Iterable[tuple[str, Any]]


def open_store() -> MlflowClient:
    """Import mlflow (1 s) and open the store, which is created on first use."""
    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # no tracebacks
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        paths.MLRUNS.mkdir(exist_ok=True)
        uri = f"sqlite:///{(paths.MLRUNS / 'mlflow.db').resolve()}"
    return MlflowClient(tracking_uri=uri)


@contextmanager
def unsettled() -> Iterator[None]:
    """Let stores that are opened in the body not wait for the disk at each of their transactions.

    Of SQLite alone. A killed process does no harm; a power cut may spoil the file, which `sync`
    makes again from the records.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def hurry(connection: Any, _: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            with suppress(sqlite3.Error):  # a broken file is told by who reads it
                connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", hurry)
    try:
        yield
    finally:
        event.remove(Engine, "connect", hurry)


def is_own(client: MlflowClient) -> bool:
    """Whether the store is a file of this project, and no server."""
    return str(client.tracking_uri).startswith("sqlite")


def experiment(client: MlflowClient, study: str) -> str:
    """The id of the study's experiment, made on first use, restored when deleted in the UI."""
    found = client.get_experiment_by_name(study)
    if found is None:
        # No absolute path: a project may move, or be seen at another place inside a container.
        place = SCHEME + study if is_own(client) else None
        try:
            return str(client.create_experiment(study, place, tracking_view.EXPERIMENT_TAGS))
        except Exception:  # another process may have been faster
            if (found := client.get_experiment_by_name(study)) is None:
                raise
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def show(client: MlflowClient, study: str, tags: Mapping[str, str]) -> None:
    """Set tags of a study's experiment, those that it has not."""
    found = client.get_experiment(experiment(client, study))
    for name, value in tags.items():
        if found.tags.get(name) != value:
            try:
                client.set_experiment_tag(found.experiment_id, name, value)
            except Exception:  # another process may have been faster
                if client.get_experiment(found.experiment_id).tags.get(name) != value:
                    raise


def close_dead(client: MlflowClient, experiment_id: str, name: str) -> None:
    """End what `kill -9` left RUNNING: in a project's own store, a stage runs once at a time."""
    query = f"attributes.status = 'RUNNING' and attributes.run_name = '{name}'"
    for run in client.search_runs([experiment_id], query):
        client.set_tag(run.info.run_id, "error", "died without a word")
        client.set_terminated(run.info.run_id, "KILLED")


def legal(name: str) -> str:
    """A name as MLflow takes it."""
    return re.sub(r"[^\w\-./ ]", "_", name)[:250]


def send(
    client: MlflowClient,
    run_id: str,
    params: Pairs = (),
    tags: Pairs = (),
    metrics: Iterable[Point] = (),
) -> None:
    """Log under legal names, in as few requests as the server takes: each is a transaction."""
    from mlflow.entities import Metric, Param, RunTag

    every: dict[str, list[Any]] = {
        "params": [Param(legal(k), str(v)[: LIMITS["params"]]) for k, v in params],
        "tags": [RunTag(legal(k), str(v)[: LIMITS["tags"]]) for k, v in tags],
        "metrics": [Metric(legal(name), *rest) for name, *rest in metrics],
    }
    pieces = [
        [items[first : first + BATCH[kind]] for first in range(0, len(items), BATCH[kind])]
        for kind, items in every.items()
    ]
    for request in zip_longest(*pieces, fillvalue=[]):
        client.log_batch(run_id, **dict(zip(every, request, strict=True)))


def send_inputs(client: MlflowClient, run_id: str, datasets: list[Dataset]) -> None:
    """Log the data sets that a run read, each with what it was read for."""
    from mlflow import entities

    inputs = [
        entities.DatasetInput(
            entities.Dataset(one.name, one.digest, "local", one.source, one.schema, one.profile),
            [entities.InputTag("mlflow.data.context", one.context)],
        )
        for one in datasets
    ]
    if inputs:
        client.log_inputs(run_id, inputs)


def local_folder(client: MlflowClient, uri: str) -> Path | None:
    """Where a project's own store keeps artifacts of this address; None: by way of a server."""
    store, _, path = client.tracking_uri.partition(":///")
    if store != "sqlite" or not uri.startswith(SCHEME):
        return None
    return Path(path).parent / "artifacts" / uri.removeprefix(SCHEME)


def copy(client: MlflowClient, run: Any, source: Path, name: str) -> None:
    """Put one file among a run's artifacts, under its own relative name."""
    folder = local_folder(client, run.info.artifact_uri)
    if folder:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    else:
        client.log_artifact(run.info.run_id, str(source), str(Path(name).parent).strip("."))
