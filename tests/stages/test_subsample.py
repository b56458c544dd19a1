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

from xstilts import params as parameters
from xstilts.errors import UserError
from xstilts.files import read_parquet, sha256_file, write_parquet
from xstilts.observe import Observe
from xstilts.stages import subsample

QUIET = Observe(quiet=True)
KEY = "mnli-en-s1"
FOLDER = Path("data/subsample/s") / KEY


@given(st.lists(st.integers(1, 40), min_size=2, max_size=7))
def test_every_head_keeps_each_groups_share_to_within_one(counts: list[int]) -> None:
    """The claim of `interleave`, for every head and every group."""
    turns = subsample.interleave(counts)
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
        order = subsample.order(len(labels), seed, given_labels)
        assert sorted(order.tolist()) == list(range(len(labels)))
        assert (order == subsample.order(len(labels), seed, given_labels)).all()


def test_the_order_is_the_same_on_every_machine() -> None:
    """Written down once: another numpy or platform that gives another order breaks studies."""
    assert subsample.order(10, 1).tolist() == [9, 2, 4, 7, 5, 0, 8, 6, 3, 1]
    labels = [0, 0, 0, 1, 1, 1, 2, 2, 2, 2]
    assert subsample.order(10, 1, labels).tolist() == [9, 2, 4, 7, 0, 5, 8, 1, 3, 6]


def test_seeds_give_unlike_orders() -> None:
    """Seeds are repeats of the experiment, so their subsets must differ."""
    heads = [set(subsample.order(1000, seed)[:100].tolist()) for seed in range(5)]
    shared = [len(a & b) for a in heads for b in heads if a is not b]
    assert max(shared) < 30  # 10 expected


def run(tmp_path: Path, table: pa.Table, sizes: list[Any], seed: int = 1) -> Any:
    write_parquet(tmp_path / "rows.parquet", table)
    spec = parameters.Subsample(
        task="mnli", language="en", seed=seed, rows=str(tmp_path / "rows.parquet"), sizes=sizes
    )
    made: Any = SimpleNamespace(study="s", subsample={KEY: spec})
    return subsample.run(made, KEY, QUIET)


def table(count: int, labels: int | None) -> pa.Table:
    columns: dict[str, Any] = {"id": [str(row) for row in range(count)]}
    if labels:
        columns["label"] = np.sort(np.arange(count) % labels)
    return pa.table(columns)


@pytest.mark.parametrize("labels", [3, None])
def test_sizes_are_nested(
    labels: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """10 inside 40 inside all: a larger size differs by its added rows alone."""
    monkeypatch.chdir(tmp_path)
    made = run(tmp_path, table(60, labels), [40, "all", 10])
    ids = {
        size: read_parquet(FOLDER / f"{size}.parquet")["id"].to_pylist() for size in (10, 40, "all")
    }
    assert ids[40][:10] == ids[10]
    assert ids["all"][:40] == ids[40]
    assert sorted(ids["all"], key=int) == [str(row) for row in range(60)]
    if labels:
        assert Counter(read_parquet(FOLDER / "40.parquet")["label"].to_pylist())[0] in (13, 14)
    assert made["metrics"] == {"rows.40": 40.0, "rows.all": 60.0, "rows.10": 10.0}
    assert json.loads((FOLDER / "record.json").read_text()) == made


def test_equal_input_gives_equal_bytes_and_adding_a_size_changes_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A size added to a study must not rerun the trainings of the others."""
    monkeypatch.chdir(tmp_path)
    run(tmp_path, table(60, 3), [10])
    first = sha256_file(FOLDER / "10.parquet")
    run(tmp_path, table(60, 3), [10, 20])
    assert sha256_file(FOLDER / "10.parquet") == first
    run(tmp_path, table(60, 3), [10], seed=2)
    assert sha256_file(FOLDER / "10.parquet") != first


@pytest.mark.parametrize("size", [61, -1])
def test_a_size_beyond_the_rows_names_task_language_and_rows(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror may hold fewer rows than are published; a silent smaller subset would be a lie."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=rf"{size} rows of mnli in 'en': there are 60 .*Mend: take"):
        run(tmp_path, table(60, 3), [10, size])
    assert not FOLDER.exists()


def test_missing_and_corrupt_rows_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that a stage before should have made."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    for name, match in (("none.parquet", "is missing"), ("bad.parquet", "is corrupt")):
        spec = parameters.Subsample(task="mnli", language="en", seed=1, rows=name, sizes=[1])
        made: Any = SimpleNamespace(study="s", subsample={KEY: spec})
        with pytest.raises(UserError, match=rf"{name} {match}.*Mend"):
            subsample.run(made, KEY, QUIET)
