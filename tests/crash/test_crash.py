"""Kill a study anywhere; it ends with the bytes of an undisturbed one. `make crashtest`.

CRASH_KILLS (26) is the number of SIGKILLs, CRASH_SEED (1) decides their moments. The log of all of
them is printed with -s and kept as crash.log in the folder that it names.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import projects
import pytest
from crash import kills

from xstilts.core.flow import WORDS

pytestmark = pytest.mark.crash
KILLS = int(os.environ.get("CRASH_KILLS", "26"))
SEED = int(os.environ.get("CRASH_SEED", "1"))
FIRST_ROOM, MORE_ROOM = 900, 800  # kilobytes


@pytest.fixture(scope="module")
def study(new_study: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    return projects.crashing(new_study())


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, study: dict[str, Any]
) -> tuple[Path, dict[str, float]]:
    """A study run to its end, and how long a run of each stage took."""
    folder = projects.make(
        tmp_path_factory.mktemp("undisturbed") / "project", study, projects.OFTEN
    )
    repro, entered = projects.Repro(folder), {}
    while repro.running():
        entered.setdefault(repro.stage(), time.monotonic())
        time.sleep(0.05)
    repro.finish()
    entered.pop("", None)
    times = [*entered.values(), time.monotonic()]
    spans: dict[str, float] = dict.fromkeys(WORDS, 0.0)
    for (name, begin), end in zip(entered.items(), times[1:], strict=True):
        word = name.partition("@")[0]
        if word in spans:  # `code` takes no time
            spans[word] = max(spans[word], end - begin)
    return folder, spans


def same_lock(folder: Path, other: Path) -> None:
    """Every output of every stage has the bytes that it has in the other project."""
    assert (folder / "dvc.lock").read_bytes() == (other / "dvc.lock").read_bytes()


def test_killed_anywhere_it_ends_with_the_same_bytes(
    tmp_path: Path, study: dict[str, Any], undisturbed: tuple[Path, dict[str, float]]
) -> None:
    """The promise of the kit: whatever happens on the way, the result is the straight run's."""
    reference, spans = undisturbed
    folder = projects.make(tmp_path / "project", study, projects.OFTEN)
    log = []
    for moment in kills.plan(KILLS, SEED, spans):
        log.append(kills.strike(folder, moment, signal.SIGKILL))
        print(log[-1], flush=True)
    landed = [kill for kill in log if kill.stage]
    print(f"{len(landed)} kills: {dict(Counter(k.stage.partition('@')[0] for k in landed))}")
    print(f"moments: {dict(Counter(k.moment.what for k in landed))}")
    (tmp_path / "crash.log").write_text("\n".join(map(str, log)))
    assert len(landed) >= 0.8 * KILLS
    projects.Repro(folder).finish()
    same_lock(folder, reference)
    left = [path.name for path in folder.glob(".state/*")]
    assert left == ["features"], "resumable states are deleted on success"
    assert not list(folder.glob("**/.*.tmp")), "no half-written output is left"
    print("dvc.lock: equal bytes")


def statuses(store: Path) -> Counter[str]:
    """Runs of stages in an MLflow store by their status."""
    query = """select status from runs where run_uuid not in
               (select run_uuid from tags where key = 'stage' and value = 'setting')"""
    with sqlite3.connect(store) as database:
        return Counter(status for (status,) in database.execute(query))


