"""Data sets of records, as the store lists and filters them."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from mlflow_store import client_of, experiment_of, finished

from xstilts.core import files
from xstilts.kinds.spec import KINDS
from xstilts.records import tracking
from xstilts.records.tracking_data import datasets

FOLDER = "data/prepare/demo/targets/xnli"
SHAS = {f"{FOLDER}/{name}.parquet": 2 * f"{n:032x}" for n, name in enumerate(
    ("en.train", "en.test", "sw.test"), 1
)}  # fmt: skip


def write(path: str, rows: int) -> str:
    """A prepared file; its sha256."""
    row = {"id": "1", "text_a": "a", "text_b": None, "label": 0}
    schema = KINDS["classification"].schema
    files.write_parquet(Path(path), pa.Table.from_pylist([row] * rows, schema=schema))
    return files.sha256_file(Path(path))


def test_files_of_one_use_are_one_data_set() -> None:
    """Forty languages of a target are two entries a run and not forty-one."""
    other = {"models/pretrain/demo/model.safetensors": "ee" * 32}
    training, scored = sorted(
        datasets({"params": {}, "inputs": SHAS | other}), key=lambda one: one.context, reverse=True
    )
    assert (training.name, training.context) == ("xnli", "training")
    assert (scored.name, scored.context) == ("xnli", "evaluation")
    assert training.digest == SHAS[f"{FOLDER}/en.train.parquet"][:32]
    both = {path: sha for path, sha in SHAS.items() if "test" in path}
    assert json.loads(scored.profile) == {"files": 2, "sha256": files.sha256_json(both)}
    assert json.loads(scored.source) == {"uri": FOLDER}
    assert json.loads(training.source) == {"uri": f"{FOLDER}/en.train.parquet"}


@pytest.mark.parametrize(
    ("path", "name", "context"),
    [
        ("data/subsample/demo/mnli-en-s1/1000.parquet", "mnli", "training"),
        ("data/subsample/demo/mnli-en-s1/validation.parquet", "mnli", "validation"),
        ("data/subsample/demo/nine-mul-1000-s1/part.parquet", "squad_v1", "training"),
        ("data/prepare/demo/pretraining/world_text/mul.train.parquet", "world_text", "training"),
        ("data/prepare/demo/targets/xquad/en.candidates.parquet", "xquad", "candidates"),
        ("data/fetch/demo/facebook--xnli/manifest.json", "facebook--xnli", "raw"),
    ],
)
def test_names_and_uses(path: str, name: str, context: str) -> None:
    """A data set has its task's name, in a mix, too."""
    part = {"task": "squad_v1", "rows": "data/subsample/demo/nine-mul-1000-s1/part.parquet"}
    (found,) = datasets({"params": {"parts": [part]}, "inputs": {path: "ab" * 32}})
    assert (found.name, found.context) == (name, context)


def test_what_is_no_rows_is_no_data_set() -> None:
    """Checkpoints and results stay tags."""
    paths = ("models/pretrain/demo/tokenizer.json", "results/transfer/demo/none-s1/scores.json")
    assert datasets({"params": {}, "inputs": dict.fromkeys(paths, "ab" * 32)}) == []


def test_a_run_is_found_by_its_data(project: Path) -> None:
    """`dataset.name = 'xnli'` filters; digest, rows and columns are ours."""
    inputs = {path: write(path, 3) for path in SHAS}
    finished("none-s1", 1, 50.0, inputs=inputs)
    finished("none-s2", 2, 51.0)
    tracking.sync("demo")
    place = experiment_of(project).experiment_id
    (run,) = client_of(project).search_runs([place], "dataset.name = 'xnli'")
    assert run.data.tags["run"] == "none-s1"
    assert not [name for name in run.data.tags if name.startswith("input/")]
    told = {one.tags[0].value: one.dataset for one in run.inputs.dataset_inputs}
    assert told["training"].digest == inputs[f"{FOLDER}/en.train.parquet"][:32]
    assert json.loads(told["evaluation"].profile)["num_rows"] == 6
    columns = json.loads(told["training"].schema)["mlflow_colspec"]
    assert [one["name"] for one in columns] == ["id", "text_a", "text_b", "label"]
    query = f"dataset.digest = '{told['evaluation'].digest}'"
    assert len(client_of(project).search_runs([place], query)) == 1


def test_many_inputs_do_not_become_tags(project: Path) -> None:
    """Joining 2,000 runs reads 4,000 files: a page with them as tags would not open."""
    inputs = {f"results/transfer/demo/r{n}/scores.json": "ab" * 32 for n in range(60)}
    finished("none-s1", 1, 50.0, inputs=inputs)
    tracking.sync("demo")
    (run,) = client_of(project).search_runs(
        [experiment_of(project).experiment_id], "tags.stage = 'transfer'"
    )
    assert run.data.tags["inputs"] == "60 files, see record.json"
    assert len(run.data.tags) < 20
