"""Subsets are nested, keep the labels' proportions, and are the same everywhere."""

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.core import params as parameters
from xstilts.core.errors import UserError
from xstilts.core.files import read_parquet, sha256_file, write_parquet
from xstilts.core.progress import Observe
from xstilts.rows import subsets
from xstilts.stages import subsample

QUIET = Observe(quiet=True)
KEY = "mnli-en-s1"
FOLDER = Path("data/subsample/s") / KEY


@given(st.lists(st.integers(1, 40), min_size=2, max_size=7))
def test_every_head_keeps_each_groups_share_to_within_one(counts: list[int]) -> None:
    """The claim of `interleave`, for every head and every group."""
    turns = subsets.interleave(counts)
    total, taken = sum(counts), [0] * len(counts)
    for step, turn in enumerate(turns, 1):
        taken[turn] += 1
        assert all(
            abs(have * total - step * all_of) < total
            for have, all_of in zip(taken, counts, strict=True)
        )
    assert taken == counts


@given(st.integers(0, 2**32), st.lists(st.integers(0, 4), min_size=1, max_size=200))
def test_the_order_is_a_permutation_that_only_the_seed_decides(
    seed: int, labels: list[int]
) -> None:
    """Every row once, with and without labels."""
    for given_labels in (labels, None):
        order = subsets.order(len(labels), seed, given_labels)
        assert sorted(order.tolist()) == list(range(len(labels)))
        assert (order == subsets.order(len(labels), seed, given_labels)).all()


def test_the_order_is_the_same_on_every_machine() -> None:
    """Written down once: another numpy or platform that gives another order breaks studies."""
    assert subsets.order(10, 1).tolist() == [9, 2, 4, 7, 5, 0, 8, 6, 3, 1]
    labels = [0, 0, 0, 1, 1, 1, 2, 2, 2, 2]
    assert subsets.order(10, 1, labels).tolist() == [9, 2, 4, 7, 0, 5, 8, 1, 3, 6]


def test_seeds_give_unlike_orders() -> None:
    """Seeds are repeats of the experiment, so their subsets must differ."""
    heads = [set(subsets.order(1000, seed)[:100].tolist()) for seed in range(5)]
    shared = [len(a & b) for a in heads for b in heads if a is not b]
    assert max(shared) < 30  # 10 expected


def rows(tmp_path: Path, name: str, count: int, labels: int | None = None) -> str:
    """A prepared file with rows that say where they are from."""
    columns: dict[str, Any] = {"id": [str(row) for row in range(count)], "text": [name] * count}
    if labels:
        columns["label"] = np.sort(np.arange(count) % labels)
    path = tmp_path / f"{name}.parquet"
    write_parquet(path, pa.table(columns))
    return str(path)


def run(
    subsets: list[tuple[list[str], Any]],
    seed: int = 1,
    smoothing: float | None = None,
    copies: dict[str, list[str]] | None = None,
) -> Any:
    """Make subsets `0`, `1` ... of (files, size)."""
    spec = parameters.Subsample(
        seed=seed,
        reads="-",
        subsets=[
            {"out": str(i), "task": "mnli", "rows": read, "size": size, "smoothing": smoothing}
            for i, (read, size) in enumerate(subsets)
        ],
        copies=copies or {},
    )
    made: Any = SimpleNamespace(study="s", subsample={KEY: spec})
    return subsample.run(made, KEY, QUIET)


def column(name: str, of: str = "id") -> list[Any]:
    """A column of a finished subset."""
    values: list[Any] = read_parquet(FOLDER / f"{name}.parquet")[of].to_pylist()
    return values


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs go to the working folder."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("labels", [3, None])
def test_sizes_are_nested(labels: int | None, tmp_path: Path) -> None:
    """10 inside 40 inside all: a larger size differs by its added rows alone."""
    file = [rows(tmp_path, "en", 60, labels)]
    made = run([(file, 40), (file, "all"), (file, 10)])
    assert column("0")[:10] == column("2")
    assert column("1")[:40] == column("0")
    assert sorted(column("1"), key=int) == [str(row) for row in range(60)]
    if labels:
        assert Counter(column("0", "label"))[0] in (13, 14)
    assert made["metrics"] == {"rows.0": 40.0, "rows.1": 60.0, "rows.2": 10.0}
    assert json.loads((FOLDER / "record.json").read_text()) == made


