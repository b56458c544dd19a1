"""How long `xstilts intermediate` takes to its first update, and what for.

    python bench/start.py [REPEATS]      in a tiny study, a new process each time, MLflow included

Functions of the kit are watched as their modules are imported; the stage ends by an exception after
the first update. Kept results: bench/README.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.machinery import PathFinder
from pathlib import Path
from statistics import median
from typing import Any

KEY = "world_qa-qaa-10-s1"
BEGIN, END = 0, 1
WATCHED = {  # module -> function -> what is done when it begins, or ends
    "xstilts.pipeline": {"run_stage": (BEGIN, "Python, the command line")},
    "xstilts.records.tracking": {"track": (BEGIN, "params, lock; the stage's imports")},
    "xstilts.stages.intermediate": {
        "run": (BEGIN, "a run in MLflow"),
        "finetune": (BEGIN, "rows, tokenizer, process group, hashes"),
    },
    "xstilts.training.loop": {
        "initialize": (BEGIN, "model"),
        "_steps": (BEGIN, "DeepSpeed"),
        "_update": (END, "first update"),
    },
}


class Watch(PathFinder):
    """Wraps the watched functions of a module that has just been imported."""

    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> Any:
        """As Python's own, for the modules that are watched."""
        if fullname not in WATCHED:
            return None
        spec = super().find_spec(fullname, path, target)
        run = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            run(module)
            for name, (when, what) in WATCHED[fullname].items():
                setattr(module, name, timed(getattr(module, name), when, what))

        spec.loader.exec_module = exec_module
        return spec


def timed(function: Any, when: int, what: str) -> Any:
    """`function`, telling the time as it begins or ends; with the last the process ends, too."""

    def call(*arguments: Any, **named: Any) -> Any:
        if when == END:
            function(*arguments, **named)
        print(json.dumps([what, time.monotonic(), time.process_time()]), flush=True)
        if when == END:
            sys.exit()
        return function(*arguments, **named)

    return call


def main(repeats: int) -> None:
    """Make the study up to the stage, start the stage, print what its start was spent on."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    import conftest
    import projects

    from xstilts.core import design

    with tempfile.TemporaryDirectory() as folder:
        conftest._project(Path(folder))
        os.chdir(folder)
        projects.run_stages(design.load(), ("fetch", "prepare", "check", "subsample", "pretrain"))
        command = [sys.executable, __file__, "intermediate", KEY]
        runs = []
        for _ in range(repeats + 1):  # the first one makes MLflow's store
            last, run = (time.monotonic(), 0.0), {}
            said = subprocess.check_output(command, env=projects.environment())
            for what, *now in map(json.loads, said.splitlines()):
                run[what], last = [b - a for a, b in zip(last, now, strict=True)], now
            run["all"] = [sum(column) for column in zip(*run.values(), strict=True)]
            runs.append(run)
        os.chdir("/")
    print("| | seconds | CPU seconds |\n|---|---|---|")
    for what in runs[0]:
        columns = zip(*(run[what] for run in runs[1:]), strict=True)
        print(f"| {what} |", " | ".join(f"{median(column):.2f}" for column in columns), "|")


if __name__ == "__main__":
    if sys.argv[1:2] == ["intermediate"]:
        sys.meta_path.insert(0, Watch)
        from xstilts.cli import main as xstilts

        xstilts()
    else:
        main(int((sys.argv[1:] or ["5"])[0]))
