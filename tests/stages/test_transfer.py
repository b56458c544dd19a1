"""The transfer stage, each kind from prepared rows to score rows, on a tiny model."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import transfer_project as project
from safetensors.torch import load_file, save_file
from transfer_project import (
    LANGUAGES,
    STUDY,
    every_file,
    killed_after,
    params,
    predictions,
    run,
    target,
)

from xstilts.core import files, paths
from xstilts.core.params import Training, Variant
from xstilts.evaluation import score
from xstilts.evaluation import target as target_module
from xstilts.evaluation.target import _keep
from xstilts.kinds import mining
from xstilts.metrics import METRICS
from xstilts.model import checkpoint
from xstilts.results import scores
from xstilts.stages import transfer
from xstilts.training import launch

KINDS = list(project.METRICS)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: Any) -> Path:
    """A working folder with a base model."""
    return project.enter(tmp_path, monkeypatch, tokenizer)


def scored_rows(kind: str, language: str) -> list[dict[str, Any]]:
    """The rows that are scored."""
    path = paths.rows(paths.prepared(STUDY, "targets", kind), language, "test")
    found: list[dict[str, Any]] = files.read_parquet(path).to_pylist()
    return mining.sides(found)[0] if kind == "mining" else found


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_goes_from_rows_to_scores(kind: str) -> None:
    """What a study is made of: all values of the metric in each language, and their parts."""
    done = run(params(target(kind)))
    rows = scores.from_json(project.RESULTS / "scores.json")
    main = METRICS[project.METRICS[kind]].main
    assert [row.language for row in rows if row.main] == LANGUAGES
    kept = predictions()
    for row in rows:
        wanted = [one["id"] for one in scored_rows(kind, row.language)]
        own = [one for one in kept if one["language"] == row.language]
        assert [one["id"] for one in own] == wanted
        assert (row.n, row.chance, row.variant, row.method) == (len(wanted), 5.0, "", "none")
        if row.metric == main:
            share = sum(one["num"] for one in own) / sum(one["den"] for one in own)
            assert row.value == pytest.approx(100 * share)
            assert done["metrics"][f"{kind}.{row.language}"] == row.value
    assert [path.name for path in Path(".state").iterdir()] == ["features"]
    trained = kind not in ("retrieval", "mining")
    assert list(done["curves"]) == ([f"{kind}.loss"] if trained else [])


@pytest.mark.parametrize("kind", ["classification", "tagging", "span"])
def test_what_each_layer_counts_for_is_kept(kind: str) -> None:
    """The record has it for each language; where the head reads the last layer there is none."""
    assert "layers" not in run(params(target(kind)))
    attention = Training(**project.TRAINING, layers="attention")
    way = Variant(training=attention)
    done = run(params(target(kind, variants={"layers": way}), variant="layers"))
    found = done["layers"][kind]
    assert list(found) == LANGUAGES
    for weights in found.values():
        assert len(weights) == 2
        assert sum(weights) == pytest.approx(1, abs=1e-5)
    assert {row.variant for row in scores.from_json(project.RESULTS / "scores.json")} == {"layers"}
    assert files.read_json(project.RESULTS / "record.json")["layers"] == done["layers"]


def test_all_targets_of_a_run_lie_together() -> None:
    """One process, one set of files; the record names every file that was read."""
    done = run(params(target("mining"), target("ranking")))
    assert {row["target"] for row in predictions()} == {"mining", "ranking"}
    names = {Path(path).name for path in done["inputs"]}
    assert {"qaa.validation.parquet", "qab.candidates.parquet", "qaa.train.parquet"} <= names
    sample = files.read_json(project.PREDICTED / "predictions-sample.json")
    assert len(sample) == 4 * transfer.SAMPLED


@pytest.mark.parametrize("kind", ["span", "retrieval"])
def test_what_is_in_git_holds_no_text(kind: str) -> None:
    """Texts have licences of their own: there are scores, and what each example adds to them."""
    run(params(target(kind)))
    examples = files.read_parquet(project.RESULTS / "examples.parquet")
    assert examples.to_pylist() == [
        {name: value for name, value in row.items() if name != "prediction"}
        for row in predictions()
    ]
    told = "".join(path.read_text() for path in project.RESULTS.glob("*.json"))
    assert not [word for word in project.WORDS if word.isalpha() and word in told]
    assert {path.name for path in project.RESULTS.iterdir()} == {
        *("examples.parquet", "record.json", "scores.json")
    }


@pytest.mark.parametrize("kind", ["classification", "mining", "ranking"])
def test_a_language_that_is_scored_is_not_scored_again(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty languages take hours: an interruption in the last one must not cost the others."""
    run(params(target(kind)))
    straight = every_file()
    keep = _keep
    places: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr(target_module, "_keep", killed_after(1, keep, places))
        with pytest.raises(project.Killed):
            run(params(target(kind)))
    again: list[Any] = []
    monkeypatch.setattr(target_module, "_keep", killed_after(9, keep, again))
    run(params(target(kind)))
    assert (len(places), len(again)) == (1, 1)
    assert every_file() == straight


