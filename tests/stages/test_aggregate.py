"""The aggregate stage: what it writes, and that it refuses bad results by name."""

from __future__ import annotations

import shutil
from pathlib import Path

import fake_study
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from xstilts.benchmarks import aggregates
from xstilts.core.errors import UserError
from xstilts.core.files import read_json, read_parquet, sha256_file, write_json
from xstilts.core.params import Params
from xstilts.core.progress import Observe
from xstilts.results import best
from xstilts.stages import aggregate

QUIET = Observe(quiet=True)
TRANSFER = Path("results/transfer/fake")
RUN = TRANSFER / "facts-qaa-1000-s1"
OUT = Path("results/aggregate/fake")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """A small study with its transfer results in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    params = fake_study.params({"facts": [1000, 4000]}, ["qaa", "qab", "qac"])
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
        "benchmark.parquet", "best.parquet", "fake.metrics.json", "record.json",
        "contrasts.parquet", "scores.parquet", "slopes.parquet", "questions.parquet",
        "summary.parquet",
    }  # fmt: skip


def test_conclusions_are_kept_where_git_sees_them(study: Params) -> None:
    """`dvc metrics show` prints this file, `verify` compares it; it must agree with the record."""
    record = aggregate.run(study, "fake", QUIET)
    told = read_json(Path("results/aggregate/fake.metrics.json"))
    flat = {
        f"{t}/{group}": one["mean"] for t, groups in told.items() for group, one in groups.items()
    }
    assert flat == record["metrics"]
    assert set(flat) >= {"paraphrase/none", "fact_qa/facts-qaa-4000", "all/none"}
    none, large = told["paraphrase"]["none"], told["paraphrase"]["facts-qaa-4000"]
    assert large["low"] < large["mean"] < large["high"]
    assert large["mean"] > none["mean"]
    assert "effect" not in none
    for row in read_parquet(OUT / "summary.parquet").to_pylist():
        if row["language"] == "zero-shot" and row["p_holm"] is not None:
            sign = (row["p_holm"] < 0.05) * (1 if row["delta"] > 0 else -1)
            assert told[row["target"]][row["group"]]["effect"] == sign


def test_every_input_is_in_the_record(study: Params) -> None:
    """A number is traced to its run by these hashes."""
    inputs = aggregate.run(study, "fake", QUIET)["inputs"]
    assert inputs[str(RUN / "scores.json")] == sha256_file(RUN / "scores.json")
    assert len(inputs) == 2 * len(study.transfer)


def test_a_study_without_published_targets_has_no_benchmark(study: Params) -> None:
    """The tables are there all the same, so that their readers need no case for it."""
    aggregate.run(study, "fake", QUIET)
    for name, schema in (("benchmark", aggregates.SCHEMA), ("best", best.SCHEMA)):
        table = pq.read_table(OUT / f"{name}.parquet")
        assert table.num_rows == 0
        assert table.schema.equals(schema, check_metadata=True)


def validated(study: Params, values: dict[str, float]) -> Params:
    """The study, asking for the best setting; run without its seed -> validation of paraphrase."""
    for run in study.transfer:
        value = values.get(run.rpartition("-s")[0] if "shuffled" not in run else "shuffled", 0.0)
        write_json(TRANSFER / run / "record.json", {"metrics": {"paraphrase.validation": value}})
    targets = dict(study.targets)
    targets["paraphrase"] = targets["paraphrase"].model_copy(update={"validation": "data/v"})
    asked = study.aggregate.model_copy(update={"best_per_target": True})
    return study.model_copy(update={"targets": targets, "aggregate": asked})


def test_best_is_chosen_on_validation_and_repeats_the_chosen_scores(study: Params) -> None:
    """The smaller size is best on validation and worse in every test: validation decides."""
    values = {"facts-qaa-1000": 90.0, "facts-qaa-4000": 80.0, "shuffled": 99.0, "none": 95.0}
    aggregate.run(validated(study, values), "fake", QUIET)
    rows = pq.read_table(OUT / "summary.parquet").to_pylist()
    chosen = {row["target"]: row for row in pq.read_table(OUT / "best.parquet").to_pylist()}
    assert {target: row["group"] for target, row in chosen.items()} == {
        "paraphrase": "facts-qaa-1000",
        "fact_qa": "facts-qaa-1000",
    }
    assert chosen["paraphrase"]["by"] == "validation"
    assert chosen["fact_qa"]["by"] == "rank"
    assert chosen["paraphrase"]["second"] == "facts-qaa-4000"
    index = {(row["target"], row["language"], row["group"]): row for row in rows}
    names = ("mean", "low", "high", "delta", "delta_low", "delta_high", "seeds", "n")
    for target in ("paraphrase", "fact_qa", "all"):
        own = index[target, "zero-shot", "best"]
        other = index[target, "zero-shot", "facts-qaa-1000"]
        assert [own[name] for name in names] == [other[name] for name in names]
        assert own["p"] is None
    inputs = read_json(OUT / "record.json")["inputs"]
    assert str(RUN / "record.json") in inputs


def test_a_missing_validation_value_is_named(study: Params) -> None:
    """A choice among the runs that happen to have a value is another choice."""
    asked = validated(study, {})
    write_json(RUN / "record.json", {"metrics": {}})
    refuse(asked, "facts-qaa-1000-s1", "validation value of paraphrase")


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


def edit_examples(change: object) -> None:
    table = pq.read_table(RUN / "examples.parquet")
    pq.write_table(change(table), RUN / "examples.parquet")  # type: ignore[operator]


def test_examples_that_contradict_the_score_are_named(study: Params) -> None:
    """Interval and score must be of the same examples."""
    edit_examples(lambda t: t.set_column(3, "num", pa.array(np.zeros(len(t)))))
    refuse(study, "facts-qaa-1000-s1/paraphrase/qaa", "add up to 0.0000")


def test_other_examples_are_named(study: Params) -> None:
    """A paired interval needs the same examples in all runs."""
    edit_examples(lambda t: t.set_column(2, "id", pc.binary_join_element_wise(t["id"], "x", "")))
    refuse(
        study, "facts-qaa-1000-s2/paraphrase/qaa are others than those of run facts-qaa-1000-s1."
    )


def test_missing_examples_are_named(study: Params) -> None:
    """Half a result is no result."""
    (RUN / "examples.parquet").unlink()
    refuse(study, str(RUN / "examples.parquet"))


def test_a_number_that_is_none_is_named(study: Params) -> None:
    """One nan would spread over every mean."""
    edit_examples(lambda t: t.set_column(3, "num", pa.array(np.full(len(t), np.nan))))
    refuse(study, "facts-qaa-1000-s1/paraphrase/qaa", "not finite")
