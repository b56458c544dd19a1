"""Not a test: docker/compose.yaml as Docker Compose reads it, for who has no Docker.

`docker/lint.sh` asks Docker Compose itself whether the file is right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def services(path: Path, given: Mapping[str, str]) -> dict[str, Any]:
    """Name -> service, its variables replaced.

    Raises:
        LookupError: a variable that the file demands is not given.
    """

    def value(match: re.Match[str]) -> str:
        name, how, rest = match.groups()
        if not given.get(name) and how == "?":
            raise LookupError(f"{name}: {rest}")
        return given.get(name) or rest or ""

    found: dict[str, Any] = yaml.safe_load(VARIABLE.sub(value, path.read_text("utf-8")))["services"]
    return found
