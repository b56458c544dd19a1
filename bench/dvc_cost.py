"""What DVC itself costs on a large study: recording runs made elsewhere, a no-op, one new run.

    python bench/dvc_cost.py                          1,000 stages: ten minutes; prints a table
    python bench/dvc_cost.py --stages 500 --flat      the same in one dvc.yaml, for comparison

The study is generated from the control world and compiled as any other. A stand-in for `xstilts`
writes a few small files for a stage and no more, so that what is left is DVC's own time. Kept
results: bench/README.md.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import conftest
import projects

from xstilts.commands import use
from xstilts.study import dvc_files

TASKS = ("world_qa", "world_classes", "world_tags", "world_new_classes")
SIZES, VARIANTS = (10, 20, 40), ("", "long", "warm", "cold")
PER_SEED = 262  # stages: 10 tasks and mixes x 3 sizes x 4 variants x 2, and 22 subsets
NEW = {"task": "world_qa", "languages": ["qaa"], "sizes": [10], "seeds": [99]}
STUB = """\
#!{python} -SI
import os
made = {files!r} + "/" + os.environ["DVC_STAGE"].rpartition(":")[2].replace("/", "+")
for path in open(made).read().split():
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as out:
        out.write('{{"splits": {{}}}}' if path.endswith(".json") else path)
"""


def study(seeds: int) -> dict[str, Any]:
    """Tasks and pairs of them, in sizes, variants and seeds."""
    members: list[dict[str, Any]] = [{"task": task} for task in TASKS]
    for pair in combinations(TASKS, 2):
        members.append({"name": "_and_".join(pair), "tasks": list(pair)})
    rest = {"languages": ["qaa"], "sizes": list(SIZES), "seeds": list(range(1, seeds + 1))}
    content = conftest.small_study()
    many = {"train": 100, "validation": 5, "test": 5}
    content["data"]["world"] |= dict.fromkeys(("qa", "classes", "tags", "new_classes"), many)
    content["intermediate"] = [
        {**member, **rest, "variant": variant} for member in members for variant in VARIANTS
    ]
    return content


def compile_again(folder: Path, content: dict[str, Any]) -> int:
    """Write the study, compile it, and say what each stage is to make; how many stages."""
    from dvc.repo import Repo

    conftest.write_study(content, folder)
    os.chdir(folder)
    use.use("small")
    (folder / ".files").mkdir(exist_ok=True)
    with Repo(str(folder)) as repo:
        stages = [one for one in repo.index.stages if one.addressing != "code"]
        read = {dep.fs_path for stage in stages for dep in stage.deps}
    for stage in stages:
        made = []
        for out in (one.fs_path for one in stage.outs):
            single = out.endswith((".json", "/check"))
            made += [out] if single else [f"{out}/{name}" for name in "abcd"]
            made += [one for one in read if one.startswith(f"{out}/") and not Path(one).is_dir()]
        name = stage.addressing.rpartition(":")[2].replace("/", "+")
        (folder / ".files" / name).write_text("\n".join(made))
    return len(stages) + 1


def cpu() -> float:
    """CPU seconds of all ended children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Project:
    """A project with the generated study, and commands in it that are timed."""

    def __init__(self, folder: Path, seeds: int) -> None:
        self.folder, self.content = folder, study(seeds)
        projects.make(folder, self.content)
        (folder / ".dvcignore").write_text("/.files\n")
        self.stages = compile_again(folder, self.content)
        self.stub = folder.parent / "bin/xstilts"
        self.stub.parent.mkdir()
        self.stub.write_text(STUB.format(python=sys.executable, files=str(folder / ".files")))
        self.stub.chmod(0o755)

    def timed(self, *command: str) -> tuple[float, float, str]:
        """Seconds and CPU seconds of a command, the stand-in first on PATH, and what it said."""
        path = f"{self.stub.parent}:{projects.environment()['PATH']}"
        began, before = time.monotonic(), cpu()
        said = projects.run(self.folder, *command, PATH=path)
        return time.monotonic() - began, cpu() - before, said

    def make_all(self) -> float:
        """Every output, as if the stages had run elsewhere; seconds of one stand-in."""
        names = [path.name for path in (self.folder / ".files").iterdir()]
        began = time.monotonic()
        for name in names:
            env = {**projects.environment(), "DVC_STAGE": name}
            subprocess.run([self.stub], cwd=self.folder, env=env, check=True)
        return (time.monotonic() - began) / len(names)


def measure(folder: Path, seeds: int) -> None:
    """One row a command, printed as soon as it is known."""
    project = Project(folder, seeds)
    stub = project.make_all()
    projects.run(folder, f"{projects.BIN}/xstilts", "code")
    projects.commit(folder, "study")
    print(f"{project.stages} stages, {len(list(folder.rglob('dvc.yaml')))} dvc.yaml\n")
    print("| command | stages run | seconds | CPU seconds |\n|---|---|---|---|", flush=True)

    def row(title: str, *command: str) -> None:
        seconds, used, said = project.timed(*command)
        ran = len(projects.stages_run(said)) if "repro" in command else "-"
        print(f"| {title} | {ran} | {seconds:.1f} | {used:.1f} |", flush=True)

    row("`dvc commit -f`: record all, made elsewhere", "dvc", "commit", "-f")
    projects.commit(folder, "recorded")
    row("`dvc status`", "dvc", "status")
    row("`dvc repro`, nothing changed", "dvc", "repro")
    row("`xstilts plan`", f"{projects.BIN}/xstilts", "plan")
    project.content["intermediate"].append(NEW)
    compile_again(folder, project.content)
    row("`dvc repro`, one new run", "dvc", "repro")
    row("`dvc repro`, nothing changed", "dvc", "repro")
    project.content["intermediate"][-1] = NEW | {"seeds": [98, 99]}
    compile_again(folder, project.content)
    row("`dvc repro` of the transfer of a new run", "dvc", "repro", target(folder, "s98"))
    locks = {path: path.stat().st_size for path in folder.rglob("dvc.lock")}
    root = locks.pop(folder / "dvc.lock")
    print(f"\nBytes of locks: root {root:,}, others at most {max(locks.values(), default=0):,}, ")
    print(f"all {root + sum(locks.values()):,}; a stand-in takes {stub:.3f} s")


def target(folder: Path, seed: str) -> str:
    """A run's transfer as DVC takes it: with the file that it is in, where that is not the root."""
    inside = Path(f"pipelines/small/world_qa-qaa-{seed}/dvc.yaml")
    file = f"{inside}:" if (folder / inside).exists() else ""
    return f"{file}transfer@small/world_qa-qaa-10-{seed}"


def main() -> None:
    """Make the project in a temporary folder and measure there."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--stages", type=int, default=1000)
    parser.add_argument("--flat", action="store_true", help="all stages in one dvc.yaml")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        if asked.flat:
            dvc_files.LARGE = sys.maxsize
        measure(Path(place).resolve() / "project", max(1, round(asked.stages / PER_SEED)))


if __name__ == "__main__":
    main()
