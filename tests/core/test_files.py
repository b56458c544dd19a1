"""Hashes of files: large ones are not read again, unless anything has happened to them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from xstilts.core import files

SIZE = files.LARGE


def rewritten(path: Path) -> None:
    """Other bytes, as many, and the old time of change put back."""
    before = path.stat()
    path.write_bytes(b"b" * SIZE)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path: Path) -> None:
    """Another file under the same name, as all writes of the kit are."""
    files.write_bytes(path, b"c" * SIZE)


def test_a_large_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transfer names each of its states by the weights: XLM-R Large has 2.2 GB."""
    large, small = tmp_path / "large", tmp_path / "small"
    large.write_bytes(b"a" * SIZE)
    small.write_bytes(b"a")
    first = [files.sha256_file(path) for path in (large, small)]
    read: list[Path] = []
    monkeypatch.setattr(files, "_sha256", lambda path: read.append(path) or "")
    assert files.sha256_file(large) == first[0] == hashlib.sha256(b"a" * SIZE).hexdigest()
    files.sha256_file(small)
    assert read == [small]


@pytest.mark.parametrize("change", [rewritten, replaced])
def test_a_large_file_that_was_changed_is_read_again(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    """A state's files are compared with their hashes before they are believed."""
    path = tmp_path / "weights"
    path.write_bytes(b"a" * SIZE)
    before = files.sha256_file(path)
    change(path)
    assert files.sha256_file(path) == hashlib.sha256(path.read_bytes()).hexdigest() != before
