"""The published aggregates of XTREME and XTREME-R, for each run and each group of a study.

As the official `evaluate.py` has them: a task's score is the mean over all languages of the
protocol's list, English too; of extractive QA it is the mean of F1 and exact match; a group of
tasks and the whole benchmark are means over tasks. None of these is given over a part of what
belongs to it: what is missing is named instead. Languages that the protocol does not list do not
count. `stages/aggregate.py` writes the rows to `benchmark.parquet`, whose schema is here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev

import pyarrow as pa

from xstilts.benchmarks import protocols, signature
from xstilts.benchmarks.protocols import Protocol
from xstilts.core.params import Target
from xstilts.results.scores import DECIMALS, Group, Row, ScoreRow, group_of, group_order

TASK, GROUP, ALL = "task", "group", "all"  # levels
SCORE = "score"  # the metric of a row that is no single value of a metric
Values = Mapping[str, Mapping[str, Mapping[str, float]]]  # task -> language -> metric -> 0-100
_Values = dict[str, dict[str, dict[str, float]]]

_COLUMNS = (
    ("study", pa.string(), "study file without its suffix"),
    ("protocol", pa.string(), "xtreme | xtreme-r | x-stilts"),
    ("level", pa.string(), "task | group (of tasks) | all (the whole benchmark)"),
    ("name", pa.string(), "name of the task or group of tasks, or 'all'"),
    ("metric", pa.string(), "'score' (what is aggregated), or one value of a task: f1, ..."),
    ("group", pa.string(), "setting: the run id without its seed"),
    ("method", pa.string(), "single | shuffled | multi | mlm | none | best"),
    ("variant", pa.string(), "what is unlike the study's own training, or ''"),
    ("task", pa.string(), "intermediate task, or name of a mix"),
    ("source_language", pa.string(), "language of the intermediate rows"),
    ("size", pa.int64(), "intermediate rows trained on"),
    ("run", pa.string(), "run id; '' in the row of a setting, over its runs"),
    ("seeds", pa.int64(), "runs behind the value: 1 in the row of a run"),
    ("value", pa.float64(), "0-100, mean over runs; null where something is missing"),
    ("sd", pa.float64(), "sample standard deviation over runs; null for fewer than two"),
    ("missing", pa.string(), "what is missing for a value; '' where nothing is"),
)
SCHEMA = pa.schema(
    [pa.field(name, kind, metadata={"description": text}) for name, kind, text in _COLUMNS]
)


@dataclass(frozen=True)
class Line:
    """One aggregate of one set of scores."""

    level: str
    name: str
    metric: str
    value: float | None  # 0-100; None where something is missing
    missing: str  # what, in words; "" where nothing is


def lines(protocol: Protocol, values: Values) -> list[Line]:
    """All aggregates of a protocol: each task and its parts, each group, the whole.

    Args:
        values: what was scored; languages and tasks outside the protocol are ignored.
    """
    found = {task: _task_lines(protocol, task, values.get(task, {})) for task in protocol.languages}
    whole = {task: of_task[0] for task, of_task in found.items()}
    out = [line for of_task in found.values() for line in of_task]
    for group, tasks in protocol.groups.items():
        out.append(_joined(GROUP, group, [whole[task] for task in tasks]))
    return [*out, _joined(ALL, ALL, list(whole.values()))]


def _task_lines(
    protocol: Protocol, task: str, values: Mapping[str, Mapping[str, float]]
) -> list[Line]:
    """A task's score and, where that joins several values, each of these."""
    languages, names = protocol.languages[task], protocol.values[task]
    lacking = [one for one in languages if any(name not in values.get(one, {}) for name in names)]
    if lacking:
        missing = f"{task} in {' '.join(lacking)}" if len(lacking) < len(languages) else task
        return [Line(TASK, task, metric, None, missing) for metric in _metrics(names)]
    parts = [fmean(values[one][name] for one in languages) for name in names]
    found = [fmean(parts), *parts]
    metrics = _metrics(names)
    return [
        Line(TASK, task, metric, value, "") for metric, value in zip(metrics, found, strict=False)
    ]


def _metrics(names: Sequence[str]) -> list[str]:
    return [SCORE, *names] if len(names) > 1 else [SCORE]


def _joined(level: str, name: str, parts: Sequence[Line]) -> Line:
    """Mean over tasks, if all are whole."""
    missing = "; ".join(part.missing for part in parts if part.value is None)
    values = [part.value for part in parts if part.value is not None]
    return Line(level, name, SCORE, None if missing else fmean(values), missing)


def rows(study: str, scores: Iterable[ScoreRow]) -> list[Row]:
    """Rows of `SCHEMA` for each protocol of which at least one task was scored.

    First each setting, over its runs, then each run; settings in the order of the summary.

    Raises:
        UserError: scores of one target are of several kinds; see `signature.check`.
    """
    scores = list(scores)
    signature.check(scores)
    out: list[Row] = []
    for name, runs in sorted(_by_protocol(scores).items()):
        protocol = protocols.get(name)
        found = {key: lines(protocol, values) for key, values in sorted(runs.items())}
        for group in sorted({group for group, _ in found}, key=group_order):
            own = {run: aggregates for (key, run), aggregates in found.items() if key == group}
            out += [_row(study, name, group, "", same) for same in zip(*own.values(), strict=True)]
            for run, aggregates in own.items():
                out += [_row(study, name, group, run, (line,)) for line in aggregates]
    return out


def members(protocol: Protocol, level: str, name: str) -> Sequence[str]:
    """The tasks that a task, a group or the whole is made of."""
    if level == TASK:
        return [name]
    return protocol.groups[name] if level == GROUP else list(protocol.languages)


def unmixed(found: Iterable[Row], targets: Mapping[str, Target]) -> list[Row]:
    """Rows of `SCHEMA` without the means that join tasks on test rows and on validation rows.

    Their value is null, and `missing` says which task is on which rows.
    """
    out = []
    study = {name: signature.of_study(one, targets) for name, one in protocols.PROTOCOLS.items()}
    for row in found:
        scored = study[row["protocol"]]
        parts = members(protocols.get(row["protocol"]), row["level"], row["name"])
        apart = signature.mixed(scored[task] for task in parts if task in scored)
        out.append(row | {"value": None, "sd": None, "missing": apart} if apart else row)
    return out


def _by_protocol(scores: Iterable[ScoreRow]) -> dict[str, dict[tuple[Group, str], _Values]]:
    """Protocol -> (setting, run) -> values of the tasks that belong to the protocol."""
    out: dict[str, dict[tuple[Group, str], _Values]] = {}
    for row in scores:
        protocol = protocols.PROTOCOLS.get(row.protocol)
        if protocol is not None and row.target in protocol.languages:
            values = out.setdefault(row.protocol, {}).setdefault((group_of(row), row.run), {})
            values.setdefault(row.target, {}).setdefault(row.language, {})[row.metric] = row.value
    return out


def _row(study: str, protocol: str, group: Group, run: str, same: Sequence[Line]) -> Row:
    """One aggregate over the runs of a setting, or of one run."""
    first = next((line for line in same if line.missing), same[0])
    found = [line.value for line in same if line.value is not None]
    whole = len(found) == len(same)
    return {
        "study": study,
        "protocol": protocol,
        "level": first.level,
        "name": first.name,
        "metric": first.metric,
        "group": group.label,
        **asdict(group),
        "run": run,
        "seeds": len(same),
        "value": round(fmean(found), DECIMALS) if whole else None,
        "sd": round(stdev(found), DECIMALS) if whole and len(found) > 1 else None,
        "missing": first.missing,
    }
