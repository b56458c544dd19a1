"""A licensed data set in the user's own folder: copied whole, or one line on how to get it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from xstilts import tasks
from xstilts.core.errors import UserError
from xstilts.core.files import sha256_file
from xstilts.core.progress import Observe
from xstilts.sources import manifest
from xstilts.sources.obtain import dataset
from xstilts.tasks.base import Task

CCG: Task = tasks.load("ccg")
NAMES = sorted(name for split in CCG.members for name in CCG.inside("en", split))


def obtain(target: Path) -> None:
    spec: Any = SimpleNamespace(source="folder", dataset=CCG.dataset, place=f"${CCG.place}")
    target.mkdir(exist_ok=True)
    dataset(spec, target, Observe(quiet=True))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, with a file more than is wanted."""
    folder = tmp_path / "own"
    folder.mkdir()
    for name in (*NAMES, "notes.txt"):
        (folder / name).write_text(f"{name}\tX\n")
    monkeypatch.setenv(str(CCG.place), str(folder))
    return folder


def test_the_named_files_are_copied_and_described(own: Path, tmp_path: Path) -> None:
    """The manifest's hashes are all that tells one copy of a licensed set from another."""
    target = tmp_path / "out"
    obtain(target)
    assert sorted(path.name for path in target.iterdir()) == NAMES
    made = manifest.write(target, CCG.dataset, None, CCG.licence)
    assert {name: one["sha256"] for name, one in made["files"].items()} == {
        name: sha256_file(own / name) for name in NAMES
    }


def test_what_is_missing_is_told_with_how_to_get_it(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No variable, no folder, no file: each in one line."""
    (own / NAMES[0]).unlink()
    with pytest.raises(UserError, match=rf"lacks {NAMES[0]}\. .*LDC2005T13.* Mend: "):
        obtain(tmp_path / "out")
    monkeypatch.setenv(str(CCG.place), str(own / "nowhere"))
    with pytest.raises(UserError, match=r"there is no folder .*nowhere .*LDC2005T13.*Mend: "):
        obtain(tmp_path / "out")
    monkeypatch.delenv(str(CCG.place))
    with pytest.raises(
        UserError, match=rf"but {CCG.place} is not set\. .*LDC2005T13.*Mend: "
    ) as one:
        obtain(tmp_path / "out")
    assert "\n" not in str(one.value)