def test_ended_by_sigterm_it_says_so_and_goes_on(
    tmp_path: Path, study: dict[str, Any], undisturbed: tuple[Path, dict[str, float]]
) -> None:
    """What a cluster does to a job whose time is up: MLflow says KILLED, the work is kept."""
    reference = undisturbed[0]
    folder = projects.make(tmp_path / "project", study, projects.OFTEN)
    for word in ("pretrain", "intermediate", "transfer"):
        moment = kills.Moment(word, "while a state is saved")
        print(kills.strike(folder, moment, signal.SIGTERM), flush=True)
    projects.Repro(folder).finish()
    same_lock(folder, reference)
    found = statuses(folder / "mlruns/mlflow.db")
    assert found["KILLED"] >= 2  # a signal may fall before the run is open, or after its end
    assert found["RUNNING"] == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """small_disk(kilobytes): a file system of that size, where we may mount one."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(kilobytes: int) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("a file system of limited size cannot be mounted here (needs root)")
        return place

    yield mount
    subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)


def grow(place: Path, kilobytes: int) -> None:
    """Give the file system more room."""
    command = ["mount", "-o", f"remount,size={kilobytes}k", str(place)]
    subprocess.run(command, check=True, capture_output=True)


def test_a_full_disk_stops_with_a_message_and_room_makes_it_whole(
    tmp_path: Path,
    small_disk: Callable[[int], Path],
    study: dict[str, Any],
    undisturbed: tuple[Path, dict[str, float]],
) -> None:
    """A disk that fills up at any write loses nothing; the same command then finishes the study."""
    stopped: list[str] = []
    place = small_disk(64_000)
    folder = projects.make(place / "project", study, projects.OFTEN)
    used = subprocess.run(["du", "-sk", str(place)], capture_output=True, text=True, check=True)
    size = int(used.stdout.split()[0]) + FIRST_ROOM
    grow(place, size)
    # Where there is room: the log, and DVC's notes, as DVC tries for ever to write these (diskcache
    # takes SQLite's "disk is full" for a lock that will be given up).
    elsewhere = {"DVC_SITE_CACHE_DIR": str(tmp_path / "site-cache")}
    for _ in range(10):
        repro = projects.Repro(folder, tmp_path / "repro.log", **elsewhere)
        repro.process.wait(300)
        if repro.process.returncode == 0:
            break
        stopped.append(repro.stage())
        full = r"no space left|disk is full|database or disk is full"
        assert re.search(full, repro.said(), re.I), repro.said()
        size += MORE_ROOM
        grow(place, size)
    grow(place, 512_000)
    projects.Repro(folder).finish()
    print(f"stopped by a full disk in: {stopped}")
    assert stopped, "the disk was never full: the test tests nothing"
    same_lock(folder, undisturbed[0])


def free_port() -> int:
    """A port of the loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(store: Path, port: int) -> subprocess.Popen[bytes]:
    """An MLflow server on loopback, ready to be used."""
    store.mkdir(exist_ok=True)
    command = ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{store}/mlflow.db"]
    command += ["--artifacts-destination", str(store / "artifacts")]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    server = subprocess.Popen(
        command,
        env=projects.environment(**quiet),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return server
        time.sleep(0.1)
    raise AssertionError("the MLflow server did not start")


def stop(server: subprocess.Popen[bytes]) -> None:
    """End a server and its workers."""
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def test_a_tracking_server_that_dies_stops_nothing_and_sync_fills_the_gap(
    tmp_path: Path, study: dict[str, Any], undisturbed: tuple[Path, dict[str, float]]
) -> None:
    """Files are the truth, MLflow is the window: training outlives it, the records refill it."""
    folder, port = projects.make(tmp_path / "project", study, projects.OFTEN), free_port()
    place = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}
    server = serve(tmp_path / "server", port)
    repro = projects.Repro(folder, **place)
    while repro.running() and not (folder / ".state").exists():
        time.sleep(0.05)
    stop(server)
    repro.finish()
    same_lock(folder, undisturbed[0])
    server = serve(tmp_path / "server", port)
    try:
        stages = len(re.findall("Running stage", repro.said())) - 1  # `code` is no run
        added = int(
            re.findall(
                r"runs added: (\d+)", projects.run(folder, "xstilts", "track", "sync", **place)
            )[0]
        )
        assert 0 < added < stages  # what was finished before the server died is there already
        assert "runs added: 0" in projects.run(folder, "xstilts", "track", "sync", **place)
    finally:
        stop(server)
    done = statuses(tmp_path / "server/mlflow.db")
    assert done["FINISHED"] == stages
