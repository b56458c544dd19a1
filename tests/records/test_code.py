"""Records: a stage's code is known, its hash follows the content, equal work is equal."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from xstilts.core import files, flow, params
from xstilts.records import code, record


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    """`code_files` remembers; tests here change what it would find."""
    code.code_files.cache_clear()
    yield
    code.code_files.cache_clear()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `xstilts` in which each way to import another file occurs once."""
    sources = {
        "stages/__init__.py": "import xstilts.plumbed",
        "stages/one.py": "from xstilts import top, files\nfrom xstilts.deep.inner import name\n"
        "def f():\n    from xstilts.late import g\n    import xstilts.later\n"
        "class C:\n    def m(self):\n        if True:\n            import xstilts.latest as x\n",
        "top.py": "import importlib\nimportlib.import_module('xstilts.named')",
        "deep/__init__.py": "",
        "deep/inner.py": "from xstilts import top  # a circle is no trouble\nname = 1",
        "late.py": "from xstilts.stages import one\ng = 1",
        **dict.fromkeys(("later.py", "latest.py", "named.py", "unused.py", "plumbed.py"), ""),
        "files.py": "from xstilts import unused",
    }
    for name, text in sources.items():
        path = tmp_path / "xstilts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(code, "ROOT", tmp_path / "xstilts")
    return tmp_path / "xstilts"


def test_imports_are_followed_wherever_they_stand(package: Path) -> None:
    """Heavy imports stand inside functions: a file missed there lets stale results pass."""
    found = {path.as_posix() for path in code.code_files("one")}
    assert found == {
        *("stages/one.py", "top.py", "deep/inner.py", "late.py"),
        *("later.py", "latest.py", "named.py"),
    }


def test_the_hash_follows_content_and_names(package: Path) -> None:
    """It is in every record and decides which training state may be resumed."""
    first = code.code_sha("one")
    assert first == code.code_sha("one")
    (package / "unused.py").write_text("changed = 1")
    (package / "files.py").write_text("changed = 1")
    assert code.code_sha("one") == first, "neither foreign code nor plumbing counts"
    (package / "latest.py").write_text("changed = 1")
    second = code.code_sha("one")
    assert second != first
    assert code.code_sha("one", (Path("unused.py"),)) != second


def test_plumbing_is_no_code_of_a_stage_and_exists() -> None:
    """A name that no file has would quietly stop to except it."""
    plumbing = {Path(f"{name}.py") for name in code.PLUMBING}
    assert all((code.ROOT / name).is_file() for name in plumbing)
    for word in flow.WORDS:
        found = code.code_files(word)
        assert Path(f"stages/{word}.py") in found
        assert not plumbing & set(found)


def test_stages_of_training_see_the_kinds_and_the_loop() -> None:
    """These are reached only through functions and by name; they decide every score."""
    for word in flow.TRAINED:
        found = {path.as_posix() for path in code.code_files(word)}
        assert {"kinds/span.py", "training.py", "batches.py", "model.py"} <= found
    assert not {"training.py", "model.py"} & {
        path.as_posix() for path in code.code_files("subsample")
    }


def test_equal_work_gives_equal_bytes(prepared: Path) -> None:
    """A time, a host or an unsorted set in it would make every dvc.lock differ."""
    loaded = params.load()
    spec = loaded.subsample["world_qa-qaa-s1"]
    inputs = [Path(spec.subsets[0].rows[0]), Path("params.yaml"), Path(spec.subsets[0].rows[0])]
    for number, given in enumerate((inputs, inputs[::-1])):
        made = record.make(loaded, "subsample", "k", spec, given, {"rows": 1.0})
        files.write_json(Path(f"{number}.json"), made)
    assert Path("0.json").read_bytes() == Path("1.json").read_bytes()
    assert made["inputs"] == {str(path): files.sha256_file(path) for path in sorted(set(inputs))}
    assert made["params"] == spec.model_dump()
    assert set(made) == {
        *("stage", "key", "study", "params", "inputs", "metrics", "curves", "artifacts", "code"),
    }
