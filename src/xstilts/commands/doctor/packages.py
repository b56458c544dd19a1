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
    """Python's version, the pinned packages, and all that the lock names."""
    if not PROJECT.is_file():
        return [warning("packages", f"no {PROJECT} here", "run it from the project's root")]
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    return [_python(project["requires-python"]), _pinned(project["dependencies"]), _locked()]


def _python(wanted: str) -> Finding:
    found = platform.python_version()
    if SpecifierSet(wanted).contains(found):
        return ok("Python", found)
    return failed("Python", f"{found}, but the project needs {wanted}", "make install PYTHON=...")


def installed(name: str) -> str | None:
    """The version of a package, without the build (`+cpu`); None: not installed."""
    try:
        return metadata.version(name).partition("+")[0]
    except metadata.PackageNotFoundError:
        return None


def _pinned(dependencies: list[str]) -> Finding:
    """The packages that pyproject.toml names: their versions are a part of a result."""
    wrong = []
    for text in dependencies:
        wanted = Requirement(text)
        found = installed(wanted.name)
        if found is None:
            wrong.append(f"{wanted.name} is not installed")
        elif not wanted.specifier.contains(found, prereleases=True):
            wrong.append(f"{wanted.name} {found} (wanted {wanted.specifier})")
    if wrong:
        return failed("packages", few(wrong), INSTALL)
    return ok("packages", f"all {len(dependencies)} pinned ones have their versions")


def _locked() -> Finding:
    """All packages, against requirements.lock; a later version of a minor one may be harmless."""
    text = "".join(path.read_text(encoding="utf-8") for path in LOCKS if path.is_file())
    wanted = dict(re.findall(r"^([\w.-]+)==([^\s+;]+)", text, re.M))
    if not wanted:
        return warning("lock", f"no {LOCKS[0]} here", "run it from the project's root")
    wrong = []
    for name, version in wanted.items():
        found = installed(name)
        if found != version:
            wrong.append(f"{name} {found or 'missing'} (lock {version})")
    if wrong:
        return warning("lock", f"{len(wrong)} of {len(wanted)} differ: {few(wrong)}", INSTALL)
    return ok("lock", f"all {len(wanted)} packages as locked")
