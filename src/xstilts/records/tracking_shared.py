"""Whose runs are whose, where the store is a server that several people and clones write to.

A run shows one record at one commit. Clones that hold the same record at the same commit share its
run; another result, or the same one at another commit, is a run of its own. What joins seeds may be
deleted by the clone that wrote it alone, which a tag tells.
"""

from __future__ import annotations

import getpass
import os
import uuid
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xstilts.core import paths
from xstilts.records.tracking_store import is_own
from xstilts.records.tracking_view import RUN_KEY

if TYPE_CHECKING:
    from mlflow import MlflowClient

PARENT = "mlflow.parentRunId"
COMMIT = "mlflow.source.git.commit"
USER = "mlflow.user"
SYNCED = "xstilts.synced"  # a run that was made from records, not live
WORKSPACE = "xstilts.workspace"  # of what a clone has written and may delete: means over seeds
ANY = 50_000  # runs of a query, MLflow's most


@dataclass(frozen=True)
class Shown:
    """A finished run that shows a record."""

    run_id: str
    commit: str  # "" where it is not known
    parent: str | None = None
    synced: bool = False


class Known:
    """The finished runs of a study's experiment, by the keys of the records that they show."""

    def __init__(self, runs: Iterable[Any] = ()) -> None:
        self._by_key: dict[str, list[Shown]] = defaultdict(list)
        for run in runs:
            tags = run.data.tags
            if key := tags.get(RUN_KEY):
                facts = tags.get(COMMIT, ""), tags.get(PARENT), SYNCED in tags
                self.add(key, Shown(run.info.run_id, *facts))

    @staticmethod
    def of(client: MlflowClient, experiment_id: str, stage: str = "") -> Known:
        """Of an experiment, or of one stage there."""
        query = "attributes.status = 'FINISHED'" + (f" and tags.stage = '{stage}'" if stage else "")
        return Known(client.search_runs([experiment_id], query, max_results=ANY))

    def add(self, key: str, run: Shown) -> None:
        """One more."""
        self._by_key[key].append(run)

    def all(self, key: str) -> list[Shown]:
        """Every run that shows a record, at whatever commit."""
        return self._by_key.get(key, [])

    def find(self, key: str, commit: str) -> Shown | None:
        """The run of a record at a commit; one of which the commit is not known may be it."""
        same = [one for one in self.all(key) if one.commit == commit]
        unsure = [one for one in self.all(key) if not (one.commit and commit)]
        return next(iter([*same, *unsure]), None)

    def drop_twins(self, client: MlflowClient) -> None:
        """Delete runs that clones have made from one record at the same time, but for one.

        Which one does not depend on who asks.
        """
        for key, runs in self._by_key.items():
            by_commit: dict[str, list[str]] = defaultdict(list)
            for one in runs:
                if one.synced:
                    by_commit[one.commit].append(one.run_id)
            twins = {run_id for same in by_commit.values() for run_id in sorted(same)[1:]}
            for run_id in twins:
                with suppress(Exception):  # another clone may be faster
                    client.delete_run(run_id)
            self._by_key[key] = [one for one in runs if one.run_id not in twins]


def live_tags(client: MlflowClient) -> dict[str, str]:
    """Of a stage's own run: on a server who ran it, as MLflow itself tells."""
    if is_own(client):
        return {}
    try:
        return {USER: getpass.getuser()}
    except (KeyError, OSError):  # a container's user need not have a name
        return {}


def synced_tags(client: MlflowClient) -> dict[str, str]:
    """Of a run that is made from a record."""
    return {} if is_own(client) else {SYNCED: "true"}


def workspace(client: MlflowClient) -> str | None:
    """What this clone calls itself on a server: a random word; None where the store is its own."""
    if is_own(client):
        return None
    path = paths.MLRUNS / "workspace"
    mine = path.with_name(f".workspace.{os.getpid()}.tmp")
    with suppress(OSError):  # a folder that cannot be written
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            mine.write_text(uuid.uuid4().hex, encoding="ascii")
            with suppress(FileExistsError):  # another stage of this clone was faster
                os.link(mine, path)
            mine.unlink()
        return path.read_text(encoding="ascii")
    return uuid.uuid4().hex  # what it writes is nobody's to delete
