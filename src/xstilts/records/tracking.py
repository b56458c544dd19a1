"""The window on a study: one MLflow run per stage run. The only importer of mlflow.

    with tracking.track("transfer", key, study, params) as tracker:
        record = stage.run(params, key, Observe(log=tracker.log))
        run_id = tracker.finish(record, folder)

Files are the truth: a failing store is told once and stops nothing; `sync` rebuilds it. It is
`mlruns/mlflow.db`, or what MLFLOW_TRACKING_URI names, or none with XSTILTS_TRACKING=off.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xstilts.core import paths
from xstilts.core.errors import UserError
from xstilts.records import provenance, tracking_view

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Set on import, because deepspeed imports mlflow by itself. A store that does not answer costs a
# stage seconds and not MLflow's default of minutes.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")

Json = dict[str, Any]
Times = tuple[int, int] | None
SCHEME = "mlflow-artifacts:/"  # relative to the server's --artifacts-destination
LIMITS = {"params": 6000, "tags": 5000}  # MLflow's, in characters of a value
BATCH = {"params": 100, "tags": 100, "metrics": 1000}  # MLflow's, in items of a request
POINTS, SECONDS = 50, 2.0  # live metrics wait for so many points or so long


class Tracker:
    """Takes what a stage tells. This one drops it; `track` yields a live one where it can."""

    run_id: str | None = None
    experiment_id: str | None = None

    def log(self, step: int, metrics: dict[str, float]) -> None:
        """Add a point to each named curve."""

    def finish(self, record: Json, folder: Path) -> str | None:
        """Log what a finished stage wrote into `folder`; return the MLflow run id, if any."""
        return None

    def close(self, status: str, error: BaseException | None = None) -> None:
        """End the run as FINISHED, FAILED or KILLED."""


class _Terminated(SystemExit):
    """SIGTERM arrived: unwinds the stack, so clean-up runs, and exits with 143."""


@contextmanager
def track(
    stage: str, key: str, study: str, params: Json, enabled: bool = True
) -> Iterator[Tracker]:
    """Open one MLflow run for the body; the body's exception ends it as FAILED or KILLED.

    Args:
        params: the stage's spec, nested as in the design; flattened to `a.b.c`.
        enabled: False, a rank other than 0, or XSTILTS_TRACKING=off yields a tracker that
            drops everything, so callers never ask.
    """
    off = os.environ.get("XSTILTS_TRACKING", "").lower() in {"off", "0", "no", "false"}
    if off or not enabled or os.environ.get("RANK", "0") != "0":
        yield Tracker()
        return
    with _sigterm_raises():
        tracker: Tracker = Tracker()
        try:
            spec = {"stage": stage, "key": key, "study": study, "params": params}
            tracker = _Run(_client(), spec, provenance.git_state())
        except Exception as error:  # whatever ails a store must leave the stage alone
            _warn(error)
        try:
            yield tracker
        except (KeyboardInterrupt, _Terminated) as error:
            tracker.close("KILLED", error)
            raise
        except BaseException as error:
            tracker.close("FAILED", error)
            raise
        tracker.close("FINISHED")


class _Run(Tracker):
    """One run in the store. It writes until the store fails once; from then on it is silent.

    `times` (start, end in ms) is given for a run of the past; without it the clock tells.
    """

    def __init__(self, client: MlflowClient, spec: Json, git: Json, times: Times = None) -> None:
        self._client, self._times, self.failure = client, times, ""
        self._points: list[tuple[str, float, int, int]] = []  # name, value, ms, step
        self._live: set[tuple[str, int]] = set()
        self._sent = time.monotonic()
        self.experiment_id: str = _experiment(client, spec["study"])
        name = f"{spec['stage']} {spec['key']}"
        store, _, path = client.tracking_uri.partition(":///")
        self._local = Path(path).parent / "artifacts" if store == "sqlite" else None
        if self._local:
            _close_dead(client, self.experiment_id, name)
        start = times[0] if times else self._now()
        run = client.create_run(
            self.experiment_id, start, tracking_view.labels(spec, git), run_name=name
        )
        self.run_id: str = run.info.run_id
        self._artifacts: str = run.info.artifact_uri
        self._send("params", tracking_view.flat(spec["params"]).items())

    def log(self, step: int, metrics: dict[str, float]) -> None:
        with self._surviving():
            if self.failure:
                return
            now = self._now()
            self._points += [(name, float(value), now, step) for name, value in metrics.items()]
            self._live |= {(name, step) for name in metrics}
            if len(self._points) >= POINTS or time.monotonic() - self._sent > SECONDS:
                self._flush()

    def finish(self, record: Json, folder: Path) -> str | None:
        with self._surviving():
            if self.failure:
                return self.run_id
            points, end = tracking_view.points(record, without=self._live), self._now()
            self._points += [(name, value, end, step) for name, value, step in points]
            self._flush()
            tags, artifacts = tracking_view.outcome(record, folder)
            for name in artifacts:
                self._copy(folder / name, name)
            self._send("tags", tags.items())
            tag, view = tracking_view.view(record["stage"], list(record["metrics"]))
            self._client.set_experiment_tag(self.experiment_id, tag, view)
        return self.run_id

    def close(self, status: str, error: BaseException | None = None) -> None:
        with self._surviving():
            self._flush()
        reason = tracking_view.one_line(error) if error else self.failure
        if self.failure and status == "FINISHED":
            status = "FAILED"  # half a run in the store; `sync` then makes a whole one
        with self._surviving():
            if reason:
                self._client.set_tag(self.run_id, "error", reason)
            self._client.set_terminated(self.run_id, status, self._now())

    def _now(self) -> int:
        return self._times[1] if self._times else int(1000 * time.time())

    def _flush(self) -> None:
        points, self._points = self._points, []
        self._send("metrics", [] if self.failure else points)
        self._sent = time.monotonic()

    def _send(self, kind: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Log params, tags or metrics under legal names, in requests that the server takes."""
        from mlflow import entities

        make = {"params": entities.Param, "tags": entities.RunTag, "metrics": entities.Metric}[kind]
        if kind in LIMITS:
            rows = [(name, str(value)[: LIMITS[kind]]) for name, value in rows]
        items = [make(re.sub(r"[^\w\-./ ]", "_", name)[:250], *rest) for name, *rest in rows]
        for first in range(0, len(items), BATCH[kind]):
            request: Json = {kind: items[first : first + BATCH[kind]]}
            self._client.log_batch(self.run_id, **request)

    def _copy(self, source: Path, name: str) -> None:
        """Put one file among the run's artifacts, under its own relative name."""
        if self._local and self._artifacts.startswith(SCHEME):
            target = self._local / self._artifacts.removeprefix(SCHEME) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        else:
            self._client.log_artifact(self.run_id, str(source), str(Path(name).parent).strip("."))

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # whatever ails a store must leave the stage alone
            self.failure = self.failure or _warn(error)


