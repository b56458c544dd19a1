"""XLM-R Large through the whole pipeline on one machine without a GPU: memory, time, and a kill.

    python bench/large.py                  in a temporary folder; --folder DIR keeps it
    python bench/large.py --small          the same with a tiny encoder

Random weights in the published shape (24 x 1024, 250,002 pieces) and made-up rows in a mirror
folder of its own. `dvc repro` imports the checkpoint, trains four updates of batch 8 in phase ii,
and again in phase iii, which it scores; `dvc push` sends all to a folder. Then each phase is run
again and killed by SIGKILL once a resumable state has been written; it must go on from there to
the same bytes, which dvc.lock tells. Memory is that of all processes together, twice a second.
Prints a table and a line of JSON; exit code 1 where the bar of 20 GB does not hold. Kept results:
bench/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import projects
import rows

from xstilts.core.machine import Machine
from xstilts.core.params import Architecture

BAR = 20.0  # GB
BATCH = 8
TRAINING_ROWS, SCORED_ROWS = 64, 16
LANGUAGES = ("en", "sw")
MODEL, NLI, XNLI = "random/encoder", "nyu-mll/glue", "facebook/xnli"
PHASES = {"ii": "intermediate@small/mnli-en-16-s1", "iii": "transfer@small/mnli-en-16-s1"}
GB = 1e9


@dataclass(frozen=True)
class Scale:
    """How large all is."""

    shape: Architecture
    steps: int
    length: int = 64  # pieces of a sequence


# Of four updates, as a state of gigabytes is written while the next ones run; one is to be whole
# before the last has ended.
LARGE = Scale(
    Architecture(vocabulary=250_002, layers=24, hidden=1024, heads=16, feed_forward=4096), 4
)
# So many updates, as a tiny training looks at the clock after every 20th only.
SMALL = Scale(Architecture(vocabulary=502, layers=2, hidden=32, heads=2, feed_forward=64), 200)


def make_model(scale: Scale, folder: Path) -> None:
    """A checkpoint with random weights and a tokenizer of whole words, in XLM-R's layout."""
    import torch

    from xstilts.model.checkpoint import small_xlmr

    pieces = scale.shape.vocabulary
    rows.word_pieces(pieces).save_pretrained(folder)
    torch.manual_seed(0)
    net = small_xlmr(scale.shape, pieces, 0.1)
    net.base_model.save_pretrained(folder)


