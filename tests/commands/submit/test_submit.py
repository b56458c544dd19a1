"""`xstilts submit` against stubs of SLURM: what is handed over, and what not twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xstilts.commands import graph
from xstilts.commands.submit import ledger
from xstilts.commands.submit.job import MORE, Job, run_job
from xstilts.commands.submit.record import show_record
from xstilts.commands.submit.show import show_submit
from xstilts.commands.submit.status import show_status
from xstilts.core import design, files
from xstilts.core.errors import UserError

pytestmark = pytest.mark.usefixtures("studied")
LONG, SHORT = "world_qa-qaa-40-s1", "world_qa-qaa-10-s1"


def submit(dry_run: bool = False) -> ledger.Submission:
    """Submit, and read what was kept of it."""
    show_submit("slurm", dry_run)
    return ledger.submissions()[-1]


def leave(*arrays: str) -> None:
    """SLURM forgets all jobs but those of some arrays."""
    path = Path("jobs")
    lines = path.read_text().splitlines()
    kept = [line for line in lines if line.split("|")[0].split("-", 3)[3] in arrays]
    path.write_text("".join(f"{line}\n" for line in kept))


def mark(cell: graph.Cell, state: str, submission: str = "earlier", code: int = 0) -> None:
    """A cell's marker, and what it made."""
    ledger.Marker(
        stage=cell.name,
        signature=cell.signature,
        state=state,
        submission=submission,
        job="7_0",
        host="node1",
        began=0.0,
        log=f".state/logs/{cell.name}.log",
        code=code,
    ).write()
    for output in cell.outputs if state == ledger.DONE else ():
        if Path(output).suffix == ".json":  # statistics, which are read
            files.write_json(Path(output), {"splits": {}})
        else:
            Path(output).mkdir(parents=True, exist_ok=True)


def states() -> dict[str, str]:
    """Cell -> its state, as scripts read it."""
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()) as out:
        show_status(as_json=True)
    return {one["name"]: one["state"] for one in json.loads(out.getvalue())["cells"]}


def test_arrays_wait_for_each_other_in_the_order_of_the_flow() -> None:
    """The dependencies name jobs of this submission; a run's transfer follows its own job."""
    submission = submit()
    arrays = {one.name: one for one in submission.arrays}
    assert [one.word for one in submission.arrays] == [
        *("fetch", "prepare", "check", "subsample", "pretrain", "intermediate"),
        *("transfer", "transfer", "aggregate", "report"),
    ]
    script = (submission.folder / "transfer.sbatch").read_text()
    assert "#SBATCH --dependency=afterany:2:3:5,aftercorr:6\n" in script
    assert "#SBATCH --array=0-1\n" in script
    for number, cells in arrays["intermediate"].jobs.items():
        runs = [cell.partition("@")[2] for cell in cells]
        assert arrays["transfer"].jobs[number] == [f"transfer@{run}" for run in runs]
    last = (submission.folder / "record.sbatch").read_text()
    assert f"--dependency=afterany:{':'.join(map(str, range(1, 11)))}\n" in last
    assert f"xstilts record --of {submission.name}" in last


