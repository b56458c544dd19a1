"""Nothing runs that was downloaded: no pickle, no remote code, no YAML that makes objects.

Read from the source itself, so that a call that no test reaches is found too.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

# DeepSpeed's own resumable state is pickled; state.py compares its sha256 with what the kit itself
# wrote beside it before DeepSpeed is asked to load it.
EXCEPTION = ("src/xstilts/training/state.py", "load_checkpoint")
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle"}
CALLS = {"load_checkpoint", "read_pickle", "unsafe_load", "full_load"}
CALLS |= {"extractall", "unpack_archive"}
BUILT_IN = {"eval", "exec", "compile", "__import__"}
LOADERS = {"CSafeLoader", "SafeLoader", "_Loader"}  # the last one is strict.py's own, and safe
PLAIN = {"PreTrainedTokenizerFast"}  # a class of the library itself, which loads no other one
REMOTE = "trust_remote_code"
SAVED = {"save", "load", "load_state_dict_from_url"}  # of torch


def findings(text: str, name: str = "x.py") -> list[str]:
    """`file:line what` of all that may run what was downloaded."""
    found = []
    for node in ast.walk(ast.parse(text)):
        wrong = _wrong(node)
        if wrong and (name, wrong) != EXCEPTION:
            found.append(f"{name}:{getattr(node, 'lineno', 0)} {wrong}")
    return found


def _wrong(node: ast.AST) -> str | None:
    if isinstance(node, ast.Import):
        return next((one.name for one in node.names if one.name.split(".")[0] in MODULES), None)
    if isinstance(node, ast.ImportFrom):
        return node.module if (node.module or "").split(".")[0] in MODULES else None
    if isinstance(node, ast.keyword):
        return _wrong_keyword(node)
    return _wrong_call(node) if isinstance(node, ast.Call) else None


def _wrong_keyword(node: ast.keyword) -> str | None:
    """Remote code, or pickles, that are not refused outright."""
    wanted = {REMOTE: False, "use_safetensors": True, "weights_only": True}
    if node.arg not in wanted:
        return None
    said = node.value.value if isinstance(node.value, ast.Constant) else "?"
    wrong = said is not wanted[node.arg] or node.arg == "weights_only"
    return f"{node.arg}={said}" if wrong else None


def _wrong_call(node: ast.Call) -> str | None:
    called = node.func
    if isinstance(called, ast.Name):
        return called.id if called.id in BUILT_IN | CALLS else None
    if not isinstance(called, ast.Attribute):
        return None
    owner = ast.unparse(called.value)
    if (owner == "torch" and called.attr in SAVED) or called.attr in CALLS:
        return called.attr if called.attr in CALLS else f"torch.{called.attr}"
    if owner == "yaml" and called.attr in ("load", "load_all"):
        loader = next((one.value for one in node.keywords if one.arg == "Loader"), None)
        known = loader is not None and ast.unparse(loader).split(".")[-1] in LOADERS
        return None if known else "yaml.load"
    if called.attr == "from_pretrained":
        needed = {"local_files_only"} if owner in PLAIN else {"local_files_only", REMOTE}
        return None if needed <= {one.arg for one in node.keywords} else "from_pretrained"
    return None


def test_nothing_in_the_source_runs_what_was_downloaded(root: Path) -> None:
    """One documented exception, which is checked by its hash first."""
    found, loads = [], 0
    for path in sorted((root / "src").rglob("*.py")):
        name, text = path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
        found += findings(text, name)
        loads += name == EXCEPTION[0] and text.count(EXCEPTION[1])
    assert not found
    assert loads == 1


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(path)",
        "torch.load(path, weights_only=True)",
        "yaml.load(text, Loader=yaml.Loader)",
        "yaml.load(text)",
        "yaml.unsafe_load(text)",
        "eval(text)",
        "engine.load_checkpoint(x)",
        "A.from_pretrained(x)",
        "A.from_pretrained(x, local_files_only=True, trust_remote_code=True)",
        "A.from_pretrained(x, local_files_only=True, trust_remote_code=choice)",
        "f(use_safetensors=False)",
        "archive.extractall(place)",
    ],
)
def test_what_would_run_it_is_seen(text: str) -> None:
    """The scan above must not go blind."""
    assert findings(text)


@pytest.mark.parametrize(
    "text",
    [
        "yaml.load(text, Loader=yaml.CSafeLoader)",
        "A.from_pretrained(x, local_files_only=True, trust_remote_code=False)",
        "re.compile(x)",
        "safetensors.torch.load_file(x)",
    ],
)
def test_what_is_safe_passes(text: str) -> None:
    """A scan that finds everything would be switched off."""
    assert not findings(text)


def test_the_strict_loader_makes_no_objects(tmp_path: Path) -> None:
    """A study file that asks Python to run something is refused like any other wrong YAML."""
    marker = tmp_path / "ran"
    bad = tmp_path / "bad.yaml"
    bad.write_text(f"study: !!python/object/apply:os.mkdir ['{marker}']\n")
    code = "from xstilts.core.strict import load_yaml; from pathlib import Path; import sys; "
    code += "load_yaml(Path(sys.argv[1]), 'x')"
    done = subprocess.run(
        [sys.executable, "-c", code, str(bad)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "is no valid YAML (could not determine a constructor" in done.stderr
    assert not marker.exists()
