"""Stage `subsample`: one seeded order of a task's training rows; size n is its first n rows.

Run by `xstilts subsample <task>-<language>-s<seed>` (or the key of a mix) or `dvc repro`. All
sizes are heads of the same order, so 1K lies inside 10K inside 100K. Rows with a label are ordered
so that every head keeps the labels' proportions to within one row; others are shuffled. Several
files are joined; with `smoothing: a` each gives a share ~ rows^a of every head, as long as its rows
last (Conneau and Lample 2019, section 3.1, where they are repeated; here no row is).
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from xstilts.core import files, paths
from xstilts.core.errors import UserError
from xstilts.core.params import Params, Subsample, Subset
from xstilts.core.progress import Observe, Record
from xstilts.records import record
from xstilts.rows.subsets import in_turn, ordered_rows, tables_of


def run(params: Params, key: str, observe: Observe) -> Record:
    """Write the subsets of `key`, and the validation rows that travel with them.

    Raises:
        UserError: a size is larger than the rows at hand, or files do not fit together.
    """
    spec = params.subsample[key]
    ordered: dict[tuple[object, ...], pa.Table] = {}
    counts: dict[str, int] = {}
    with (
        files.output_folder(paths.subsampled(params.study, key)) as out,
        observe.progress(f"subsample {key}", len(spec.subsets) + len(spec.copies)) as advance,
    ):
        for subset in spec.subsets:
            source = (*subset.rows, subset.smoothing)
            if source not in ordered:
                ordered[source] = ordered_rows(subset, spec.seed)
            table = ordered[source]
            counts[subset.out] = _size(subset, table, _is_mix(spec))
            files.write_parquet(out / f"{subset.out}.parquet", table.slice(0, counts[subset.out]))
            advance(1)
        for name, read in spec.copies.items():
            files.write_parquet(out / f"{name}.parquet", in_turn(tables_of(read)))
            advance(1)
        made = record.make(
            params,
            "subsample",
            key,
            spec,
            inputs=inputs_of(spec),
            metrics={f"rows.{name}": float(count) for name, count in counts.items()},
        )
        files.write_json(out / "record.json", made)
    return made


def inputs_of(spec: Subsample) -> list[Path]:
    """All prepared files that are read, each once."""
    read = [subset.rows for subset in spec.subsets] + list(spec.copies.values())
    return [Path(name) for name in dict.fromkeys(name for names in read for name in names)]


def _is_mix(spec: Subsample) -> bool:
    """Whether there are several sources: a task then gives all it has and no more is asked."""
    return len({tuple(subset.rows) for subset in spec.subsets}) > 1


def _size(subset: Subset, table: pa.Table, mix: bool) -> int:
    """A size as a number of rows."""
    have = int(table.num_rows)
    if subset.size == "all":
        return have
    if mix and subset.size > 0:
        return min(subset.size, have)
    if not 0 < subset.size <= have:
        raise UserError(
            f"subset of {subset.size} rows of {subset.task}: there are {have} training rows at "
            f"hand ({', '.join(subset.rows)}). Mend: take a size up to {have}, or `all`"
        )
    return subset.size