def test_a_checkpoint_in_shards_scores_as_in_one_file() -> None:
    """Large ones are published so; all their files tell which checkpoint it is."""
    targets = params(target("classification"), target("retrieval"))
    whole = paths.pretrained(STUDY) / "model.safetensors"
    done, first = run(targets), scores.from_json(project.RESULTS / "scores.json")
    told = predictions()
    assert {row.model_sha for row in first} == {done["inputs"][str(whole)]}
    encoder = checkpoint.load_encoder(whole.parent)
    whole.unlink()
    encoder.save_pretrained(whole.parent, max_shard_size="10KB")
    shards = {str(path) for path in checkpoint.weight_files(whole.parent)}
    assert len(shards) > 2
    done, again = run(targets), scores.from_json(project.RESULTS / "scores.json")
    assert shards <= set(done["inputs"])
    (sha,) = {row.model_sha for row in again}
    assert sha not in done["inputs"].values()
    assert [replace(row, model_sha=sha) for row in first] == again
    assert predictions() == told
    last = load_file(max(shards))
    save_file({name: value + 1 for name, value in last.items()}, max(shards), {"format": "pt"})
    assert checkpoint.weights_sha(whole.parent) != sha


@pytest.mark.parametrize(
    ("kind", "found", "wanted"),
    [
        ("ranking", [["a", "b"], ["a", "c"]], True),
        ("ranking", [["a", "b"], ["b", "a"]], False),
        ("mining", [[], [], []], True),
        ("mining", [[], ["a"], []], False),
        ("classification", [1, 1], True),
        ("tagging", [["O"], ["O", "O"]], True),
        ("retrieval", [3, 1], False),
    ],
)
def test_predictions_that_tell_nothing_apart_are_flagged(
    kind: str, found: list[Any], wanted: bool
) -> None:
    """One candidate before all others for every query, or no pair at all, is a collapse."""
    assert scores.collapsed(score.answers(kind, found)) is wanted


@pytest.mark.slow
def test_two_processes_score_what_one_scores(folder: Path) -> None:
    """Embedding, pool and ranking are shared; what is found may not depend on that."""
    names = ["retrieval", "mining", "ranking"]
    run(params(*(target(name) for name in names)))
    one, values = predictions(), scores.from_json(project.RESULTS / "scores.json")
    (folder / "machine.yaml").write_text("threads: 1\nmicro_batch: 2\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), *names],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert predictions() == one
    assert scores.from_json(project.RESULTS / "scores.json") == values


if __name__ == "__main__":
    if launch.MEETING not in os.environ:
        sys.exit(launch.run_workers(2, [sys.executable, *sys.argv]))
    run(params(*(target(_name) for _name in sys.argv[1:])))
