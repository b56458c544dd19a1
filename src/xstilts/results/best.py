"""The best intermediate training for each target, chosen on source-language validation rows.

Phang et al. 2020 (arXiv 2005.13013v2, abstract) report the best model for each target task. Here
the choice is made for each target among all settings with intermediate training, the control with
shuffled labels left out: the highest validation value, mean over seeds. A target without
validation rows, which is scored as it is (retrieval), takes the setting with the best mean rank
over the targets that have them. Rows in other languages, and test rows, decide nothing. Of equals
the first in the order of the summary is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean

import pyarrow as pa
from scipy.stats import rankdata

from xstilts.core.errors import UserError
from xstilts.core.params import Params
from xstilts.results.scores import BEST, DECIMALS, Group, Row, Run, ScoreRow, group_of, group_order
from xstilts.results.summary import TargetResult

Validation = Mapping[str, Mapping[Group, float]]  # target -> setting -> value, mean over seeds

_COLUMNS = (
    ("study", pa.string(), "study file without its suffix"),
    ("target", pa.string(), "target task"),
    ("group", pa.string(), "the setting chosen: the run id without its seed"),
    ("by", pa.string(), "validation (of the target) | rank (mean over the validated targets)"),
    ("value", pa.float64(), "validation value, 0-100, mean over seeds; or the mean rank"),
    ("second", pa.string(), "the next best setting, or ''"),
    ("second_value", pa.float64(), "its value or mean rank, or null"),
    ("candidates", pa.int64(), "settings chosen from"),
)
SCHEMA = pa.schema(
    [pa.field(name, kind, metadata={"description": text}) for name, kind, text in _COLUMNS]
)


@dataclass(frozen=True)
class Choice:
    """The setting that stands for `best` in one target; see `SCHEMA`."""

    target: str
    group: Group
    by: str
    value: float
    second: Group | None
    second_value: float | None
    candidates: int


def read(
    params: Params, runs: Sequence[Run], metrics: Mapping[str, Mapping[str, float]]
) -> Validation:
    """Validation values of the settings with intermediate training.

    Args:
        runs: the runs of the study.
        metrics: run -> `metrics` of its transfer record, with `<target>.validation` from 0 to 100.

    Raises:
        UserError: no target has validation rows, or a run has no value for one that has.
    """
    named = [name for name, spec in params.targets.items() if spec.validation]
    if not named:
        raise UserError(
            "aggregate.best_per_target: no target of the study has validation rows."
            " Mend: add a target that is fine-tuned, or leave the option out"
        )
    out: dict[str, dict[Group, float]] = {}
    for target in named:
        found: dict[Group, list[float]] = {}
        for run in runs:
            if run.group.method in ("none", "shuffled"):
                continue
            value = metrics[run.name].get(f"{target}.validation")
            if value is None:
                raise UserError(
                    f"the results of run {run.name} have no validation value of {target}, which"
                    " aggregate.best_per_target needs. Mend: delete them and `dvc repro`"
                )
            found.setdefault(run.group, []).append(value)
        out[target] = {group: fmean(values) for group, values in found.items()}
    return out


def choose(targets: Sequence[str], validation: Validation) -> list[Choice]:
    """A choice for each target, in their order; none where there is nothing to choose from."""
    ranks = mean_ranks(validation)
    choices = []
    for target in targets:
        own = validation.get(target)
        scores = {group: -value for group, value in own.items()} if own else ranks
        ordered = sorted(scores, key=lambda group: (scores[group], group_order(group)))
        shown = own or ranks
        if ordered:
            second = ordered[1] if len(ordered) > 1 else None
            choices.append(
                Choice(
                    target,
                    ordered[0],
                    "validation" if own else "rank",
                    shown[ordered[0]],
                    second,
                    None if second is None else shown[second],
                    len(ordered),
                )
            )
    return choices


def mean_ranks(validation: Validation) -> dict[Group, float]:
    """Mean rank over the targets, 1 the best; equals share the mean of their ranks."""
    parts = [values for values in validation.values() if values]
    shared = [group for group in parts[0] if all(group in part for part in parts)] if parts else []
    ranks = [rankdata([-part[group] for group in shared]) for part in parts]
    return {group: float(fmean(r[index] for r in ranks)) for index, group in enumerate(shared)}


def add(results: Sequence[TargetResult], choices: Sequence[Choice]) -> None:
    """Enter the group `best` into each target's cells: the very draws of the chosen group.

    Its intervals and differences ignore that the choice might fall otherwise on other rows.
    """
    chosen = {choice.target: choice.group for choice in choices}
    for result in results:
        group = chosen.get(result.target.name)
        for cell in result.cells.values():
            if group in cell:
                cell[BEST] = cell[group]


def chosen_rows(rows: Sequence[ScoreRow], choices: Sequence[Choice]) -> list[ScoreRow]:
    """Scores of the chosen runs under the name `best-s<seed>`, for the published aggregates."""
    chosen = {choice.target: choice.group for choice in choices}
    changed = {"method": "best", "variant": "", "task": "best", "source_language": "best"}
    return [
        replace(row, run=f"best-s{row.seed}", size=0, **changed)  # type: ignore[arg-type]
        for row in rows
        if group_of(row) == chosen.get(row.target)
    ]


def table_rows(study: str, choices: Sequence[Choice]) -> list[Row]:
    """Rows of `SCHEMA`."""
    return [
        asdict(choice)
        | {
            "study": study,
            "group": choice.group.label,
            "value": _tidy(choice.value),
            "second": choice.second.label if choice.second else "",
            "second_value": _tidy(choice.second_value),
        }
        for choice in choices
    ]


def _tidy(value: float | None) -> float | None:
    return None if value is None else round(value, DECIMALS)
