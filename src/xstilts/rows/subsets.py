"""One seeded order of rows, the heads of which are the nested subsets. Used by `subsample`."""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from xstilts.core import files
from xstilts.core.errors import UserError
from xstilts.core.params import Subset


def tables_of(names: Sequence[str]) -> list[pa.Table]:
    """Prepared files; ids of several become `<file number>:<id>`, so that none is double.

    Raises:
        UserError: a file is missing or corrupt, or the files have unlike columns.
    """
    tables = [files.read_parquet(Path(name)) for name in names]
    if len(tables) == 1:
        return tables
    for name, table in zip(names, tables, strict=True):
        if table.schema != tables[0].schema:
            raise UserError(
                f"{name} and {names[0]} cannot be joined: their columns differ. "
                "Mend: join tasks of one kind"
            )
    return [_numbered(table, number) for number, table in enumerate(tables)]


def _numbered(table: pa.Table, number: int) -> pa.Table:
    """A table whose ids say which file they are of."""
    place = table.column_names.index("id")
    ids = pa.array([f"{number}:{name}" for name in table["id"].to_pylist()], pa.string())
    return table.set_column(place, table.schema.field("id"), ids)


def in_turn(tables: Sequence[pa.Table]) -> pa.Table:
    """Row 0 of each table, then row 1 of each: a head is as much of each, while its rows last."""
    turns = sorted((row, number) for number, one in enumerate(tables) for row in range(len(one)))
    starts = np.cumsum([0, *(len(table) for table in tables)])
    places = [int(starts[number]) + row for row, number in turns]
    return pa.concat_tables(tables).take(pa.array(places, pa.int64()))


def ordered_rows(subset: Subset, seed: int) -> pa.Table:
    """All rows of a source in the order that its sizes are heads of."""
    tables = tables_of(subset.rows)
    if subset.smoothing is None or len(tables) == 1:
        joined = pa.concat_tables(tables)
        return joined.take(pa.array(order(joined.num_rows, seed, _labels(joined))))
    # Aligned translations have equal numbers of rows: each file needs an order of its own.
    own = [
        table.take(pa.array(order(table.num_rows, [seed, number], _labels(table))))
        for number, table in enumerate(tables)
    ]
    counts = [table.num_rows for table in tables]
    starts = np.cumsum([0, *counts[:-1]])
    taken = [0] * len(counts)
    rows = []
    for turn in smoothed(counts, subset.smoothing):
        rows.append(int(starts[turn]) + taken[turn])
        taken[turn] += 1
    return pa.concat_tables(own).take(pa.array(rows, pa.int64()))


def _labels(table: pa.Table) -> list[Hashable] | None:
    """What heads keep the proportions of, if the rows have it."""
    return table["label"].to_pylist() if "label" in table.column_names else None


def smoothed(counts: Sequence[int], power: float) -> list[int]:
    """Take turns among files so that each has a share ~ count^power of every head.

    A file whose rows are used up drops out, and the others share what follows.

    Args:
        counts: rows of each file.
        power: 1 keeps the files' proportions, 0 would make all equal.

    Returns:
        Indices of files, as many as there are rows.
    """
    # Rounded, so that the last bit of a machine's power function decides no order.
    weights = [round(count**power, 6) for count in counts]
    queue = [(0.5 / weight, place) for place, weight in enumerate(weights) if counts[place]]
    heapq.heapify(queue)
    taken = [0] * len(counts)
    turns = []
    while queue:
        _, place = heapq.heappop(queue)
        turns.append(place)
        taken[place] += 1
        if taken[place] < counts[place]:
            heapq.heappush(queue, ((taken[place] + 0.5) / weights[place], place))
    return turns


def order(
    count: int, seed: int | Sequence[int], labels: Sequence[Hashable] | None = None
) -> np.ndarray:
    """A seeded order of `count` rows, the same on every machine and with every numpy.

    Args:
        labels: one a row; then each head of n rows holds, of every label, its share of n to within
            less than one row.

    Returns:
        int64 [count], a permutation.
    """
    # Raw draws: numpy keeps PCG64's stream as it is, but not what `permutation` makes of it.
    draws = np.random.PCG64(np.random.SeedSequence(seed)).random_raw(count)
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