def sync(study: str) -> int:
    """Make the runs that the store lacks from record.json and provenance files; return how many.

    Safe to repeat: a record whose `xstilts.run_key` has a finished run is left out. Times come
    from the provenance; a curve's points all carry the end time, as records hold no clock.

    Raises:
        UserError: a record is broken, or the store cannot be read or written.
    """
    tag = tracking_view.RUN_KEY
    records = {
        tracking_view.run_key(record): (folder, record, tracking_view.times(record, folder))
        for folder, record in tracking_view.records(study)
    }
    try:
        client = _client()
        query = ([_experiment(client, study)], "attributes.status = 'FINISHED'")
        known = {run.data.tags.get(tag) for run in client.search_runs(*query, max_results=50000)}
        missing = [records[key] for key in records if key not in known]
        for folder, record, (start, end, git) in missing:
            run = _Run(client, record, git, (start, end))
            run.finish(record, folder)
            run.close("FINISHED")
            if run.failure:
                raise OSError(run.failure)
    except Exception as error:
        raise UserError(
            f"the MLflow store failed ({tracking_view.one_line(error)}). "
            f"Mend: check MLFLOW_TRACKING_URI, or delete {paths.MLRUNS}/mlflow.db and sync again"
        ) from error
    return len(missing)


def link(study: str, server: str = "http://127.0.0.1:5000") -> str:
    """The address that shows a study's transfer runs, best first, in an MLflow server's UI."""
    page = f"{server}/#/experiments/{_experiment(_client(), study)}/runs"
    return f"{page}?workflowType=machine_learning&viewStateShareKey=transfer"


def _client() -> MlflowClient:
    """Import mlflow (1 s) and open the store, which is created on first use."""
    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # no tracebacks
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        paths.MLRUNS.mkdir(exist_ok=True)
        uri = f"sqlite:///{(paths.MLRUNS / 'mlflow.db').resolve()}"
    return MlflowClient(tracking_uri=uri)


def _experiment(client: MlflowClient, study: str) -> str:
    """The id of the study's experiment, made on first use, restored when deleted in the UI."""
    found = client.get_experiment_by_name(study)
    if found is None:
        # No absolute path: a project may move, or be seen at another place inside a container.
        place = SCHEME + study if client.tracking_uri.startswith("sqlite") else None
        try:
            return client.create_experiment(study, place, tracking_view.EXPERIMENT_TAGS)
        except Exception:  # another process may have been faster
            if (found := client.get_experiment_by_name(study)) is None:
                raise
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _close_dead(client: MlflowClient, experiment: str, name: str) -> None:
    """End what `kill -9` left RUNNING: in a project's own store, a stage runs once at a time."""
    query = f"attributes.status = 'RUNNING' and attributes.run_name = '{name}'"
    for run in client.search_runs([experiment], query):
        client.set_tag(run.info.run_id, "error", "died without a word")
        client.set_terminated(run.info.run_id, "KILLED")


def _warn(error: Exception) -> str:
    """Tell the user once; return the reason."""
    reason = f"tracking: {tracking_view.one_line(error)}"
    mend = "The stage goes on. Mend: `xstilts track sync` rebuilds the store from the records"
    print(f"xstilts: this stage is not in MLflow ({reason}). {mend}", file=sys.stderr)
    return reason


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Turn SIGTERM (SLURM, docker stop) into an exception for the duration."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets only the main thread set handlers
        return
    owner = os.getpid()

    def handler(number: int, frame: Any) -> None:
        if os.getpid() != owner:  # a forked data worker, which has no run to close
            os._exit(128 + number)
        signal.signal(number, signal.SIG_IGN)
        raise _Terminated(128 + number)

    previous = signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous or signal.SIG_DFL)
