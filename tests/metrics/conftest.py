"""Golden numbers of the official scorers; the folder is named by XSTILTS_GOLDEN."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Golden = Callable[[str], Any]


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    """The folder with the golden files; without one, its tests are skipped."""
    if not os.environ.get("XSTILTS_GOLDEN"):
        pytest.skip("XSTILTS_GOLDEN is not set: no golden files of the official scorers here")
    return Path(os.environ["XSTILTS_GOLDEN"])


@pytest.fixture(scope="session")
def golden(golden_folder: Path) -> Golden:
    """golden("qa/mlqa.ar.json") is the parsed file."""
    return lambda name: json.loads((golden_folder / name).read_text(encoding="utf-8"))
