"""Recording in bulk: as DVC's own command would, but without its work for each stage."""

from __future__ import annotations

import shutil
import subprocess
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


def test_an_output_that_git_tracks_is_refused(stages: list[str]) -> None:
    """As DVC does: it would be versioned twice."""
    subprocess.run(["git", "add", "-f", "data/fetch"], check=True)
    with pytest.raises(UserError, match="is already tracked by SCM"):
        graph.record(stages)
