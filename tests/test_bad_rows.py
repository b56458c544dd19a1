"""Bad rows and machines through the real command line: told in one line, nothing half-written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from xstilts import distributed, files, launch, params, pipeline, state
from xstilts.errors import UserError

Refused = Callable[..., str]
PARAMS, MACHINE = Path("params.yaml"), Path("machine.yaml")
ROWS = Path("data/prepare/small/training/world_qa/qaa.train.parquet")
RAW = Path("data/fetch/world--facts")


def take_too_many() -> None:
    PARAMS.write_text(PARAMS.read_text().replace("  - 40\n", "  - 41000\n"))


def cut_rows() -> None:
    ROWS.write_bytes(ROWS.read_bytes()[: ROWS.stat().st_size // 2])


def change_raw_rows() -> None:
    path = next(RAW.glob("data/qa.qaa/train*"))
    path.write_bytes(path.read_bytes()[::-1])


CASES = {
    "size larger than the rows": (
        *(take_too_many, "subsample world_qa-qaa-s1"),
        "subset of 41000 rows of world_qa in 'qaa': there are 60 training rows",
    ),
    "rows cut short": (cut_rows, "subsample world_qa-qaa-s1", "qaa.train.parquet is corrupt"),
    "rows that are no parquet": (
        *(lambda: ROWS.write_text("no parquet"), "subsample world_qa-qaa-s1"),
        "qaa.train.parquet is corrupt or no parquet",
    ),
    "raw rows changed": (
        *(change_raw_rows, "prepare world_qa"),
        f"differs from {RAW}/manifest.json",
    ),
    "raw rows lost": (
        *(lambda: next(RAW.glob("data/qa.qaa/train*")).unlink(), "prepare world_qa"),
        "is missing",
    ),
    "manifest broken": (
        *(lambda: (RAW / "manifest.json").write_text("{"), "prepare world_qa"),
        "manifest.json is not valid JSON",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_bad_rows_are_one_line_and_leave_nothing(
    case: tuple[Callable[[], object], str, str], prepared: Path, refused: Refused
) -> None:
    """In a project with fetched and prepared rows: what was there stays as it was."""
    refused(*case)


def test_a_gpu_that_is_not_there_is_told(prepared: Path, refused: Refused) -> None:
    """Nothing falls back to a CPU for a week."""
    refused(
        lambda: MACHINE.write_text("device: cuda"),
        "pretrain",
        "machine.yaml: device: cuda, but no CUDA device is visible",
        CUDA_VISIBLE_DEVICES="",
    )


def test_a_batch_that_processes_cannot_share_is_told_before_they_start(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line and exit code 2, and no half-started workers."""

    def start(*arguments: object) -> None:
        raise AssertionError("workers were started")

    monkeypatch.setattr(launch.subprocess, "Popen", start)
    monkeypatch.delenv(launch.MEETING, raising=False)
    MACHINE.write_text("processes: 3")
    with pytest.raises(UserError, match="batch of 8 cannot be shared by 3"):
        pipeline.run_stage("pretrain")


@pytest.mark.parametrize(("batch", "workers"), [(8, 3), (2, 4)])
def test_a_batch_is_shared_equally_or_refused(batch: int, workers: int) -> None:
    """An unequal share would be another batch than the study's."""
    training = params.Training(batch=batch, epochs=1, learning_rate=1.0)
    with pytest.raises(UserError, match=rf"batch of {batch} cannot be shared by {workers}.*Mend: "):
        distributed.accumulation(training, params.Machine(), workers)


def test_missing_input_of_a_training_is_told(project: Path) -> None:
    """Somebody who starts a stage by hand before the one that it reads from."""
    missing = [Path("data/prepare/small/pretraining/world_text/mul.train.parquet")]
    with pytest.raises(UserError, match=r"mul.train.parquet is missing. Mend: "):
        state.folder("pretrain", {}, missing, params.Machine())


def replace_half(folder: Path) -> None:
    """Fail while an output folder is being written."""
    with files.output_folder(folder) as out:
        (out / "half").write_text("x")
        raise OSError("No space left on device")


def test_a_full_disk_leaves_the_old_output_and_no_draft(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is half-written would pass for a result."""
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    table = files.read_parquet(ROWS)

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="space"):
            files.write_json(PARAMS, {})
        with pytest.raises(OSError, match="space"):
            files.write_parquet(ROWS, table)
    with pytest.raises(OSError, match="space"):
        replace_half(ROWS.parent)
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before
    assert not list(Path().rglob("*.tmp"))
