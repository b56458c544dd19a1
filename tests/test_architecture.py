"""The house: packages in order, imports one way, short functions and files."""

import ast
from collections import defaultdict
from pathlib import Path

# A package imports itself and those on lines above its own. A file at the root is a room, too.
ORDER = """
core
metrics model records results tasks
benchmarks claims kinds sources
report rows study training
commands evaluation
stages
pipeline warm
cli
"""
LEVEL = {name: number for number, line in enumerate(ORDER.split("\n")) for name in line.split()}
LEVELS = 8  # at most


def room(module: str) -> str:
    """The package of a module: `xstilts.core.files` -> core."""
    return module.split(".")[1]


def imports(root: Path) -> dict[str, set[str]]:
    """Module -> modules of this project that it imports, at the top or inside of functions."""
    source = root / "src"
    files = {
        ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted((source / "xstilts").rglob("*.py"))
    }
    found: dict[str, set[str]] = defaultdict(set)
    for module, path in files.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.ImportFrom) and node.module:
                whole = [f"{node.module}.{alias.name}" for alias in node.names]
                names = [one if one in files else node.module for one in whole]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                names = (
                    [node.value] if "records/code.py" not in str(path) else []
                )  # import_module("...")
            found[module] |= {one for one in names if one in files and one != module}
    return {module: found[module] - {"xstilts"} for module in files if module != "xstilts"}


def test_every_package_has_its_place(root: Path) -> None:
    """A new room is put into the order by a person, not by its first import."""
    rooms = {room(module) for module in imports(root)} - {"__main__"}
    assert rooms == set(LEVEL)
    assert len(set(LEVEL.values())) <= LEVELS


def test_packages_import_one_way(root: Path) -> None:
    """What points upwards makes two rooms one."""
    upwards = [
        f"{module} -> {other}"
        for module, others in imports(root).items()
        if room(module) in LEVEL
        for other in sorted(others)
        if room(other) != room(module) and LEVEL[room(other)] >= LEVEL[room(module)]
    ]
    assert not upwards, upwards


def test_no_module_imports_itself_by_a_detour(root: Path) -> None:
    """A circle can only be read as a whole."""
    graph = imports(root)
    depth: dict[str, int] = {}

    def visit(module: str, under: tuple[str, ...]) -> int:
        assert module not in under, " -> ".join([*under, module])
        if module not in depth:
            below = [visit(one, (*under, module)) for one in sorted(graph[module])]
            depth[module] = 1 + max(below, default=0)
        return depth[module]

    for module in graph:
        visit(module, ())


def test_functions_and_files_are_short(root: Path) -> None:
    """What is longer is several things."""
    long = []
    for path in sorted((root / "src").rglob("*.py")) + sorted((root / "tests").rglob("*.py")):
        text, name = path.read_text(encoding="utf-8"), path.relative_to(root)
        if text.count("\n") > 400:
            long.append(f"{name}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= 50:
                long.append(f"{name}: {node.name}, {node.end_lineno - node.lineno + 1} lines")
    assert not long, long
