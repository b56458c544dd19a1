"""Cells as arrays of jobs: which share a job, which array waits for which, and a site's limits."""

from __future__ import annotations

from xstilts.commands.graph import Cell
from xstilts.commands.submit.arrays import arranged
from xstilts.commands.submit.ledger import Array
from xstilts.commands.submit.slurm import dependency, indices
from xstilts.core.cluster import Cluster


def cell(name: str, *after: str) -> Cell:
    """A stage that reads from others."""
    return Cell(name, f"xstilts {name}", name, after, {}, (), True)


def study(runs: int) -> dict[str, Cell]:
    """A base model, runs of both phases, one run without the first, and what joins them."""
    cells = [cell("pretrain@s")]
    cells += [cell(f"intermediate@s/r{i}", "pretrain@s") for i in range(runs)]
    trained = [cell(f"transfer@s/r{i}", f"intermediate@s/r{i}", "pretrain@s") for i in range(runs)]
    cells += [cell("transfer@s/none", "pretrain@s"), *trained]
    cells.append(cell("aggregate@s", *(one.name for one in cells if one.word == "transfer")))
    return {one.name: one for one in cells}


def arrays(runs: int, **cluster: object) -> dict[str, Array]:
    """Their arrays, by name."""
    return {one.name: one for one in arranged(study(runs), Cluster.model_validate(cluster))}


def test_a_run_keeps_its_number_from_phase_to_phase() -> None:
    """By which SLURM starts it as soon as its own first phase has succeeded."""
    found = arrays(5, cells_per_job=2)
    first, second = found["intermediate"], found["transfer"]
    assert second.follows == "intermediate"
    assert second.after == ["pretrain"], "and not the whole first phase"
    for number, names in first.jobs.items():
        assert [name.partition("/")[2] for name in names] == [
            name.partition("/")[2] for name in second.jobs[number]
        ]
    assert found["transfer-2"].jobs == {0: ["transfer@s/none"]}
    assert found["transfer-2"].follows is None
    assert found["aggregate"].after == ["transfer", "transfer-2"]


def test_a_run_that_is_half_done_leaves_a_hole() -> None:
    """Numbers stay those of the array that is followed."""
    cells = study(3)
    cells.pop("transfer@s/r1")  # done, of an encoder that was deleted since
    found = {one.name: one for one in arranged(cells, Cluster.model_validate({}))}
    assert indices(found["transfer"].jobs) == "0,2"


def test_no_array_is_larger_than_a_site_allows() -> None:
    """And none is lost where there are several."""
    found = arrays(25, array_limit=10)
    parts = [one for one in found.values() if one.word == "intermediate"]
    assert [len(one.jobs) for one in parts] == [10, 10, 5]
    followed = {one.name: one.follows for one in found.values() if one.word == "transfer"}
    assert list(followed.values()) == ["intermediate", "intermediate-2", "intermediate-3", None]
    names = [name for one in found.values() for some in one.jobs.values() for name in some]
    assert sorted(names) == sorted(study(25))


def test_what_an_array_waits_for_is_said_in_slurm_s_words() -> None:
    """afterany does not ask how it ended; aftercorr does, job by job."""
    array = Array("transfer", "transfer", {0: ["x"]}, ["check", "pretrain"], "intermediate")
    given = {"check": "11", "pretrain": "12", "intermediate": "13"}
    assert dependency(array, given) == "afterany:11:12,aftercorr:13"
    assert dependency(Array("fetch", "fetch", {}), {}) == ""
    assert indices([3, 0, 1, 2, 7, 9, 10]) == "0-3,7,9-10"
