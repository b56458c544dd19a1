"""The aggregate stage: what it writes, and that it refuses bad results by name."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
import fake_study

from xstilts.errors import UserError
from xstilts.files import read_json, sha256_file, write_json
from xstilts.observe import Observe
from xstilts.params import Params
from xstilts.stages import aggregate

QUIET = Observe(quiet=True)
TRANSFER = Path("results/transfer/fake")
RUN = TRANSFER / "facts-qaa-1000-s1"
OUT = Path("results/aggregate/fake")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """A small study with its transfer results in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    params = fake_study.params({"facts": [1000, 4000]}, ["qaa", "qab", "qac"], resamples=50)
    fake_study.write(params, examples=60)
    return params


def refuse(params: Params, *words: str) -> None:
    """The stage stops with one line that names what is wrong, and leaves no output."""
    with pytest.raises(UserError) as caught:
        aggregate.run(params, "fake", QUIET)
    message = str(caught.value)
    assert "\n" not in message
    assert "Mend: " in message
    for word in words:
        assert word in message
    assert not OUT.exists()


def test_summary_repeats_the_means_of_the_scores(study: Params) -> None:
    """The mean of a group is the mean of its runs' main values: no number is made up on the way."""
    aggregate.run(study, "fake", QUIET)
    scores = pq.read_table(OUT / "scores.parquet").to_pylist()
    rows = pq.read_table(OUT / "summary.parquet").to_pylist()
    singles = [row for row in rows if row["language"] in fake_study.LANGUAGES]
    assert len(singles) == 4 * 2 * 3  # groups x targets x languages
    for row in singles:
        values = [
            score["value"]
            for score in scores
            if (score["target"], score["language"]) == (row["target"], row["language"])
            and (score["method"], score["size"]) == (row["method"], row["size"])
        ]
        assert len(values) == row["seeds"] == 2
        assert row["mean"] == pytest.approx(np.mean(values), abs=1e-5)
        assert row["low"] - 1e-9 <= row["mean"] <= row["high"] + 1e-9


def test_equal_inputs_give_equal_bytes(study: Params) -> None:
    """DVC compares hashes: a second run must not look like a change."""
    hashes = []
    for _ in range(2):
        aggregate.run(study, "fake", QUIET)
        files = [*sorted(OUT.iterdir()), Path("results/aggregate/fake.metrics.json")]
        hashes.append({path.name: sha256_file(path) for path in files})
    assert hashes[0] == hashes[1]
    assert set(hashes[0]) == {
        "fake.metrics.json", "record.json", "scores.parquet", "slopes.parquet", "summary.parquet",
    }  # fmt: skip


def test_metrics_are_flat_zero_shot_means(study: Params) -> None:
    """`dvc metrics show` prints this file; it must agree with the record."""
    record = aggregate.run(study, "fake", QUIET)
    metrics = read_json(Path("results/aggregate/fake.metrics.json"))
    assert metrics == record["metrics"]
    assert set(metrics) >= {"paraphrase/none", "fact_qa/facts-qaa-4000", "all/none"}
    assert metrics["paraphrase/facts-qaa-4000"] > metrics["paraphrase/none"]


def test_every_input_is_in_the_record(study: Params) -> None:
    """A number is traced to its run by these hashes."""
    inputs = aggregate.run(study, "fake", QUIET)["inputs"]
    assert inputs[str(RUN / "scores.json")] == sha256_file(RUN / "scores.json")
    assert len(inputs) == 2 * len(study.transfer)


def test_a_missing_run_is_named(study: Params) -> None:
    """An average over the runs that happen to be there is wrong without a word."""
    shutil.rmtree(RUN)
    refuse(study, "without results: facts-qaa-1000-s1")


def test_a_stray_run_is_named(study: Params) -> None:
    """Results of an older study must not slip in, nor be passed over in silence."""
    shutil.copytree(RUN, TRANSFER / "facts-qaa-9-s1")
    refuse(study, "of no run in the study: facts-qaa-9-s1")


def edit_scores(change: object) -> None:
    content = read_json(RUN / "scores.json")
    change(content["rows"])  # type: ignore[operator]
    write_json(RUN / "scores.json", content)


def test_a_missing_cell_is_named(study: Params) -> None:
    """One language left out would raise or lower the zero-shot mean."""
    edit_scores(lambda rows: rows.pop(0))
    refuse(study, "missing", "facts-qaa-1000-s1/paraphrase/qaa")


def test_a_double_cell_is_named(study: Params) -> None:
    """One language counted twice likewise."""
    edit_scores(lambda rows: rows.append(rows[0]))
    refuse(study, "double", "facts-qaa-1000-s1/paraphrase/qaa")


def test_two_runs_of_one_setting_and_seed_are_named(study: Params) -> None:
    """They would pass as two seeds and make the interval too narrow."""
    edit_scores(lambda rows: [row.update(seed=2) for row in rows])
    refuse(study, "facts-qaa-1000-s1", "facts-qaa-1000-s2", "one cell")


def edit_predictions(change: object) -> None:
    table = pq.read_table(RUN / "predictions.parquet")
    pq.write_table(change(table), RUN / "predictions.parquet")  # type: ignore[operator]


def test_predictions_that_contradict_the_score_are_named(study: Params) -> None:
    """Interval and score must be of the same predictions."""
    edit_predictions(lambda t: t.set_column(4, "num", pa.array(np.zeros(len(t)))))
    refuse(study, "facts-qaa-1000-s1/paraphrase/qaa", "add up to 0.0000")


def test_other_examples_are_named(study: Params) -> None:
    """A paired interval needs the same examples in all runs."""
    edit_predictions(lambda t: t.set_column(2, "id", pc.binary_join_element_wise(t["id"], "x", "")))
    refuse(study, "facts-qaa-1000-s2/paraphrase/qaa", "other examples", "run facts-qaa-1000-s1.")


def test_missing_predictions_are_named(study: Params) -> None:
    """Half a result is no result."""
    (RUN / "predictions.parquet").unlink()
    refuse(study, str(RUN / "predictions.parquet"))


def test_a_number_that_is_none_is_named(study: Params) -> None:
    """One nan would spread over every mean."""
    edit_predictions(lambda t: t.set_column(4, "num", pa.array(np.full(len(t), np.nan))))
    refuse(study, "facts-qaa-1000-s1/paraphrase/qaa", "not finite")
