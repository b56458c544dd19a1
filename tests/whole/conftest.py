"""The small study, run to its end through DVC and committed; shared by the tests of this folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import projects
import pytest


@pytest.fixture(scope="session")
def finished(
    tmp_path_factory: pytest.TempPathFactory, new_study: Callable[[], dict[str, Any]]
) -> Path:
    """A project folder with a finished, committed study."""
    folder = projects.make(tmp_path_factory.mktemp("whole") / "project", new_study())
    said = projects.run(folder, "dvc", "repro", **projects.SECRETS)
    assert len(projects.stages_run(said)) == projects.STAGES
    projects.commit(folder, "small study")
    return folder
