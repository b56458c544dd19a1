"""The most memory of a process: its own, whatever started it, and what it gave back."""

import subprocess
import sys
from pathlib import Path

import pytest

from xstilts.core import peak

TAKEN = "from xstilts.core.peak import peak; {}; print(peak()['process'])"


def said(what: str) -> int:
    """The peak of a process that did something."""
    code = TAKEN.format(what)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_what_was_given_back_counts_and_what_its_parent_had_does_not() -> None:
    """A test run, or `xstilts repro`, is larger than most of the stages that it starts."""
    mine = bytearray(300_000_000)
    small, large = said("pass"), said("bytearray(200_000_000)")
    assert len(mine) > small
    assert large - small == pytest.approx(200_000_000, rel=0.05)


def test_without_proc_the_system_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on a Mac."""
    monkeypatch.setattr(peak, "STATUS", tmp_path / "nowhere")
    assert peak.peak()["process"] > 10_000_000
