"""What code a stage runs, so that an edit reruns what it changes and nothing else.

`xstilts code`, the first stage of dvc.yaml, writes one small file a stage into code/, the only code
that the stage depends on there:

    code/transfer           a line a module: its name, and a hash of what it means
    code/fetch/<source>     fetch from one kind of source: only the control world's rows are made
    code/prepare/<task>     prepare with the task's own module

A module's meaning is its syntax tree without docstrings, so comments and formatting change nothing.
A stage's modules are the closure of its imports, wherever they stand, and of names of modules in
texts, by which some are imported late.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from xstilts.core import files, flow

ROOT = Path(__file__).parents[1]
FOLDER = Path("code")
SOURCES = ("hub", "mirror", "folder", "world")
# These decide no byte of an output: messages, progress, names of folders, the layout of processes,
# and what brings files whose hashes are known.
ASIDE = {
    *("__init__", "core/errors", "core/flow", "core/machine", "core/paths", "core/progress"),
    *("records/code", "training/launch", "training/nodes", "training/meeting"),
    *("sources/hub", "sources/mirror", "sources/folder"),
}
# Looked up by name: what of them a run needs is in a file of its own.
BY_NAME = {"tasks/__init__", "sources/world/write"}
LOOKS = {  # code that is no module
    "aggregate": ("tasks/distances.csv",),
    "report": ("report/page.html.j2", "report/style.css", "tasks/distances.csv"),
}
DIGITS = 16  # of a hash, in hex: these tell versions apart, they guard nothing


def variants() -> Iterator[tuple[str, str]]:
    """Every (stage, variant), which have a file each; "" of a stage that has no variants."""
    for stage in flow.WORDS:
        if stage == "fetch":
            yield from ((stage, source) for source in SOURCES)
        elif stage == "prepare":
            for path in sorted((ROOT / "tasks").glob("[a-z]*.py")):
                if "\nTASK = " in path.read_text(encoding="utf-8"):
                    yield stage, path.stem
        else:
            yield stage, ""


def write() -> int:
    """Write code/ whole; how many files it holds."""
    every = list(variants())
    with files.output_folder(FOLDER) as out:
        for stage, variant in every:
            path = out / stage / variant
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(listing(stage, variant), encoding="utf-8")
    return len(every)


@lru_cache
def listing(stage: str, variant: str = "") -> str:
    """A line for each module that a stage runs: its name and the hash of its meaning."""
    found = [(name, meaning(ROOT / f"{name}.py")) for name in modules(stage, variant)]
    found += [(name, (ROOT / name).read_bytes()) for name in LOOKS.get(stage, ())]
    lines = [
        f"{name} {hashlib.sha256(text).hexdigest()[:DIGITS]}\n" for name, text in found if text
    ]
    return "".join(lines)


def identity(stage: str, variant: str = "") -> str:
    """Hex sha256 of a stage's file in code/, as score rows and provenance tell it."""
    return hashlib.sha256(listing(stage, variant).encode()).hexdigest()


def variant_of(stage: str, spec: dict[str, Any]) -> str:
    """Which of a stage's files a run depends on, by the run's params."""
    if stage == "fetch":
        return str(spec["source"]).partition(":")[0]
    return str(spec["task"]) if stage == "prepare" else ""


def modules(stage: str, variant: str = "") -> list[str]:
    """Modules that a stage runs (`training/loop`), sorted."""
    start = [f"xstilts.stages.{stage}"]
    if stage == "prepare" and variant:
        start.append(f"xstilts.tasks.{variant}")
    if (stage, variant) == ("fetch", "world"):
        start.append("xstilts.sources.world.write")
    return _closure(start)


@lru_cache
def identity_of(*modules: str) -> str | None:
    """Hex sha256 of some modules and of all that they import; None where one is not of ours."""
    if any(_file(module) is None for module in modules):
        return None
    meanings = {name: meaning(ROOT / f"{name}.py").decode() for name in _closure(modules)}
    return files.sha256_json(meanings)


def _closure(start: Sequence[str]) -> list[str]:
    """Some modules and all that they import, sorted; `BY_NAME` only where it is in `start`."""
    todo, seen = list(start), set()
    while todo:
        module = todo.pop()
        name = _file(module)
        if name is None or name in seen or name in ASIDE:
            continue
        if name in BY_NAME and module not in start:
            continue
        seen.add(name)
        todo += _imports(ROOT / f"{name}.py")
        todo.append(module.rpartition(".")[0])  # a package runs before what is in it
    return sorted(seen)


def _file(module: str) -> str | None:
    """`xstilts.a.b` as a/b, or a/b/__init__ where it is a package; None: no module of ours."""
    base = "/".join(module.split(".")[1:])
    names = (base, f"{base}/__init__")
    return next((name for name in names if (ROOT / f"{name}.py").is_file()), None)


@lru_cache
def _imports(path: Path) -> frozenset[str]:
    """Modules of this package that a file imports, at the top or inside functions, or names."""
    found = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)  # import_module("xstilts.kinds.span")
    return frozenset(name for name in found if re.fullmatch(r"xstilts(\.\w+)+", name))


@lru_cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@lru_cache
def meaning(path: Path) -> bytes:
    """A module's syntax tree without docstrings, the same under every Python; b"" of no code."""
    return _plain(_tree(path)).removeprefix("Module()").encode()


def _plain(node: Any) -> str:
    """A tree as text. `ast.dump` differs from one Python to the next, in what it leaves out."""
    if isinstance(node, list):
        return "[" + ",".join(map(_plain, node)) + "]"
    if not isinstance(node, ast.AST):
        return f"{type(node).__name__}:{node!a}"
    parts = []
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(value, list):
            value = [one for one in value if not _says(one)]
        if isinstance(node, ast.JoinedStr) and name == "values":  # 3.12 adds empty texts to some
            value = [one for one in value if getattr(one, "value", None) != ""]
        if value not in (None, []) and name not in ("ctx", "kind", "type_comment"):
            parts.append(f"{name}={_plain(value)}")
    return f"{type(node).__name__}({','.join(parts)})"


def _says(statement: ast.stmt) -> bool:
    """Whether a statement is only a text: a docstring."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