def test_a_dry_run_hands_over_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed is all that there is."""
    show_submit("slurm", dry_run=True)
    said = capsys.readouterr().out
    assert "cells done 0, to submit 15," in said
    assert "transfer-2" in said
    assert not Path("jobs").exists()
    assert not ledger.submissions()


def test_what_has_a_job_is_not_submitted_again() -> None:
    """A second job of a cell would do it twice, or fail."""
    first = submit()
    assert submit().name == first.name
    leave("transfer", "record")  # the others were cancelled
    second = submit()
    assert second.name != first.name
    again = second.submitted()
    assert len(again) == 11
    assert not again & {f"transfer@small/{LONG}", f"transfer@small/{SHORT}"}
    assert not again & {"aggregate@small", "report@small"}, "they wait for the earlier jobs"


def test_only_what_is_missing_is_submitted() -> None:
    """A marker counts with the signature that the cell has now, and with what it made."""
    cells = {cell.name: cell for cell in graph.signed(design.load())}
    fetch, prepare = cells["fetch@small/world--nouns"], cells["prepare@small/world_qa"]
    mark(fetch, ledger.DONE)
    mark(prepare, ledger.DONE)
    Path(prepare.outputs[0]).rmdir()  # a person has deleted it
    found = submit(dry_run=False).submitted()
    assert fetch.name not in found
    assert prepare.name in found


def test_a_changed_design_is_run_again() -> None:
    """The signatures of a cell and of all that follow it are others then, and no other ones."""
    before = {cell.name: cell.signature for cell in graph.signed(design.load())}
    path = Path(f"design/intermediate/small/{LONG}.json")
    path.write_text(path.read_text() + "\n")
    after = {cell.name: cell.signature for cell in graph.signed(design.load())}
    changed = {name for name in before if before[name] != after[name]}
    run = {f"intermediate@small/{LONG}", f"transfer@small/{LONG}"}
    assert changed == run | {"aggregate@small", "report@small"}


def test_status_tells_failed_from_cancelled_and_from_what_waits(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A person looks at the log of the first, and submits the second again."""
    submission = submit()
    assert set(states().values()) == {"waiting"}
    cells = submission.cells
    mark(cells["fetch@small/world--nouns"], ledger.DONE, submission.name)
    mark(cells[f"intermediate@small/{LONG}"], ledger.RUNNING, submission.name)
    mark(cells[f"intermediate@small/{SHORT}"], ledger.FAILED, submission.name, 2)
    leave("intermediate", "record")
    found = states()
    assert found["fetch@small/world--nouns"] == "done"
    assert found[f"intermediate@small/{LONG}"] == "running"
    assert found[f"intermediate@small/{SHORT}"] == "failed"
    assert found[f"transfer@small/{SHORT}"] == "blocked"
    assert found[f"transfer@small/{LONG}"] == "lost"
    capsys.readouterr()
    show_status(as_json=False)
    said = capsys.readouterr().out
    assert f"failed: intermediate@small/{SHORT}, exit code 2, job 7_0, log .state/logs/" in said
    leave()
    assert states()[f"intermediate@small/{LONG}"] == "lost", "its job is gone"


