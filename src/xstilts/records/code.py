"""What code a stage runs: the closure of its imports, and a hash of it.

The files are the `deps` of dvc.yaml; the hash is in every record and every resumable state.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path

from xstilts.core import files

ROOT = Path(__file__).parents[1]
# What moves verified files about, checks params or shows progress decides no result: a change in it
# must not rerun a study. Params themselves are tracked by value.
PLUMBING = {
    *("__init__", "core/errors", "core/files", "training/launch", "core/machine", "core/progress"),
    *("core/params", "core/paths", "core/flow", "records/record", "core/strict"),
    *("sources/__init__", "sources/folder", "sources/hub", "sources/manifest", "sources/mirror"),
    *("stages/__init__", "tasks/__init__"),
}
# The control world's rows are made by code, so that code decides them.
MORE = {"fetch": ("xstilts.sources.world.write",)}


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
