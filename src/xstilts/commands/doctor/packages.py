"""Python and the installed packages, against pyproject.toml and the locks."""

from __future__ import annotations

import platform
import re
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from xstilts.commands.doctor.finding import Finding, failed, few, ok, warning

PROJECT = Path("pyproject.toml")
LOCKS = (Path("requirements.lock"), Path("docker/torch-cpu.lock"))
INSTALL = "`make install` makes .venv anew from the lock"


def versions() -> list[Finding]:
    """Versions are a part of a result: the named ones must fit, all others are told."""
    if not PROJECT.is_file():
        return warning(f"no {PROJECT} here", "run it from the project's root")
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    python = platform.python_version()
    if not SpecifierSet(project["requires-python"]).contains(python):
        wanted = project["requires-python"]
        return failed(f"Python {python}, but the project needs {wanted}", "make install PYTHON=...")
    wrong = []
    for one in map(Requirement, project["dependencies"]):
        found = installed(one.name)
        if found is None or not one.specifier.contains(found, prereleases=True):
            wrong.append(f"{one.name} {found or 'is missing'} (wanted {one.specifier})")
    if wrong:
        return failed(few(wrong), INSTALL)
    text = "".join(path.read_text(encoding="utf-8") for path in LOCKS if path.is_file())
    locked = dict(re.findall(r"^([\w.-]+)==([^\s+;]+)", text, re.M))
    if not locked:
        return warning(f"no {LOCKS[0]} here", "run it from the project's root")
    wrong = [
        f"{name} {found or 'missing'} (lock {version})"
        for name, version in locked.items()
        if (found := installed(name)) != version
    ]
    if wrong:
        return warning(f"{len(wrong)} of {len(locked)} differ: {few(wrong)}", INSTALL)
    return ok(f"Python {python}, all {len(locked)} packages as locked")


def installed(name: str) -> str | None:
    """The version of a package, without the build (`+cpu`); None: not installed."""
    try:
        return metadata.version(name).partition("+")[0]
    except metadata.PackageNotFoundError:
        return None
