"""The best intermediate training for each target, chosen on source-language validation rows.

Phang et al. 2020 (arXiv 2005.13013v2, abstract) report the best model for each target task. Here
the choice is made for each target among all settings with intermediate training, the control with
shuffled labels left out: the highest validation value, mean over seeds. A target without
validation rows, which is scored as it is (retrieval), takes the setting with the best mean rank
over the targets that have them. Rows in other languages, and test rows, decide nothing. Of equals
the first in the order of the summary is taken.

What was chosen as the best of many looks better than it is, as luck chose along (the winner's
curse): the seeds that did well on validation rows did well on test rows, too. `corrected` makes the
choice once without each seed, and scores it on that seed alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean

import pyarrow as pa
from scipy.stats import rankdata

from xstilts.core.errors import UserError
from xstilts.core.params import Params
from xstilts.results.samples import Sample
from xstilts.results.scores import (
    ZERO_SHOT,
    Group,
    Row,
    Run,
    ScoreRow,
    group_of,
    group_order,
)
from xstilts.results.summary import TargetResult, tidy

Validation = Mapping[str, Mapping[Group, Mapping[int, float]]]  # target -> setting -> seed -> value

_COLUMNS = (
    ("study", pa.string(), "study file without its suffix"),
    ("target", pa.string(), "target task"),
    ("group", pa.string(), "the setting chosen: the run id without its seed"),
    ("by", pa.string(), "validation (of the target) | rank (mean over the validated targets)"),
    ("value", pa.float64(), "validation value, 0-100, mean over seeds; or the mean rank"),
    ("second", pa.string(), "the next best setting, or ''"),
    ("second_value", pa.float64(), "its value or mean rank, or null"),
    ("candidates", pa.int64(), "settings chosen from"),
    ("delta", pa.float64(), "gain of the choice in the zero-shot mean, as it looks; or null"),
    ("delta_corrected", pa.float64(), "the same, chosen without the seed it is scored on; or null"),
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
    out: dict[str, dict[Group, dict[int, float]]] = {}
    for target in named:
        found: dict[Group, dict[int, float]] = {}
        for run in runs:
            if run.group.method in ("none", "shuffled"):
                continue
            value = metrics[run.name].get(f"{target}.validation")
            if value is None:
                raise UserError(
                    f"the results of run {run.name} have no validation value of {target}, which"
                    " aggregate.best_per_target needs. Mend: delete them and `dvc repro`"
                )
            found.setdefault(run.group, {})[run.seed] = value
        out[target] = found
    return out


def choose(targets: Sequence[str], validation: Validation) -> list[Choice]:
    """A choice for each target, in their order; none where there is nothing to choose from."""
    values = {
        target: {group: fmean(seeds.values()) for group, seeds in groups.items()}
        for target, groups in validation.items()
    }
    ranks = mean_ranks(values)
    choices = []
    for target in targets:
        own = values.get(target)
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


def mean_ranks(values: Mapping[str, Mapping[Group, float]]) -> dict[Group, float]:
    """Mean rank over the targets, 1 the best; equals share the mean of their ranks.

    Args:
        values: target -> setting -> validation value.
    """
    parts = [own for own in values.values() if own]
    shared = [group for group in parts[0] if all(group in part for part in parts)] if parts else []
    ranks = [rankdata([-part[group] for group in shared]) for part in parts]
    return {group: float(fmean(r[index] for r in ranks)) for index, group in enumerate(shared)}


def corrected(target: str, sample: Sample, validation: Validation) -> float | None:
    """Score of `best` without the winner's curse; None where a setting has one seed alone.

    For each seed: the choice by the validation values of the other seeds, scored on this one. The
    mean over seeds is what a choice by S - 1 seeds is worth on a seed that it has not seen.
    """
    seeds = sorted(
        {seed for groups in validation.values() for own in groups.values() for seed in own}
    )
    scores = []
    for seed in seeds:
        others = {
            name: {
                group: {other: value for other, value in own.items() if other != seed}
                for group, own in groups.items()
            }
            for name, groups in validation.items()
        }
        if not all(own for groups in others.values() for own in groups.values()):
            return None
        (choice,) = choose([target], others)
        row = sample.rows.get((choice.group, seed))
        if row is not None:
            scores.append(float(sample.scores[row]))
    return fmean(scores) if scores else None


def chosen_rows(rows: Sequence[ScoreRow], choices: Sequence[Choice]) -> list[ScoreRow]:
    """Scores of the chosen runs under the name `best-s<seed>`, for the published aggregates."""
    chosen = {choice.target: choice.group for choice in choices}
    changed = {"method": "best", "variant": "", "task": "best", "source_language": "best"}
    return [
        replace(row, run=f"best-s{row.seed}", size=0, **changed)  # type: ignore[arg-type]
        for row in rows
        if group_of(row) == chosen.get(row.target)
    ]


def table_rows(
    study: str,
    choices: Sequence[Choice],
    results: Sequence[TargetResult],
    validation: Validation,
) -> list[Row]:
    """Rows of `SCHEMA`."""
    samples = {result.target.name: result.cells.get(ZERO_SHOT) for result in results}
    return [
        asdict(choice)
        | {
            "study": study,
            "group": choice.group.label,
            "value": tidy(choice.value),
            "second": choice.second.label if choice.second else "",
            "second_value": tidy(choice.second_value),
        }
        | _gains(choice, samples.get(choice.target), validation)
        for choice in choices
    ]


def _gains(choice: Choice, sample: Sample | None, validation: Validation) -> Row:
    """What the choice gains in the zero-shot mean: as it looks, and corrected."""
    none = sample.baseline if sample else None
    if sample is None or none is None:
        return {"delta": None, "delta_corrected": None}
    score = corrected(choice.target, sample, validation)
    baseline = sample.value({none: 1.0})
    return {
        "delta": tidy(sample.value({choice.group: 1.0}) - baseline),
        "delta_corrected": None if score is None else tidy(score - baseline),
    }
