"""Mean and spread over seeds: each setting of a study as a run of its own, above its seeds' runs.

MLflow's table groups runs by a tag, too, and gives each group a mean; but no spread, and only over
the runs that the page has loaded. So what joins the seeds is computed here, from their records.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from xstilts.core import files
from xstilts.records import tracking_store, tracking_view
from xstilts.records.tracking_shared import ANY, PARENT, WORKSPACE, Known, workspace
from xstilts.records.tracking_view import RUN_KEY, SETTING

if TYPE_CHECKING:
    from mlflow import MlflowClient

DIGITS = 3  # of a mean and an SD in points
Json = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """Runs that differ in their seed alone.

    Attributes:
        metrics: name -> mean (of scores; a loss is no result), `<target>.zero_shot.sd` -> standard
            deviation of two or more seeds, `seeds`. An SD of each language, too, would double what
            the table of settings loads; the report has intervals.
        keys: run keys of the seeds' records.
        times: start of the first run and end of the last, in ms.
    """

    name: str
    tags: dict[str, str]
    metrics: dict[str, float]
    keys: list[str]
    times: tuple[int, int]

    @property
    def key(self) -> str:
        """What tells it from the same setting with other seeds or other results."""
        return files.sha256_json([self.name, self.keys])


def settings(records: Iterable[tuple[Json, tuple[int, int]]]) -> list[Setting]:
    """The settings of transfer records, each given with its start and end."""
    found: dict[str, list[tuple[Json, tuple[int, int]]]] = {}
    for record, times in records:
        name = tracking_view.setting(record)
        if record["stage"] == "transfer" and name:
            found.setdefault(name, []).append((record, times))
    return [_setting(name, found[name]) for name in sorted(found)]


def _setting(name: str, seeds: list[tuple[Json, tuple[int, int]]]) -> Setting:
    seeds = sorted(seeds, key=lambda one: one[0]["params"]["seed"])
    records, times = [record for record, _ in seeds], [times for _, times in seeds]
    facts = tracking_view.facts(records[0]["params"])
    tags = {"stage": SETTING, SETTING: name, "study": records[0]["study"], **facts}
    tags["seed"] = ", ".join(str(record["params"]["seed"]) for record in records)
    metrics = {"seeds": float(len(records))}
    for metric in records[0]["metrics"]:
        if metric in records[0].get("curves", {}):
            continue
        values = [one["metrics"][metric] for one in records if metric in one["metrics"]]
        metrics[metric] = round(fmean(values), DIGITS)
        if len(values) > 1 and metric.endswith(".zero_shot"):
            metrics[f"{metric}.sd"] = round(stdev(values), DIGITS)
    keys = [tracking_view.run_key(record) for record in records]
    return Setting(name, tags, metrics, keys, (min(t[0] for t in times), max(t[1] for t in times)))


def store(client: MlflowClient, study: str, every: list[Setting], runs: Known) -> None:
    """Write the settings that are new or changed, and put their seeds' runs under them.

    On a server, settings of other clones stay, and so do the seeds that lie under them.

    Args:
        runs: the finished runs of the study's experiment.
    """
    place, mine = tracking_store.experiment(client, study), workspace(client)
    present, others = _present(client, place, {one.name: one.key for one in every}, mine)
    written = {one.name: present.get(one.name) or _write(client, place, one, mine) for one in every}
    there = {*written.values(), *others}
    for one in every:
        for shown in (shown for key in one.keys for shown in runs.all(key)):
            if shown.parent not in there:
                client.set_tag(shown.run_id, PARENT, written[one.name])
    if every:
        names = list(dict.fromkeys(name for one in every for name in one.metrics))
        tracking_store.show(client, study, dict([tracking_view.view(SETTING, names)]))


def _present(
    client: MlflowClient, place: str, wanted: dict[str, str], mine: str | None
) -> tuple[dict[str, str], list[str]]:
    """Name -> run id of the settings that are there already, and the run ids of other clones'.

    Deletes those of this clone that are of other seeds or results, and what was made twice.
    """
    same: dict[str, list[str]] = {}
    others = []
    query = ([place], f"tags.stage = '{SETTING}'")
    for run in client.search_runs(*query, max_results=ANY):
        name, tags, run_id = run.data.tags.get(SETTING, ""), run.data.tags, run.info.run_id
        if name in wanted and tags.get(RUN_KEY) == wanted[name]:
            same.setdefault(name, []).append(run_id)
        elif mine is not None and tags.get(WORKSPACE) != mine:
            others.append(run_id)
        elif name in wanted:
            client.delete_run(run_id)
    for twins in same.values():
        for run_id in sorted(twins)[1:]:
            client.delete_run(run_id)
    return {name: min(twins) for name, twins in same.items()}, others


def _write(client: MlflowClient, place: str, one: Setting, mine: str | None) -> str:
    """Make the run of a setting; its key comes last, so that a half-written one is made again."""
    start, end = one.times
    tags = one.tags if mine is None else {**one.tags, WORKSPACE: mine}
    run = client.create_run(place, start, tags, run_name=f"{SETTING} {one.name}")
    run_id = str(run.info.run_id)
    metrics = [(name, value, end, 0, None) for name, value in one.metrics.items()]
    tracking_store.send(client, run_id, metrics=metrics)
    client.set_terminated(run_id, "FINISHED", end)
    client.set_tag(run_id, RUN_KEY, one.key)
    return run_id
