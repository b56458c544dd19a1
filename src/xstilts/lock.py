"""One process at a time for each run of a stage, as two would spoil each other's files.

A file beside the output is locked by `flock`, which the kernel undoes when its holder dies however
it dies. Where a file system knows no locks, the stage runs without one. Used by `pipeline`.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from xstilts.errors import UserError, disk


@contextmanager
def held(output: Path, what: str) -> Iterator[int]:
    """Hold the lock of an output for the body.

    Yields:
        A file descriptor; processes that inherit it hold the lock too, until the last one ends.

    Args:
        what: what a person calls it: `transfer none-s1`.

    Raises:
        UserError: another process holds it; names that process.
    """
    path = output.with_name(f".{output.name}.lock")
    with disk(path):
        handle = _take(path, what)
    try:
        yield handle
    finally:
        path.unlink(missing_ok=True)  # while it is still ours: nobody can have locked it meanwhile
        os.close(handle)


def _take(path: Path, what: str) -> int:
    """A descriptor of the locked file."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(handle, 200, 0).decode(errors="replace") or "another process"
            os.close(handle)
            raise UserError(
                f"{what} is being run by {holder} ({path} is locked). "
                "Mend: wait until it has ended, or end it, then run it again"
            ) from error
        except OSError:
            pass  # a file system without locks
        if _is(handle, path):
            with suppress(OSError):  # a full disk is told by what needs the room
                os.ftruncate(handle, 0)
                os.pwrite(handle, f"process {os.getpid()} on {os.uname().nodename}".encode(), 0)
            return handle
        os.close(handle)  # its last holder deleted it between our two calls


def _is(handle: int, path: Path) -> bool:
    """Whether the open file is still the one that has this name."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
