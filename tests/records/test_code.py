"""Which code a stage runs, and when two versions of it mean the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.core import flow
from xstilts.records import code

CACHED = (code.listing, code._imports, code._tree, code.meaning)


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    """Files are read once; tests here change what they hold."""
    for function in CACHED:
        function.cache_clear()
    yield
    for function in CACHED:
        function.cache_clear()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `xstilts` in which each way to import another file occurs once."""
    sources = {
        "stages/__init__.py": "",
        "stages/check.py": "from xstilts import top\nfrom xstilts.core import errors\n"
        "from xstilts.deep.inner import name\n"
        "def f():\n    from xstilts.late import g\n    import xstilts.later\n"
        "class C:\n    def m(self):\n        if True:\n            import xstilts.latest as x\n",
        "top.py": "import importlib\nimportlib.import_module('xstilts.named')",
        "core/errors.py": "from xstilts import unused",
        "deep/__init__.py": "number = 1",
        "deep/inner.py": "from xstilts import top  # a circle is no trouble\nname = 1",
        "late.py": "from xstilts.stages import check\ng = 1",
        **dict.fromkeys(("later.py", "latest.py", "named.py", "unused.py"), "number = 1"),
    }
    for name, text in sources.items():
        path = tmp_path / "xstilts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(code, "ROOT", tmp_path / "xstilts")
    return tmp_path / "xstilts"


def test_imports_are_followed_wherever_they_stand(package: Path) -> None:
    """Heavy imports stand inside functions: a file missed there lets stale results pass."""
    assert set(code.modules("check")) == {
        *("stages/check", "stages/__init__", "top", "deep/inner", "deep/__init__", "late"),
        *("later", "latest", "named"),
    }
    assert "stages/__init__" not in code.listing("check"), "there is no code in it"


def test_only_a_change_of_meaning_counts(package: Path) -> None:
    """It decides what runs again, and which training state may be resumed."""

    def now() -> str:
        for function in CACHED:
            function.cache_clear()
        return code.listing("check")

    first = now()
    for name, text in {
        "later.py": '"""What it is."""\n\n# why\nnumber = (\n    1\n)\n',
        "late.py": 'from xstilts.stages import check\n\n\n"""Says."""\ng = 1',
        "unused.py": "changed = 1",
        "core/errors.py": "changed = 1",
    }.items():
        (package / name).write_text(text)
        assert now() == first, name
    (package / "latest.py").write_text("number = 2")
    changed = [line for line in now().splitlines() if line not in first.splitlines()]
    assert [line.split()[0] for line in changed] == ["latest"], "it says which module changed"


@given(st.sampled_from([0, 1, 1.0, True, "1", b"1", None, "", ()]), st.data())
def test_values_of_two_types_are_two(first: object, data: st.DataObject) -> None:
    """1, 1.0, True and "1" are equal to a careless eye."""
    second = data.draw(st.sampled_from([0, 1, 1.0, True, "1", b"1", None, "", ()]))
    trees = [code._tree.__wrapped__(_written(f"x = {value!r}")) for value in (first, second)]
    same = type(first) is type(second) and first == second
    assert (code._plain(trees[0]) == code._plain(trees[1])) == same


def _written(text: str) -> Path:
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".py", delete=False) as file:
        file.write(text)
    return Path(file.name)


def test_names_that_are_left_out_exist() -> None:
    """A name that no file has would quietly stop to except it."""
    for name in code.ASIDE | code.BY_NAME:
        assert (code.ROOT / f"{name}.py").is_file(), name
    for names in code.LOOKS.values():
        assert all((code.ROOT / name).is_file() for name in names)


def test_a_stage_runs_what_decides_its_bytes_and_no_more() -> None:
    """Rows are read by one stage; what trains is shared by those that train."""
    runs = {word: set(code.modules(word)) for word in flow.WORDS}
    for word, modules in runs.items():
        assert {f"stages/{word}", "core/files", "core/params"} <= modules
        assert not modules & (code.ASIDE | code.BY_NAME)
        trains = {"training/loop", "training/batches", "model/checkpoint", "kinds/span"}
        trains |= {"core/passes"}  # a micro-batch has dropout masks of its own
        assert trains & modules == (trains if word in flow.TRAINED else set()), word
        assert ("rows/read" in modules) == (word == "prepare"), word


def test_a_run_depends_on_its_task_and_its_source_alone() -> None:
    """A change of one task prepares no other; one of the control world fetches nothing real."""
    by_name = {(stage, one): code.listing(stage, one) for stage, one in code.variants()}
    assert "tasks/xnli " in by_name["prepare", "xnli"]
    assert "tasks/shapes " in by_name["prepare", "xnli"]
    assert "tasks/mnli " not in by_name["prepare", "xnli"]
    assert "sources/world/" in by_name["fetch", "world"]
    assert "sources/world/" not in by_name["fetch", "hub"]


def test_the_folder_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that nothing writes any more would be a dependency that never changes."""
    monkeypatch.chdir(tmp_path)
    Path("code").mkdir()
    Path("code/old").touch()
    count = code.write()
    assert sum(path.is_file() for path in Path("code").rglob("*")) == count
    assert Path("code/transfer").read_text() == code.listing("transfer")
    import hashlib

    assert (
        code.identity("transfer") == hashlib.sha256(Path("code/transfer").read_bytes()).hexdigest()
    )
