"""Two at once and disks that are full: one line each, nothing is spoiled, and then it goes on."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bad_cases as cases
import projects
import pytest
from safetensors import SafetensorError

from xstilts.core import errors, files
from xstilts.core.errors import UserError
from xstilts.pipeline import held

Cli = Callable[..., subprocess.CompletedProcess[str]]
HOLD = """
import os, sys, time
from pathlib import Path
from xstilts.pipeline import held
with held(Path(sys.argv[1]), "fetch world--nouns") as lock:
    {body}
"""
OUT = Path("data/fetch/small/world--nouns")


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    """Print all cases after the last one."""
    yield
    cases.show_table()


def holder(body: str) -> subprocess.Popen[str]:
    """A process that holds the lock of a stage's output; it has said so."""
    code = HOLD.format(body=textwrap.dedent(body).strip().replace("\n", "\n    "))
    command = [sys.executable, "-c", code, str(OUT)]
    made = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert made.stdout is not None
    assert made.stdout.readline() == "held\n"
    return made


def test_a_stage_that_is_being_run_is_not_run_again(
    project: Path, cli: Cli, refused: Callable[..., str]
) -> None:
    """Two would write into one draft and one resumable state; a killed holder leaves no lock."""
    first = holder("print('held', flush=True); time.sleep(100)")
    message = refused(
        lambda: None, "fetch world--nouns", "fetch small/world--nouns is being run by"
    )
    assert f"process {first.pid} on " in message
    then = "the first was killed: fetch succeeds"
    message = message.replace(os.uname().nodename, "HOST").removeprefix("xstilts: ")
    cases.TABLE.append(("one stage twice at once", message, then))
    first.kill()
    first.wait()
    assert cli("fetch", "world--nouns").returncode == 0
    assert not list(Path("data").rglob(".*"))


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("transfer small/none-s1", "results/transfer/small/none-s1"),
        ("pretrain small", "models/pretrain/small"),
        ("prepare small/world_qa", "data/prepare/small/training/world_qa"),
    ],
)
def test_no_stage_is_run_twice_at_once(
    command: str, output: str, project: Path, refused: Callable[..., str]
) -> None:
    """The lock is asked for before anything is read, trained or written."""
    with held(Path(output), "the first"):
        refused(lambda: None, command, f"{command} is being run by process {os.getpid()} on ")


def test_workers_hold_the_lock_of_a_parent_that_was_killed(
    project: Path, refused: Callable[..., str]
) -> None:
    """They still write; the stage is free when the last of them has ended."""
    first = holder(
        """
        from xstilts.training.launch import run_workers
        work = "import os, time; print(os.getpid(), flush=True); time.sleep(100)"
        print("held", flush=True)
        run_workers(1, [sys.executable, "-c", work], (lock,))
        """
    )
    assert first.stdout is not None
    worker = int(first.stdout.readline())
    first.kill()
    first.wait()
    refused(lambda: None, "fetch world--nouns", f"is being run by process {first.pid} on ")
    os.kill(worker, signal.SIGKILL)
    for _ in range(100):
        try:
            with held(OUT, "fetch"):
                break
        except UserError:
            time.sleep(0.05)
    else:
        raise AssertionError("the lock outlived its last holder")


def test_locks_of_two_stages_do_not_meet(tmp_path: Path) -> None:
    """Runs of a study may train side by side."""
    with held(tmp_path / "a", "a"), held(tmp_path / "b", "b"):
        assert sorted(path.name for path in tmp_path.iterdir()) == [".a.lock", ".b.lock"]
        with pytest.raises(UserError, match=r"a is being run by process .*Mend: "):
            held(tmp_path / "a", "a").__enter__()
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_second_repro_is_refused_by_dvc_and_the_first_goes_on(
    tmp_path: Path, study: dict[str, Any]
) -> None:
    """DVC's own lock: its words, exit code not 0; then all is as if it had been run once."""
    folder = projects.make(tmp_path / "project", study)
    flow = (folder / "dvc.yaml").read_text()
    slow = flow.replace("cmd: xstilts fetch", "cmd: sleep 5 && xstilts fetch")
    (folder / "dvc.yaml").write_text(slow)
    command = ["dvc", "repro", "fetch"]
    first = subprocess.Popen(
        command, cwd=folder, env=projects.inside(folder), stdout=subprocess.DEVNULL
    )
    rwlock = folder / ".dvc/tmp/rwlock"
    while first.poll() is None and not (rwlock.exists() and str(first.pid) in rwlock.read_text()):
        time.sleep(0.05)
    second = subprocess.run(
        ["dvc", "repro"],
        cwd=folder,
        env=projects.inside(folder),
        capture_output=True,
        text=True,
    )
    assert first.poll() is None, "the first was too fast to be met"
    assert second.returncode != 0
    # The first while DVC itself works, the second while a stage runs; that one names the process.
    said = r"Unable to acquire lock|is busy, it is being blocked by:\s+\(PID \d+\): .*dvc repro"
    assert re.search(said, second.stderr), second.stderr
    assert "Traceback" not in second.stderr
    message = " ".join(second.stderr.replace(str(folder), "...").split())
    cases.TABLE.append(("two `dvc repro` at once", message, "the first ends well; nothing to run"))
    assert first.wait() == 0
    again = projects.run(folder, *command)
    assert projects.stages_run(again) == []
    assert not [path for path in folder.rglob(".*.tmp") if ".dvc" not in path.parts]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB, where we may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a file system of limited size cannot be mounted here (needs root)")
    yield place
    subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)


