"""The window on a study: one MLflow run per stage run, and one per setting over its seeds.

    with tracking.track("transfer", key, study, params) as tracker:
        record = stage.run(params, key, Observe(log=tracker.log))
        run_id = tracker.finish(record, folder)

Files are the truth: a failing store is told once and stops nothing; `sync` rebuilds it. It is
`mlruns/mlflow.db`, or what MLFLOW_TRACKING_URI names, or none with XSTILTS_TRACKING=off.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xstilts.core import files, paths
from xstilts.core.errors import UserError
from xstilts.records import (
    provenance,
    tracking_data,
    tracking_groups,
    tracking_models,
    tracking_shared,
    tracking_store,
    tracking_view,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

Json = dict[str, Any]
Times = tuple[int, int] | None
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
    if off() or not enabled or os.environ.get("RANK", "0") != "0":
        yield Tracker()
        return
    with _sigterm_raises():
        tracker: Tracker = Tracker()
        try:
            spec = {"stage": stage, "key": key, "study": study, "params": params}
            tracker = _Run(tracking_store.open_store(), spec, provenance.git_state())
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
        self._points: list[tracking_store.Point] = []
        self._live: set[tuple[str, int]] = set()
        self._sent = time.monotonic()
        self._study = spec["study"]
        self.experiment_id: str = tracking_store.experiment(client, self._study)
        name = f"{spec['stage']} {spec['key']}"
        if not times and tracking_store.is_own(client):
            tracking_store.close_dead(client, self.experiment_id, name)
        start = times[0] if times else self._now()
        tags = tracking_shared.synced_tags if times else tracking_shared.live_tags
        labels = tracking_view.labels(spec, git) | tags(client)
        run = client.create_run(self.experiment_id, start, labels, run_name=name)
        self._run = run
        self.run_id: str = run.info.run_id
        self._params = tracking_view.flat(spec["params"])  # not sent yet
        if not times:
            self._flush()

    def log(self, step: int, metrics: dict[str, float]) -> None:
        with self._surviving():
            if self.failure:
                return
            now = self._now()
            self._points += [
                (name, float(value), now, step, None) for name, value in metrics.items()
            ]
            self._live |= {(name, step) for name in metrics}
            if len(self._points) >= POINTS or time.monotonic() - self._sent > SECONDS:
                self._flush()

    def finish(self, record: Json, folder: Path) -> str | None:
        with self._surviving():
            if self.failure:
                return self.run_id
            models = tracking_models.log(self._client, self._run, record)
            points, end = tracking_view.points(record, without=self._live), self._now()
            of = {name: models.get(name.rpartition(".")[0]) for name in record["metrics"]}
            self._points += [(name, value, end, step, of.get(name)) for name, value, step in points]
            tags, artifacts = tracking_view.outcome(record, folder)
            for name, path in artifacts.items():
                tracking_store.copy(self._client, self._run, path, name)
            datasets = tracking_data.datasets(record)
            tracking_store.send_inputs(self._client, self.run_id, datasets)
            self._flush(tags)
            if not self._times:
                tag, view = tracking_view.view(record["stage"], list(record["metrics"]))
                tracking_store.show(self._client, self._study, {tag: view})
                if record["stage"] == "aggregate":
                    _join(self._client, self._study)
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

    def _flush(self, tags: Mapping[str, str] | None = None) -> None:
        points, self._points, params, self._params = self._points, [], self._params, {}
        if not self.failure:
            pairs = params.items(), (tags or {}).items()
            tracking_store.send(self._client, self.run_id, *pairs, points)
        self._sent = time.monotonic()

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # whatever ails a store must leave the stage alone
            self.failure = self.failure or _warn(error)


def sync(study: str) -> int:
    """Make the runs that the store lacks from record.json and provenance files; return how many.

    Safe to repeat, here and in other clones: a record that a finished run shows, at the commit that
    its provenance tells, is left out. Times come from the provenance; a curve's points all carry
    the end time, as records hold no clock.

    Raises:
        UserError: a record is broken, or the store cannot be read or written.
    """
    found = tracking_view.records(study)
    records = [(folder, one, tracking_view.times(one, folder)) for folder, one in found]
    added = 0
    with _told(), tracking_store.unsettled():
        client = tracking_store.open_store()
        known = _finished(client, study)
        if not tracking_store.is_own(client):
            known.drop_twins(client)
        for folder, record, (start, end, git) in records:
            key, commit = tracking_view.run_key(record), git.get("commit") or ""
            if known.find(key, commit) is None:
                run = _Run(client, record, git, (start, end))
                run.finish(record, folder)
                run.close("FINISHED")
                if run.failure:
                    raise OSError(run.failure)
                known.add(key, tracking_shared.Shown(run.run_id, commit))
                added += 1
        views = [tracking_view.view(one["stage"], list(one["metrics"])) for _, one in found]
        tracking_store.show(client, study, dict(views))
        every = ((record, (start, end)) for _, record, (start, end, _) in records)
        tracking_groups.store(client, study, tracking_groups.settings(every), known)
    tag_claims(study, _verdicts(study))
    return added


def tell_claims(study: str) -> None:
    """Tag what the report has just answered; a failing store is told once and stops nothing."""
    try:
        tag_claims(study, _verdicts(study))
    except UserError as error:
        _warn(error)


def _verdicts(study: str) -> dict[str, str]:
    """Claim id -> verdict, as the report recorded them; none where there is no report."""
    path = paths.answers(study)
    recorded = files.read_json(path)["claims"] if path.is_file() else {}
    return {claim: answer["verdict"] for claim, answer in recorded.items()}


def tag_claims(study: str, verdicts: Mapping[str, str]) -> None:
    """Tell what became of a study's claims: `tags.claim.<id> = 'reproduced'` filters by it.

    Tags the study's experiment, and its last finished runs of `aggregate` and `report`. On a
    server, where others may have other verdicts: the runs alone that show this clone's records.

    Args:
        verdicts: claim id -> one of `tracking_view.VERDICTS`.

    Raises:
        ValueError: another verdict.
        UserError: the store cannot be read or written.
    """
    if unknown := sorted(set(verdicts.values()) - set(tracking_view.VERDICTS)):
        raise ValueError(f"{unknown[0]!r} is none of {', '.join(tracking_view.VERDICTS)}")
    tags = {
        tracking_store.legal(f"{tracking_view.CLAIM}{claim}"): verdict
        for claim, verdict in verdicts.items()
    }
    if not tags or off():
        return
    with _told():
        client = tracking_store.open_store()
        if tracking_store.is_own(client):
            tracking_store.show(client, study, tags)
        for run_id in _answering(client, study):
            tracking_store.send(client, run_id, tags=tags.items())


def _answering(client: MlflowClient, study: str) -> Iterator[str]:
    """Ids of the runs that joined and showed the scores of this clone."""
    place = tracking_store.experiment(client, study)
    for stage, folder in (("aggregate", paths.aggregated(study)), ("report", paths.report(study))):
        if tracking_store.is_own(client):
            query = f"tags.stage = '{stage}' and attributes.status = 'FINISHED'"
            for run in client.search_runs([place], query, max_results=1):
                yield run.info.run_id
        elif (folder / "record.json").is_file():
            record = files.read_json(folder / "record.json")
            commit = tracking_view.times(record, folder)[2].get("commit") or ""
            key = tracking_view.run_key(record)
            if shown := tracking_shared.Known.of(client, place, stage).find(key, commit):
                yield shown.run_id


def link(study: str, stage: str, server: str = "http://127.0.0.1:5000") -> str:
    """The address that shows a study's runs of a stage, best first, in an MLflow server's UI."""
    place = tracking_store.experiment(tracking_store.open_store(), study)
    page = f"{server}/#/experiments/{place}/runs"
    return f"{page}?workflowType=machine_learning&viewStateShareKey={stage}"


def _finished(client: MlflowClient, study: str, stage: str = "") -> tracking_shared.Known:
    """The finished runs of a study, or of one of its stages, by the records that they show."""
    return tracking_shared.Known.of(client, tracking_store.experiment(client, study), stage)


def _join(client: MlflowClient, study: str) -> None:
    """Bring the settings of a study up to its transfer records."""
    folders = sorted(path.parent for path in paths.transferred(study, "").glob("*/record.json"))
    records = [(files.read_json(folder / "record.json"), folder) for folder in folders]
    every = ((record, tracking_view.times(record, folder)[:2]) for record, folder in records)
    found = tracking_groups.settings(every)
    tracking_groups.store(client, study, found, _finished(client, study, "transfer"))


@contextmanager
def _told() -> Iterator[None]:
    """For what a person asked of the store: its failure is an error, and not one to go on after."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"the MLflow store failed ({tracking_view.one_line(error)}). "
            f"Mend: check MLFLOW_TRACKING_URI, or delete {paths.MLRUNS}/mlflow.db and sync again"
        ) from error


def off() -> bool:
    """Whether nothing is to be tracked."""
    return os.environ.get("XSTILTS_TRACKING", "").lower() in {"off", "0", "no", "false"}


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
