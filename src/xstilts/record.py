"""What decides and describes a result, as `record.json` beside it; equal work, equal bytes.

Also the static import graph of a stage: its files are the `deps` of dvc.yaml and are hashed into
every record and every resumable state.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path
from typing import Any

from xstilts import files
from xstilts.observe import Record
from xstilts.params import Params
from xstilts.strict import Strict

ROOT = Path(__file__).parent
# What moves verified files about, checks params or shows progress decides no result: a change in it
# must not rerun a study. Params themselves are tracked by value.
PLUMBING = {
    *("__init__", "errors", "files", "launch", "machine", "observe", "params", "paths"),
    *("record", "strict"),
    *("sources/__init__", "sources/folder", "sources/hub", "sources/manifest", "sources/mirror"),
    *("stages/__init__", "tasks/__init__"),
}
# The control world's rows are made by code, so that code decides them.
MORE = {"fetch": ("xstilts.sources.world",)}


def _file(module: str) -> Path | None:
    """Source file of `xstilts.a.b`, or None when there is none."""
    base = ROOT.joinpath(*module.split(".")[1:])
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _imports(path: Path) -> set[str]:
    """Modules of this package that a file names in imports, at the top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)  # import_module("xstilts.sources.hub")
    return {name for name in found if name.startswith("xstilts.")}


@lru_cache
def code_files(stage: str) -> tuple[Path, ...]:
    """Files that a stage runs, by the transitive closure of its imports, without the plumbing.

    Paths are relative to the package, sorted. Tasks are looked up by name: a stage that reads one
    depends on that task's own file, which is a dep of its own in dvc.yaml.
    """
    todo, seen = [f"xstilts.stages.{stage}", *MORE.get(stage, ())], set()
    while todo:
        path = _file(todo.pop())
        if path is None or path in seen or _name(path) in PLUMBING:
            continue
        seen.add(path)
        todo += _imports(path)
    return tuple(sorted(path.relative_to(ROOT) for path in seen))


def _name(path: Path) -> str:
    """A file of the package without root and suffix: `stages/fetch`."""
    return str(path.relative_to(ROOT).with_suffix(""))


def code_sha(stage: str, extra: tuple[Path, ...] = ()) -> str:
    """sha256 over names and contents of a stage's code files and `extra` ones."""
    names = sorted({*code_files(stage), *extra})
    return files.sha256_json([[str(name), files.sha256_file(ROOT / name)] for name in names])


def make(
    params: Params,
    stage: str,
    key: str,
    spec: Strict | dict[str, Any],
    inputs: list[Path],
    metrics: dict[str, float],
    curves: dict[str, list[list[float]]] | None = None,
    artifacts: tuple[str, ...] = (),
    extra_code: tuple[Path, ...] = (),
) -> Record:
    """A record; nothing in it differs between two equal runs (no times, hosts, commits).

    Args:
        inputs: the files read; their sha256 goes in.
        artifacts: files of the output folder that are worth a look, relative to it.
        extra_code: code files that the import graph cannot see (a task's own file).
    """
    return {
        "stage": stage,
        "key": key,
        "study": params.study,
        "params": spec.model_dump() if isinstance(spec, Strict) else spec,
        "inputs": {str(path): files.sha256_file(path) for path in sorted(set(inputs))},
        "metrics": metrics,
        "curves": curves or {},
        "artifacts": list(artifacts),
        "code": code_sha(stage, extra_code),
    }
