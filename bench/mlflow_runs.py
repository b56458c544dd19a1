"""How fast the MLflow UI's pages and `xstilts track sync` are with many runs: records are made up.

    python bench/mlflow_runs.py [--runs 2000] [--folder DIR]

Makes records of transfer runs as large as those of the study `paper` (nine targets, 162 cells, a
curve of 50 points for each trained target) in a folder of its own, syncs them, syncs again, starts
an MLflow server on loopback and times each call of the runs page five times. Prints a table; exits
with 1 where a call took more than two seconds. The folder is deleted unless it is named.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STUDY = "many"
SEEDS = 5
TARGETS = {
    **{"xnli": 15, "paws_x": 7, "udpos": 33, "panx": 40, "xquad": 11, "mlqa": 7, "tydiqa": 9},
    **{"bucc": 4, "tatoeba": 36},
}
UNTRAINED = ("bucc", "tatoeba")
LIMIT = 2.0  # seconds that the runs page may take


def digest(text: str) -> str:
    """A made-up sha256."""
    return hashlib.sha256(text.encode()).hexdigest()


def record(number: int, rng: random.Random) -> dict[str, Any]:
    """One transfer run as its stage would record it."""
    setting, seed = divmod(number, SEEDS)
    task, size = f"task_{setting % 20}", 1000 * (1 + setting // 20)
    level = rng.gauss(50 + size / 2000, 1)
    cells = {
        f"{one}.l{n:02}": level + rng.gauss(0, 3)
        for one, many in TARGETS.items()
        for n in range(many)
    }
    means = {f"{one}.zero_shot": level + rng.gauss(0, 1) for one in ("average", *TARGETS)}
    curves = {
        f"{one}.loss": [[step, 2 / (1 + step)] for step in range(0, 5000, 100)]
        for one in TARGETS
        if one not in UNTRAINED
    }
    rows = {
        f"data/prepare/{STUDY}/targets/{one}/l{n:02}.test.parquet": digest(f"{one} {n}")
        for one, many in TARGETS.items()
        for n in range(many)
    }
    spec = {
        **{"method": "single", "variant": "", "task": task, "source_language": "en", "size": size},
        **{"seed": seed + 1, "checkpoint": f"models/intermediate/{STUDY}/{number}"},
    }
    return {
        "stage": "transfer",
        "key": f"{task}-en-{size}-s{seed + 1}",
        "study": STUDY,
        "params": spec,
        "inputs": {
            **rows,
            f"models/intermediate/{STUDY}/{number}/model.safetensors": digest(str(number)),
        },
        "metrics": {**means, **cells, **{name: curve[-1][1] for name, curve in curves.items()}},
        "curves": curves,
        "artifacts": ["scores.json"],
    }


def write(runs: int) -> None:
    """The records of a study, under the working folder."""
    rng = random.Random(1)
    for number in range(runs):
        made = record(number, rng)
        folder = Path("results/transfer") / STUDY / made["key"]
        folder.mkdir(parents=True)
        (folder / "scores.json").write_text("[]\n")
        (folder / "record.json").write_text(json.dumps(made))
    Path("params.yaml").write_text(f"study: {STUDY}\n")


def timed(call: Any) -> tuple[float, Any]:
    """Seconds of a call, and what it gives."""
    start = time.monotonic()
    found = call()
    return time.monotonic() - start, found


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server() -> Iterator[str]:
    """The address of `xstilts ui` on the store of the working folder."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("xstilts")), "ui", "--port", str(port)]
    with Path("server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"{address}/health"):
                    break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait()


def post(address: str, body: dict[str, Any]) -> bytes:
    """What a call of the UI answers."""
    data, head = json.dumps(body).encode(), {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(address, data, head)) as answer:
        return bytes(answer.read())


def calls(place: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """What the runs page asks for, as seen in a browser: title -> (path, body)."""
    best = {
        "run_view_type": "ACTIVE_ONLY",
        "max_results": 100,
        "order_by": ["metrics.`average.zero_shot` DESC"],
        "experiment_ids": [place],
    }
    by_tag = "tags.stage = 'transfer' and tags.task = 'task_3' and tags.size = '3000'"
    newest = {"order_by": [{"field_name": "creation_time", "ascending": False}]}
    search = "runs/search"
    return {
        "settings, mean and SD": (search, best | {"filter": "tags.stage = 'setting'"}),
        "transfer runs, grouped": (search, best | {"filter": "tags.stage = 'transfer'"}),
        "filtered by task and size": (search, best | {"filter": by_tag}),
        "filtered by a data set": (
            search,
            best | {"filter": "tags.stage = 'transfer' and dataset.name = 'xnli'"},
        ),
        "list of data sets": ("experiments/search-datasets", {"experiment_ids": [place]}),
        "logged models": ("logged-models/search", {"experiment_ids": [place], **newest}),
    }


def measure(runs: int) -> None:
    """Make, sync and ask; print what it took."""
    from xstilts.records import tracking, tracking_store

    write(runs)
    seconds, added = timed(lambda: tracking.sync(STUDY))
    print(f"| sync of {added} records | {seconds:.0f} s, {1000 * seconds / runs:.0f} ms a record |")
    print(f"| sync again | {timed(lambda: tracking.sync(STUDY))[0]:.1f} s |")
    print(f"| mlflow.db | {Path('mlruns/mlflow.db').stat().st_size / 2**20:.0f} MiB |", flush=True)
    place = tracking_store.experiment(tracking_store.open_store(), STUDY)
    slow = []
    with server() as address:
        for title, (path, body) in calls(place).items():
            where = f"{address}/ajax-api/2.0/mlflow/{path}"
            taken = [timed(lambda: post(where, body)) for _ in range(5)]  # noqa: B023
            times = [seconds for seconds, _ in taken]
            size = len(taken[0][1]) / 2**20
            told = f"{statistics.median(times):.2f} s, at most {max(times):.2f} s, {size:.1f} MiB"
            print(f"| {title} | {told} |", flush=True)
            slow += [title] * (max(times) > LIMIT)
    if slow:
        sys.exit(f"slower than {LIMIT:g} s: {', '.join(slow)}")


def main() -> None:
    """Measure in a folder that is made for it."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--folder", type=Path, help="is made, and kept")
    given = parser.parse_args()
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        folder.mkdir(exist_ok=True)
        os.chdir(folder)
        try:
            measure(given.runs)
        finally:
            os.chdir("/")


if __name__ == "__main__":
    main()