def test_equal_input_gives_equal_bytes_and_adding_a_size_changes_no_other(tmp_path: Path) -> None:
    """A size added to a study must not rerun the trainings of the others."""
    file = [rows(tmp_path, "en", 60, 3)]
    run([(file, 10)])
    first = sha256_file(FOLDER / "0.parquet")
    run([(file, 10), (file, 20)])
    assert sha256_file(FOLDER / "0.parquet") == first
    run([(file, 10)], seed=2)
    assert sha256_file(FOLDER / "0.parquet") != first


def test_joined_files_are_one_order_with_ids_of_their_own(tmp_path: Path) -> None:
    """Two sources number their rows alike; predictions and leaks are told by id."""
    files = [rows(tmp_path, name, count, 3) for name, count in (("anli", 30), ("mnli", 60))]
    run([(files, 45), (files, "all")], copies={"validation": files, "one": files[:1]})
    assert column("1")[:45] == column("0")
    assert len(set(column("1"))) == 90
    assert {
        (name[0], text) for name, text in zip(column("1"), column("1", "text"), strict=True)
    } == {
        ("0", "anli"),
        ("1", "mnli"),
    }
    assert column("validation")[:4] == ["0:0", "1:0", "0:1", "1:1"], "a head is as much of each"
    assert column("validation")[58:62] == ["0:29", "1:29", "1:30", "1:31"], "while rows last"
    assert column("one") == [str(row) for row in range(30)]


def test_smoothing_raises_the_share_of_small_files_and_repeats_no_row(tmp_path: Path) -> None:
    """Languages of 10, 40 and 1000 rows by the power 0.5: shares ~ 3.2 : 6.3 : 31.6 of a head."""
    files = [rows(tmp_path, name, count) for name, count in (("a", 10), ("b", 40), ("c", 1000))]
    run([(files, 100), (files, "all"), (files, 30)], smoothing=0.5)
    assert column("0")[:30] == column("2")
    assert column("1")[:100] == column("0")
    shares = Counter(column("0", "text"))
    assert [shares[name] for name in "abc"] == [8, 15, 77]
    assert len(set(column("1"))) == 1050
    assert Counter(column("1", "text")[:800])["a"] == 10, "used up, and the others go on"


def test_aligned_translations_do_not_give_the_same_rows(tmp_path: Path) -> None:
    """Row i of two languages says the same: a head of both should say more than one of them."""
    files = [rows(tmp_path, name, 200) for name in ("de", "fr")]
    run([(files, 100)], smoothing=1.0)
    german, french = (
        {name[2:] for name in column("0") if name[0] == number} for number in ("0", "1")
    )
    assert len(german) == len(french) == 50
    assert len(german & french) < 25  # 12.5 expected


def test_unlike_files_are_not_joined(tmp_path: Path) -> None:
    """Columns that differ are tasks of different kinds: the error names both files."""
    files = [rows(tmp_path, "a", 5, 3), rows(tmp_path, "b", 5)]
    with pytest.raises(UserError, match=r"b\.parquet and .*a\.parquet cannot be joined.*Mend"):
        run([(files, 5)])


@pytest.mark.parametrize("size", [61, -1])
def test_a_size_beyond_the_rows_names_task_and_rows(size: int, tmp_path: Path) -> None:
    """A mirror may hold fewer rows than are published; a silent smaller subset would be a lie."""
    file = [rows(tmp_path, "en", 60, 3)]
    with pytest.raises(UserError, match=rf"{size} rows of mnli: there are 60 .*en.*Mend: take"):
        run([(file, 10), (file, size)])
    assert not FOLDER.exists()


def test_in_a_mix_a_task_gives_at_most_what_it_has(tmp_path: Path) -> None:
    """Nine tasks of 10K rows each, of which one has 9K: the mix is still one."""
    few, many = ([rows(tmp_path, name, count)] for name, count in (("few", 6), ("many", 60)))
    made = run([(few, 10), (many, 10)])
    assert made["metrics"] == {"rows.0": 6.0, "rows.1": 10.0}
    assert set(made["inputs"]) == {*few, *many}


def test_missing_and_corrupt_rows_are_one_line(tmp_path: Path) -> None:
    """The file that a stage before should have made."""
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    for name, match in (("none.parquet", "is missing"), ("bad.parquet", "is corrupt")):
        with pytest.raises(UserError, match=rf"{name} {match}.*Mend"):
            run([([name], 1)])


@given(st.lists(st.integers(0, 40), min_size=1, max_size=5), st.sampled_from([0.3, 0.7, 1.0]))
def test_turns_by_smoothing_use_each_row_once(counts: list[int], power: float) -> None:
    """Every row of every file, whatever the counts: an empty file is no trouble."""
    assert Counter(subsets.smoothed(counts, power)) == {
        place: count for place, count in enumerate(counts) if count
    }
