"""`xstilts study use` compiles whole or not at all, whatever becomes of disk and program."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import conftest
import pytest

from xstilts.commands.use import show_studies, use
from xstilts.core import design, files, paths
from xstilts.core.errors import UserError

LIMIT = 3 << 10  # bytes: less than the whole design of the small study, more than a run's


@pytest.fixture
def edited(project: Path) -> dict[str, bytes]:
    """A project whose study was edited since it was compiled; what was there before `use`."""
    study = conftest.small_study()
    study["training"]["batch"] = 4
    study["intermediate"][0]["sizes"] = [10, 20]  # a run less, and a run more
    conftest.write_study(study)
    return there()


def there() -> dict[str, bytes]:
    """Every file of the project, hidden ones too, with its bytes."""
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """`ulimit -f`, for this process."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_limit_on_the_size_of_files_leaves_all_as_it_was(edited: dict[str, bytes]) -> None:
    """Clusters set one; the old design is worth more than half of a new one."""
    told = r"design/small\.json: the shell allows no file of this size\. Mend: `ulimit -f"
    with no_file_above(LIMIT), pytest.raises(UserError, match=told):
        use("small")
    assert there() == edited
    use("small")
    assert set(design.load().intermediate) == {"world_qa-qaa-10-s1", "world_qa-qaa-20-s1"}
    assert not Path("design/intermediate/small/world_qa-qaa-40-s1.json").exists()


@pytest.mark.parametrize("after", [0, 1, 9, 20])
def test_an_interrupt_takes_no_file_of_the_old_design(after: int, edited: dict[str, bytes]) -> None:
    """Ctrl-C at any file: what was there is there, and a mixture of two designs is told as one."""
    settle, left = files.settle, iter(range(after))

    def interrupted(path: Path) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        settle(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "settle", interrupted)
        with pytest.raises(KeyboardInterrupt):
            use("small")
    assert there().keys() >= edited.keys()
    assert not [name for name in there() if name.endswith(".tmp")]
    with pytest.raises(UserError, match="Mend: `xstilts study use small`"):
        design.load()
    use("small")
    assert design.load().intermediate


def test_a_study_is_in_use_once_all_of_it_is_there(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """params.yaml is written last: until then the old study runs as it did."""
    conftest.write_study(conftest.small_study() | {"study": "other"})
    written, write_bytes = [paths.PARAMS], files.write_bytes

    def noted(path: Path, content: bytes) -> None:
        written.append(path)
        write_bytes(path, content)

    monkeypatch.setattr(files, "write_bytes", noted)
    use("other")
    assert written[1:].index(paths.PARAMS) == len(written) - 2


def test_a_run_of_another_design_is_refused(project: Path) -> None:
    """As a killed writer, or a hand, may leave it: a stage would run what no study says."""
    path = Path("design/intermediate/small/world_qa-qaa-10-s1.json")
    path.write_text(path.read_text().replace('"batch": 8', '"batch": 4'))
    with pytest.raises(UserError, match=rf"{path} is not what design/small\.json says\. Mend: "):
        design.load_run("intermediate", "small", "world_qa-qaa-10-s1")


@pytest.mark.parametrize("place", ["design", "design/transfer"])
def test_a_file_in_the_place_of_a_folder_is_named(place: str, project: Path) -> None:
    """And one line is enough to say that it is in the way."""
    Path(place).rename("away")
    Path(place).write_text("mine")
    said = f"^{place}: a file is where a folder belongs. Mend: move that file away"
    with pytest.raises(UserError, match=said):
        use("small")
    assert Path(place).read_text() == "mine"


def test_a_folder_in_the_place_of_a_file_is_named(project: Path) -> None:
    """design/small.json as a folder: nothing can take its name."""
    Path("design/small.json").unlink()
    Path("design/small.json").mkdir()
    with pytest.raises(UserError, match=r"^design/small\.json: a folder is where a file belongs"):
        use("small")


@pytest.mark.parametrize("title", ["[/red] of [bold]", "[not a style]"])
def test_a_title_in_brackets_is_printed_as_it_is(
    title: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is a person's text, and no markup of ours."""
    conftest.write_study(conftest.small_study() | {"title": title})
    show_studies()
    assert title in capsys.readouterr().out
