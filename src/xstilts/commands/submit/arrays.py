"""Missing cells as arrays of jobs, and which array waits for which.

Two kinds of waiting. A run's next stage follows its own job: `transfer` of a run starts when
`intermediate` of that run has succeeded, whatever the others do. All else waits until what it reads
has ended, well or not: a failed cell must not hold up those that do not read from it, so a job
looks at the markers itself before it runs a cell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from xstilts.commands.graph import Cell
from xstilts.commands.submit.ledger import Array
from xstilts.core import flow
from xstilts.core.cluster import Cluster


def arranged(cells: Mapping[str, Cell], cluster: Cluster) -> list[Array]:
    """Arrays of some cells, in the order in which they are to be submitted.

    Args:
        cells: those to be run; what they read from and is not among them is there.
    """
    found: list[Array] = []
    count: Counter[str] = Counter()
    place: dict[str, tuple[str, int]] = {}  # cell -> its array and job
    for group in _levels(cells):
        word = group[0].word
        for jobs, follows in list(_jobs(group, place, cluster)):
            count[word] += 1
            name = word if count[word] == 1 else f"{word}-{count[word]}"
            members = [cell for some in jobs.values() for cell in some]
            read = {place[one][0] for cell in members for one in cells[cell].after if one in place}
            after = [one.name for one in found if one.name in read - {follows}]
            found.append(Array(name, word, jobs, after, follows))
            place |= {cell: (name, job) for job, some in jobs.items() for cell in some}
    return found


def _levels(cells: Mapping[str, Cell]) -> Iterator[list[Cell]]:
    """Cells of one stage that read from none of the same group; the words in their order."""
    depth: dict[str, int] = {}
    for cell in cells.values():  # those first that others read from
        same = [depth[one] for one in cell.after if one in depth and cells[one].word == cell.word]
        depth[cell.name] = 1 + max(same, default=-1)
    ranks = {cell.name: (_rank(cell.word), depth[cell.name]) for cell in cells.values()}
    for rank in sorted(set(ranks.values())):
        yield [cell for cell in cells.values() if ranks[cell.name] == rank]


def _jobs(
    group: Iterable[Cell], place: Mapping[str, tuple[str, int]], cluster: Cluster
) -> Iterator[tuple[dict[int, list[str]], str | None]]:
    """Jobs of a group's cells, an array at a time, with the array that they follow, if any."""
    chained: dict[str, dict[int, list[str]]] = {}
    rest: list[str] = []
    for cell in group:
        before = _same_run(cell)
        if before is not None and before in place:
            array, job = place[before]
            chained.setdefault(array, {}).setdefault(job, []).append(cell.name)
        else:
            rest.append(cell.name)
    yield from ((dict(sorted(jobs.items())), array) for array, jobs in chained.items())
    size = cluster.asked(cell.word).cells_per_job
    parts = [rest[start : start + size] for start in range(0, len(rest), size)]
    for start in range(0, len(parts), cluster.array_limit):
        yield dict(enumerate(parts[start : start + cluster.array_limit])), None


def _same_run(cell: Cell) -> str | None:
    """The last stage that a cell reads from of the same run, or of a study where it has one."""
    run = cell.name.partition("@")[2]
    same = [one for one in cell.after if one.partition("@")[2] == run]
    return max(same, key=lambda one: _rank(one.partition("@")[0]), default=None)


def _rank(word: str) -> int:
    """The place of a stage in the flow; one that somebody has added comes first."""
    return flow.WORDS.index(word) if word in flow.WORDS else -1
