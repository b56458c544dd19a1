"""Versions against pins and the lock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xstilts.commands.doctor import packages


def pyproject(python: str, *dependencies: str, lock: str = "") -> None:
    text = f"[project]\nrequires-python = {python!r}\ndependencies = {list(dependencies)}\n"
    Path("pyproject.toml").write_text(text)
    Path("requirements.lock").write_text(lock)


def test_versions_that_differ_from_pins_and_lock_are_named(only: Any) -> None:
    """A version is a part of a result: a pinned one must fit, a minor one is told."""
    pyproject(">=3.99")
    only(packages.versions(), "failed", "needs >=3.99")
    pyproject(">=3.11", "rich==0.1", "no-such-package==1")
    only(packages.versions(), "failed", "rich", "(wanted ==0.1)", "no-such-package is missing")
    pyproject(">=3.11", lock="rich==0.1 \\\n  --hash=x\n")
    only(packages.versions(), "warning", "1 of 1 differ: rich", "(lock 0.1)", "make install")
    pyproject(">=3.11")
    only(packages.versions(), "warning", "no requirements.lock here")


def test_versions_that_fit(only: Any) -> None:
    """The build of a package (+cpu) and its extras are no part of its version."""
    version = packages.installed("rich")
    pyproject(">=3.11", f"rich[jupyter]=={version}", lock=f"rich=={version}+cpu \\\n")
    only(packages.versions(), "ok", "all 1 packages as locked")


def test_another_folder_is_no_project(only: Any) -> None:
    """The usual slip: it was started elsewhere."""
    only(packages.versions(), "warning", "no pyproject.toml here")
