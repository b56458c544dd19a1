"""Which MLflow run tells of a record: asked of the project's own store, without MLflow.

MLflow takes two seconds to open a store and makes one where there is none; a question by a person
should do neither. A tracking server is not asked.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from xstilts.core import paths
from xstilts.records import tracking_view

QUERY = """
select runs.run_uuid, runs.experiment_id from runs join tags on tags.run_uuid = runs.run_uuid
where tags.key = ? and tags.value = ? and runs.lifecycle_stage = 'active'
order by runs.status = 'FINISHED' desc, runs.start_time desc
"""


def run_of(record: dict[str, Any]) -> tuple[str, str] | None:
    """(run id, experiment id) of the MLflow run that tells of a record; None where none is found.

    The live run of a stage and the one that `xstilts track sync` makes carry the same tag.
    """
    path = database()
    if path is None:
        return None
    asked = (tracking_view.RUN_KEY, tracking_view.run_key(record))
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as store:
            found = store.execute(QUERY, asked).fetchone()
    except sqlite3.Error:  # another program's file, or a newer MLflow's
        return None
    return None if found is None else (str(found[0]), str(found[1]))


def is_file() -> bool:
    """Whether the store is a file: for the processes of one machine, as SQLite's locks are."""
    given = os.environ.get("MLFLOW_TRACKING_URI", "")
    return not given or given.startswith("sqlite:")


def database() -> Path | None:
    """The store's file; None where it is a server, or where nothing was tracked yet."""
    given = os.environ.get("MLFLOW_TRACKING_URI", "")
    if given and not given.startswith("sqlite:///"):
        return None
    path = Path(given.removeprefix("sqlite:///")) if given else paths.MLRUNS / "mlflow.db"
    return path if path.is_file() else None
