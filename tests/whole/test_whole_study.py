"""A whole small study through DVC, as a user runs it: twice, and in two processes."""

import json
import shutil
from pathlib import Path

import pytest
from projects import STAGES, run, stages_run

MADE = ("data", "models", "results", "report", ".dvc/cache", ".dvc/tmp", "statistics")


@pytest.mark.slow
def test_a_second_repro_runs_nothing(finished: Path) -> None:
    """What is done stays done; a stage that touched its own inputs would run for ever."""
    said = run(finished, "dvc", "repro")
    assert stages_run(said) == []
    assert "0 to run" in run(finished, "xstilts", "plan")


@pytest.mark.slow
def test_all_deleted_and_run_again_gives_the_same_lock(finished: Path) -> None:
    """The promise of the kit: equal inputs, equal bytes, of every output of every stage."""
    before = (finished / "dvc.lock").read_bytes()
    for name in MADE:
        shutil.rmtree(finished / name)
    (finished / "dvc.lock").unlink()
    assert len(stages_run(run(finished, "dvc", "repro"))) == STAGES
    assert (finished / "dvc.lock").read_bytes() == before


@pytest.mark.slow
def test_the_stages_that_train_run_on_other_settings(finished: Path, tmp_path: Path) -> None:
    """machine.yaml through the command line: one set of outputs, of the cells of a usual run."""
    folder = tmp_path / "other"
    shutil.copytree(finished, folder, symlinks=True)
    (folder / "machine.yaml").write_text("threads: 1\nprocesses: 2\nzero: 2\n")
    kept = (folder / "models/pretrain/small/tokenizer.json").read_bytes()
    for name in ("models", "results"):
        shutil.rmtree(folder / name)
    run(folder, "xstilts", "pretrain")
    run(folder, "xstilts", "intermediate", "world_qa-qaa-40-s1")
    run(folder, "xstilts", "transfer", "world_qa-qaa-40-s1")
    assert (folder / "models/pretrain/small/tokenizer.json").read_bytes() == kept
    from xstilts.results import scores

    name = "results/transfer/small/world_qa-qaa-40-s1/scores.json"
    one, two = (scores.from_json(place / name) for place in (finished, folder))
    assert [row.cell for row in one] == [row.cell for row in two]
    assert [path.name for path in folder.glob(".state/*")] == ["features"]
    told = json.loads((folder / "provenance/small/pretrain/small.json").read_text())["bits"]
    assert told["MKL_CBWR"] in ("COMPATIBLE", None)  # None: a CPU without AVX2