def test_without_slurm_the_markers_speak(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a laptop that has the files only."""
    mark(submit().cells["pretrain@small"], ledger.RUNNING)
    monkeypatch.setenv("PATH", "/nowhere")
    found = states()
    assert found["pretrain@small"] == "running"
    assert found["report@small"] == "waiting"
    show_status(as_json=False)
    assert "The scheduler's commands are not here" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"commands of slurm are not on this machine. Mend: "):
        show_submit("slurm", dry_run=False)


def test_a_scheduler_that_does_not_answer_stops_a_submission() -> None:
    """Nobody knows then what has a job already."""
    submit()
    Path("down").touch()
    with pytest.raises(UserError, match="`squeue` failed: slurm_load_jobs error"):
        show_submit("slurm", dry_run=False)


def test_a_refused_array_leaves_those_before_it_queued(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """They are worth their results: a last job records them, and a person is told."""
    Path("refused").touch()
    with pytest.raises(UserError, match=r"Queued before it: fetch, prepare, record. Mend: "):
        show_submit("slurm", dry_run=False)
    Path("refused").unlink()
    capsys.readouterr()
    show_submit("slurm", dry_run=False)
    assert "with a job already 5\nleft out 10, as check@small" in capsys.readouterr().out


def test_nothing_is_recorded_while_a_cell_has_a_job(capsys: pytest.CaptureFixture[str]) -> None:
    """It could read what moves into DVC's cache."""
    submit()
    show_record()
    assert "nothing is recorded yet; cells with a job still: 15" in capsys.readouterr().out
    assert not Path("dvc.lock").exists()


def test_a_job_runs_its_cells_round_a_failed_one() -> None:
    """Its markers tell of each; what waits for a failed cell is not run."""
    submission = submit()
    (array,) = [one for one in submission.arrays if one.name == "prepare"]
    array.jobs = {0: [cell for some in array.jobs.values() for cell in some]}
    cells = submission.cells
    names = array.jobs[0]
    for name in names:
        cells[name] = changed(cells[name], "true", ())
    cells[names[1]] = changed(cells[names[1]], "exit 3", ())
    cells[names[2]] = changed(cells[names[2]], "true", (names[1],))
    cells[names[3]] = changed(cells[names[3]], "echo told; true", ())
    submission.write()
    assert run_job(submission.name, "prepare", 0) == 0, "some are done"
    found = [ledger.marker(cells[name]) for name in names]
    assert [one and one.state for one in found] == ["done", "failed", None, "done"]
    assert found[1] is not None
    assert found[1].code == 3
    assert found[3] is not None
    assert "told" in Path(found[3].log).read_text()


def test_jobs_track_on_a_server_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file on a shared disk is no place where many machines may write at once."""
    submission = submit()
    cell = submission.cells["fetch@small/world--nouns"]
    submission.cells[cell.name] = changed(cell, "echo tracking ${XSTILTS_TRACKING:-live}", ())
    monkeypatch.delenv("XSTILTS_TRACKING", raising=False)
    for uri in ("", "sqlite:///mlruns/mlflow.db", "http://server:5000", "postgresql://server/db"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert Job(submission, "7_0", 100).run([cell.name]) == 0
        ledger.marker_file(cell.name).unlink()
    (log,) = Path(".state/logs").glob("fetch*nouns.log")
    said = [line for line in log.read_text().splitlines() if line.startswith("tracking")]
    assert said == ["tracking off", "tracking off", "tracking live", "tracking live"]


def test_runs_of_jobs_are_in_the_store_when_they_are_recorded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who opens the store after a submitted study finds what `dvc repro` would have put there."""
    for name in ("MLFLOW_TRACKING_URI", "XSTILTS_TRACKING"):
        monkeypatch.delenv(name, raising=False)
    submission = submit()
    name = "fetch@small/world--nouns"
    assert Job(submission, "7_0", 100).run([name]) == 0
    leave()
    assert not Path("mlruns/mlflow.db").exists()
    monkeypatch.setenv("XSTILTS_TRACKING", "off")
    show_record()
    assert not Path("mlruns/mlflow.db").exists(), "who wants none has none"
    monkeypatch.delenv("XSTILTS_TRACKING")
    for added in (1, 0):
        show_record()
        assert f"runs added to MLflow: {added}\n" in capsys.readouterr().out
    Path("mlruns/mlflow.db").write_text("no database")
    show_record()
    assert "the runs are not in MLflow: the MLflow store failed" in capsys.readouterr().out


def changed(cell: graph.Cell, command: str, after: tuple[str, ...]) -> graph.Cell:
    """A cell with another command, which makes nothing."""
    return graph.Cell(cell.name, command, cell.signature, after, cell.sources, (), cell.changed)


def test_a_job_that_is_short_of_time_leaves_the_rest() -> None:
    """The longest cell so far says how long the next one may take."""
    submission = submit()
    (array,) = [one for one in submission.arrays if one.name == "prepare"]
    array.jobs = {0: [cell for some in array.jobs.values() for cell in some]}
    for name in array.jobs[0]:
        submission.cells[name] = changed(submission.cells[name], "sleep 0.4", ())
    submission.seconds["prepare"] = 0.7
    submission.write()
    assert run_job(submission.name, "prepare", 0) == MORE
    done = [name for name in array.jobs[0] if ledger.finished(submission.cells[name])]
    assert done == array.jobs[0][:1]
    while run_job(submission.name, "prepare", 0) == MORE:
        pass
    assert all(ledger.finished(submission.cells[name]) for name in array.jobs[0])


def test_what_was_edited_since_is_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Its marker would say that it is the work of what it was before."""
    submission = submit()
    path = Path("design/fetch/small/world--nouns.json")
    path.write_text(path.read_text() + "\n")
    assert run_job(submission.name, "fetch", 0) == 1
    said = capsys.readouterr().out
    assert f"{path} is not as it was when this was submitted. Mend: `xstilts submit` again" in said
    assert ledger.marker(submission.cells["fetch@small/world--nouns"]) is None