def make_rows(scale: Scale, root: Path) -> None:
    """MNLI for training and XNLI to be scored, in the hub's layout; no row twice."""
    draw, known = random.Random(0), rows.words(scale.shape.vocabulary)

    def write(path: Path, count: int) -> None:
        rows = [
            {
                "premise": " ".join(draw.choices(known, k=scale.length // 2)),
                "hypothesis": " ".join(draw.choices(known, k=scale.length // 2)),
                **{"label": row % 3, "idx": row},
            }
            for row in range(count)
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    for split, count in (("train", TRAINING_ROWS), ("validation_matched", SCORED_ROWS)):
        write(root / f"datasets/{NLI}/mnli/{split}.jsonl", count)
    card(root / f"datasets/{NLI}", ("mnli",), ("train", "validation_matched"))
    for language in LANGUAGES:
        for split in ("validation", "test"):
            write(root / f"datasets/{XNLI}/{language}/{split}.jsonl", SCORED_ROWS)
    card(root / f"datasets/{XNLI}", LANGUAGES, ("validation", "test"))


def card(folder: Path, configs: tuple[str, ...], splits: tuple[str, ...]) -> None:
    """The README that says which file is which split."""
    import yaml

    told = [
        {
            "config_name": config,
            "data_files": [{"split": one, "path": f"{config}/{one}.jsonl"} for one in splits],
        }
        for config in configs
    ]
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump({'configs': told})}---\n")


def study(scale: Scale, mirror: Path) -> dict[str, Any]:
    """One run of phase ii, and one target for it and for the untouched encoder."""
    training = {"batch": BATCH, "steps": scale.steps, "learning_rate": 1.0e-5}
    return {
        "study": "small",
        "title": "XLM-R Large with random weights",
        "description": "For bench/large.py",
        "data": {"source": f"mirror:{mirror}"},
        "pretrain": {"hub": {"model": MODEL, "revision": "0" * 40}},
        "training": {**training, "max_length": scale.length},
        "baseline_seeds": [1],
        "intermediate": [{"task": "mnli", "languages": ["en"], "sizes": [16], "seeds": [1]}],
        "targets": {
            "xnli": {
                **{"source_language": "en", "protocol": "x-stilts", "train_limit": 32},
                "languages": list(LANGUAGES),
            }
        },
    }


def resident(group: int) -> int:
    """Bytes of all processes of a group; what they share counts for each."""
    total = 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(path.name)) == group:
                total += int((path / "statm").read_text().split()[1])
        except (OSError, ValueError):  # it has ended
            continue
    return total * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def watched(repro: projects.Repro) -> Iterator[list[int]]:
    """The most memory of a `dvc repro` with its children, in bytes: one number, kept up to date."""
    most, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.5):
            most[0] = max(most[0], resident(repro.process.pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        ended.set()
        thread.join()


class Bench:
    """The measurements of one project."""

    def __init__(self, scale: Scale, root: Path) -> None:
        self.scale, self.root, self.folder = scale, root, root / "project"
        self.rows: list[dict[str, Any]] = []

    def note(self, what: str, began: float, peak: float, **more: Any) -> None:
        """A row of the table."""
        row = {"what": what, "seconds": round(time.monotonic() - began, 1)}
        self.rows.append({**row, "peak_gb": round(peak / GB, 2), **more})
        told = " | ".join(str(value) for value in self.rows[-1].values())
        print(f"| {told} |", flush=True)

    def make(self) -> None:
        """The mirror and the project."""
        began = time.monotonic()
        mirror = self.root / "mirror"
        make_rows(self.scale, mirror)
        small = ["--small"] if self.scale.shape == SMALL.shape else []
        place = str(mirror / "models" / MODEL)
        subprocess.run([sys.executable, __file__, "--make", place, *small], check=True)
        share = {"save_share": 1.0} if "save_share" in Machine.model_fields else {}
        told = {"threads": 2, "save_seconds": 0.01, **share}
        machine = "".join(f"{name}: {value}\n" for name, value in told.items())
        projects.make(self.folder, study(self.scale, mirror), machine)
        self.note("mirror and project", began, 0)

    def repro(self, what: str, *given: str) -> None:
        """`dvc repro` to its end."""
        began, repro = time.monotonic(), projects.Repro(self.folder, given=given)
        with watched(repro) as most:
            repro.finish(7200)
        self.note(what, began, most[0])

    def killed(self, phase: str) -> None:
        """Run a phase again, and kill it when a state has been written and counts."""
        began = time.monotonic()
        # Of equal inputs DVC would bring the output from its run cache.
        given = ("--force", "--single-item", "--no-run-cache", PHASES[phase])
        repro = projects.Repro(self.folder, given=given)
        with watched(repro) as most:
            while repro.running() and not self.states():
                time.sleep(0.01)
            if not repro.running():
                raise SystemExit(f"phase {phase} ended before a state was written")
            repro.signal(signal.SIGKILL)
        self.note(f"phase {phase}, killed after a state", began, most[0], states=len(self.states()))

    def states(self) -> list[Path]:
        """Resumable states that count."""
        return list(self.folder.glob(".state/**/hashes.json"))

    def whole(self) -> dict[str, Any]:
        """Straight, pushed, then killed and gone on with in each phase."""
        self.make()
        self.repro("dvc repro")
        lock = (self.folder / "dvc.lock").read_bytes()
        began = time.monotonic()
        projects.run(self.folder, "dvc", "remote", "add", "-d", "lab", str(self.root / "remote"))
        said = projects.run(self.folder, "dvc", "push")
        sent = sum(path.stat().st_size for path in (self.root / "remote").rglob("*"))
        self.note("dvc push", began, 0, gb=round(sent / GB, 2), said=said.splitlines()[-1])
        equal = True
        for phase, name in PHASES.items():
            self.killed(phase)
            self.repro(
                f"phase {phase}, gone on", "--force", "--single-item", "--no-run-cache", name
            )
            equal = equal and (self.folder / "dvc.lock").read_bytes() == lock
        assert not self.states(), "resumable states are deleted on success"
        return {"equal_bytes": equal, "stages": self.stages(), "plan": self.plan()}

    def stages(self) -> dict[str, dict[str, float]]:
        """Seconds and peak of each phase's process, as its provenance says."""
        found = {}
        for path in sorted(self.folder.glob("provenance/small/*/*.json")):
            told = json.loads(path.read_text())
            peak = told["peak_bytes"]["process"] / GB
            name = f"{path.parent.name} {path.stem}"
            found[name] = {"seconds": round(told["seconds"], 1), "peak_gb": round(peak, 2)}
        return found

    def plan(self) -> str:
        """What `xstilts plan` says of memory."""
        said = projects.run(self.folder, "xstilts", "plan")
        return next(line for line in said.splitlines() if line.startswith("Predicted peak memory"))


def run(scale: Scale, root: Path) -> int:
    """Print the table and the JSON line; 1 where a bar does not hold."""
    print("| what | seconds | peak, GB | |\n|---|---|---|---|", flush=True)
    bench = Bench(scale, root)
    found = bench.whole()
    most = max(row["peak_gb"] for row in bench.rows)
    for name, told in found["stages"].items():
        print(f"| stage {name} | {told['seconds']} | {told['peak_gb']} | its process |")
    print(found["plan"])
    print(
        json.dumps(
            {"shape": scale.shape.model_dump(), "peak_gb": most, **found, "rows": bench.rows}
        )
    )
    return int(most > BAR or not found["equal_bytes"])


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="a tiny encoder")
    parser.add_argument("--length", type=int, default=64, help="pieces of a sequence; usually 64")
    parser.add_argument("--folder", type=Path, help="an empty one, which is kept")
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)  # in a process of its own
    given = parser.parse_args()
    scale = replace(SMALL if given.small else LARGE, length=given.length)
    if given.make:
        make_model(scale, given.make)
        return 0
    if given.folder:
        given.folder.mkdir(parents=True, exist_ok=True)
        return run(scale, given.folder.resolve())
    root = Path(tempfile.mkdtemp(prefix="large-"))
    try:
        return run(scale, root)
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    sys.exit(main())