def fill(place: Path, left: int) -> Path:
    """Take all room but `left` bytes."""
    ballast = place / "ballast"
    free = os.statvfs(place)
    ballast.write_bytes(b"0" * (free.f_bavail * free.f_frsize - left))
    return ballast


@pytest.mark.parametrize("left", [0, 8_000, 40_000])
def test_a_full_disk_is_one_line_and_room_makes_it_whole(
    left: int, small_disk: Path, project: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    """Wherever it fills up: at the first folder, in a small file, in a parquet file."""
    shutil.copytree(project, small_disk / "project", ignore=shutil.ignore_patterns("disk"))
    monkeypatch.chdir(small_disk / "project")
    ballast = fill(small_disk, left)
    done = cli("fetch", "world--nouns")
    assert done.returncode == 2, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("xstilts: ")]
    assert "data/fetch" in line
    assert "the disk is full. Mend: make room" in line
    assert ".tmp" not in line
    then = "room made: fetch succeeds"
    cases.TABLE.append((f"disk full, {left} bytes left", line.removeprefix("xstilts: "), then))
    assert not [path for path in Path().rglob(".*") if path.is_file()]
    ballast.unlink()
    assert cli("fetch", "world--nouns").returncode == 0
    assert (OUT / "manifest.json").exists()


def test_a_read_only_file_system_is_one_line(
    small_disk: Path, project: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    """A container that mounts the project without the right to write."""
    shutil.copytree(project, small_disk / "project", ignore=shutil.ignore_patterns("disk"))
    monkeypatch.chdir(small_disk / "project")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    done = cli("fetch", "world--nouns")
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert done.returncode == 2
    assert "the file system is read-only. Mend: " in done.stderr
    assert done.stderr.count("\n") == 1
    message = done.stderr.strip().removeprefix("xstilts: ")
    cases.TABLE.append(("read-only file system", message, "mounted writable: fetch succeeds"))
    assert cli("fetch", "world--nouns").returncode == 0


WRAPPED = RuntimeError("while saving")
WRAPPED.__cause__ = OSError(errno.EDQUOT, "Disk quota exceeded", "a/.b.json.node-12.tmp")
ERRORS = [
    (OSError(errno.ENOSPC, "No space left on device"), "data/x: the disk is full"),
    (OSError(errno.ENOSPC, "full", "data/.x.tmp/y"), "data/x/y: the disk is full"),
    (OSError("[Errno 28] Error writing bytes to file"), "data/x: the disk is full"),
    (SafetensorError("I/O error: No space left on device (os error 28)"), "the disk is full"),
    (RuntimeError("PytorchStreamWriter failed writing file data/0"), "the disk is full"),
    (RuntimeError("[enforce fail] . unexpected pos 4544 vs 4436"), "the disk is full"),
    (WRAPPED, "a/b.json: your disk quota is used up"),
    (
        PermissionError(errno.EACCES, "Permission denied", "/etc/x"),
        "/etc/x: you have no permission",
    ),
]


@pytest.mark.parametrize(("error", "says"), ERRORS, ids=[says for _, says in ERRORS])
def test_each_library_s_word_for_a_full_disk_is_understood(error: Exception, says: str) -> None:
    """Python has a number for it, Rust and C++ have words, and some wrap it."""
    with pytest.raises(UserError, match=rf"{says}.*Mend: "), errors.disk(Path("data/x")):
        raise error


def test_other_errors_pass_as_they_are() -> None:
    """A bug must not be told as a full disk, nor a refusal as anything but itself."""
    denied = ValueError("a bug")
    denied.__context__ = PermissionError(errno.EACCES, "met and got over")
    for error in (KeyError("x"), OSError(errno.ECONNREFUSED, "x"), UserError("x"), denied):
        with pytest.raises(type(error)) as caught, errors.disk(Path("x")):
            raise error
        assert caught.value is error


def test_a_draft_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the disk says so only when it is asked to keep the bytes (network disks)."""
    path = tmp_path / "a.json"
    files.write_json(path, 1)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"a\.json: the disk is full"):
        files.write_json(path, 2)
    with pytest.raises(UserError, match="disk is full"), files.output_folder(tmp_path / "o") as out:
        (out / "half").write_text("x")
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]
    assert files.read_json(path) == 1


def test_drafts_of_the_dead_go_and_those_of_the_living_stay(tmp_path: Path) -> None:
    """A killed writer cannot clean up after itself; its next good run does.

    Another machine's writer, and a container's of this machine's name, have numbers of their own.
    """
    gone = subprocess.Popen(["true"])
    gone.wait()
    node = os.uname().nodename.partition(".")[0]
    own = os.stat("/proc/self/ns/pid").st_ino
    dead = f".a.json.{node}-{own}-{gone.pid}.tmp"
    others = [(node, own, os.getppid()), (node, own + 1, gone.pid), ("elsewhere", own, gone.pid)]
    living = [f".a.json.{name}-{space}-{process}.tmp" for name, space, process in others]
    for name in (dead, *living):
        (tmp_path / name).write_text("half")
    files.write_json(tmp_path / "a.json", 1)
    assert {one.name for one in tmp_path.iterdir()} == {*living, "a.json"}


def test_a_disk_without_room_is_told_whatever_the_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch's writer has words for it that name no cause; with room they stay what they are."""
    words = "basic_ios::clear: iostream error"
    with pytest.raises(RuntimeError, match=words), errors.disk(tmp_path / "new/x"):
        raise RuntimeError(words)
    full = shutil.disk_usage(tmp_path)._replace(free=4096)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: full)
    with pytest.raises(UserError, match="x: the disk is full"), errors.disk(tmp_path / "new/x"):
        raise RuntimeError(words)
