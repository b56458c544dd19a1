"""Recording in bulk: as DVC's own command would, but without its work for each stage."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from xstilts.commands import graph
from xstilts.core import design
from xstilts.core.errors import UserError
from xstilts.records import code


@pytest.fixture
def stages(prepared: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What has run of a small study in a git and DVC project, its design in git."""
    from dvc.repo import Repo

    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(prepared / ".dvc/site-cache"))
    for name in (".dvcignore", ".gitignore"):
        shutil.copy(root / name, name)
    Path("src").symlink_to(root / "src")
    subprocess.run(["git", "init", "-q"], check=True)
    Repo.init()
    subprocess.run(["git", "add", "-A"], check=True)
    code.write()
    every = sorted(graph.every_stage(design.load()))
    return [name for name in every if name.partition("@")[0] in ("fetch", "prepare")]


def test_git_is_asked_once(stages: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC reads the whole index for each output: its time would grow with their square."""
    from dulwich.repo import Repo

    read: list[int] = []
    monkeypatch.setattr(
        Repo, "open_index", lambda self, ask=Repo.open_index: read.append(1) or ask(self)
    )
    graph.record([graph.CODE, *stages])
    assert len(read) == 1
    assert all(name in Path("dvc.lock").read_text(encoding="utf-8") for name in stages)


def test_a_lock_is_written_where_it_says_something_else(stages: list[str]) -> None:
    """DVC takes seconds to read and write a long one, and each waits for it to begin a stage."""
    graph.record([graph.CODE, *stages])
    lock = Path("dvc.lock")
    made, written = lock.read_bytes(), lock.stat().st_mtime_ns
    graph.record([graph.CODE, *stages])
    assert lock.stat().st_mtime_ns == written
    before, _, after = made.rpartition(b"md5: ")
    other = b"1" if after.startswith(b"0") else b"0"
    lock.write_bytes(before + b"md5: " + other + after[1:])
    assert lock.read_bytes() != made
    graph.record(stages)
    assert lock.read_bytes() == made


def test_yaml_is_read_in_c() -> None:
    """DVC's locks are YAML, of which ruamel reads a megabyte in 4 s without its C library."""
    from ruamel.yaml import YAML

    assert YAML(typ="safe").Parser is not YAML(typ="safe", pure=True).Parser


def test_an_output_that_git_tracks_is_refused(stages: list[str]) -> None:
    """As DVC does: it would be versioned twice."""
    subprocess.run(["git", "add", "-f", "data/fetch"], check=True)
    with pytest.raises(UserError, match="is already tracked by SCM"):
        graph.record(stages)


RESTORE = "settle its conflict, or restore it with git"
BROKEN: list[tuple[str, bytes | None, str]] = [
    ("design.json", b"{", "`xstilts study use`"),
    ("design.json", None, "`xstilts study use`"),
    ("dvc.lock", b"<<<<<<< HEAD\nschema: '2.0'\n=======\n>>>>>>> b # @small/\n", RESTORE),
    ("dvc.lock", b"- a # @small/\n", RESTORE),
    ("dvc.lock", b"\xff # @small/\n", RESTORE),
    ("dvc.yaml", b"stages: [", "restore it with git"),
]


@pytest.mark.parametrize(("name", "content", "mend"), BROKEN)
def test_what_dvc_cannot_read_is_named_with_its_own_mend(
    name: str, content: bytes | None, mend: str, stages: list[str]
) -> None:
    """By every verb that asks DVC: plan, submit, repro, record."""
    Path(name).unlink() if content is None else Path(name).write_bytes(content)
    loaded = design.load()
    asked: list[Callable[[], object]] = [
        lambda: graph.signed(loaded),
        lambda: graph.ready(loaded),
        lambda: graph.record([graph.CODE]),
    ]
    for ask in asked:
        with pytest.raises(UserError) as caught:
            ask()
        assert name in str(caught.value)
        assert str(caught.value).endswith(f" Mend: {mend}")
        assert "\n" not in str(caught.value)


def test_a_copy_without_git_is_told_of_both_mends(stages: list[str]) -> None:
    """An archive of the project: DVC is set up for git, which is not there."""
    shutil.rmtree(".git")
    with pytest.raises(UserError, match=r"not a git repository.*Mend: `git init`, or without"):
        graph.record([graph.CODE])
    subprocess.run(["dvc", "config", "--local", "core.no_scm", "true"], check=True)
    graph.record([graph.CODE])
