"""Stage `subsample`: one seeded order of a task's training rows; size n is its first n rows.

Run by `xstilts subsample <task>-<language>-s<seed>` or `dvc repro`. All sizes are heads of the same
order, so 1K lies inside 10K inside 100K. Rows with a label are ordered so that every head keeps the
labels' proportions to within one row; others are shuffled.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from xstilts import files, paths, record
from xstilts.errors import UserError
from xstilts.observe import Observe, Record
from xstilts.params import Params, Subsample

ALL = ("all", 0)  # two ways to ask for every row; the file is `all.parquet`


def run(params: Params, key: str, observe: Observe) -> Record:
    """Write the subsets of `key`, a task, language and seed.

    Raises:
        UserError: a size is larger than the rows at hand.
    """
    spec = params.subsample[key]
    table = files.read_parquet(Path(spec.rows))
    sizes = {"all" if size in ALL else size: _rows_of(size, table, spec) for size in spec.sizes}
    labels = table["label"].to_pylist() if "label" in table.column_names else None
    ordered = table.take(pa.array(order(table.num_rows, spec.seed, labels)))
    with (
        files.output_folder(paths.subsampled(params.study, key)) as out,
        observe.progress(f"subsample {key}", len(sizes)) as advance,
    ):
        for name, size in sizes.items():
            files.write_parquet(out / f"{name}.parquet", ordered.slice(0, size))
            advance(1)
        made = record.make(
            params,
            "subsample",
            key,
            spec,
            inputs=[Path(spec.rows)],
            metrics={f"rows.{name}": float(size) for name, size in sizes.items()},
        )
        files.write_json(out / "record.json", made)
    return made


def _rows_of(size: int | str, table: pa.Table, spec: Subsample) -> int:
    """A size as a number of rows."""
    if size in ALL:
        return int(table.num_rows)
    if not isinstance(size, int) or not 0 < size <= table.num_rows:
        raise UserError(
            f"subset of {size} rows of {spec.task} in {spec.language!r}: there are "
            f"{table.num_rows} training rows at hand ({spec.rows}). "
            f"Mend: take a size up to {table.num_rows}, or `all`"
        )
    return size


def order(count: int, seed: int, labels: Sequence[Hashable] | None = None) -> np.ndarray:
    """A seeded order of `count` rows, the same on every machine and with every numpy.

    Args:
        labels: one a row; then each head of n rows holds, of every label, its share of n to within
            less than one row.

    Returns:
        int64 [count], a permutation.
    """
    # Raw draws: numpy keeps PCG64's stream as it is, but not what `permutation` makes of it.
    draws = np.random.PCG64(seed).random_raw(count)
    shuffled = np.argsort(draws, kind="stable").astype(np.int64)
    if labels is None:
        return shuffled
    groups: dict[Hashable, list[int]] = {}
    for row in shuffled.tolist():
        groups.setdefault(labels[row], []).append(row)
    if len(groups) < 2:
        return shuffled
    turns = interleave([len(rows) for rows in groups.values()])
    queues = [iter(rows) for rows in groups.values()]
    return np.array([next(queues[turn]) for turn in turns], dtype=np.int64)


def interleave(counts: Sequence[int]) -> list[int]:
    """Take turns among groups so that every head has each group's share to within one.

    Tijdeman's chairman assignment: of the groups that are behind their share, the one comes next
    that would soonest be too far behind; the gap then stays under 1 - 1/(2k - 2) for k groups.
    Whole numbers only, so no rounding decides.

    Args:
        counts: rows of each group, two groups or more.

    Returns:
        Indices of groups, as many as there are rows.
    """
    total, slack = sum(counts), 2 * len(counts) - 2
    taken = [0] * len(counts)
    turns = []
    for step in range(1, total + 1):
        best: tuple[int, int] | None = None  # (deadline's numerator, group)
        for group, count in enumerate(counts):
            behind = slack * (count * step - taken[group] * total)
            if taken[group] == count or behind < total:
                continue
            # the last step by which this group must come: (taken + 1 - 1/slack) * total / count
            due = total * (slack * (taken[group] + 1) - 1)
            if best is None or due * counts[best[1]] < best[0] * count:
                best = (due, group)
        assert best is not None, "some group is always behind its share"
        taken[best[1]] += 1
        turns.append(best[1])
    return turns
