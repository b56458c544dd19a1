"""The one exception that is meant for people; the command line prints it and exits with 2.

`disk` makes one of what a full, read-only or forbidden file system leads to, in any library.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KEPT = "and run the same command again; what was done before is kept"
FULL = {
    errno.ENOSPC: ("the disk is full", f"make room (old versions go by `dvc gc -w`) {KEPT}"),
    errno.EDQUOT: ("your disk quota is used up", f"make room (`dvc gc -w`) or ask for more {KEPT}"),
    errno.EFBIG: (
        "the shell allows no file of this size",
        f"`ulimit -f unlimited` {KEPT}",
    ),
    errno.EROFS: ("the file system is read-only", f"mount it writable {KEPT}"),
}
DENIED = ("you have no permission for it", f"chown or chmod it {KEPT}")
BLOCKED = ("a file is where a folder belongs", f"move that file away {KEPT}")
INSTEAD = ("a folder is where a file belongs", f"move that folder away {KEPT}")
REASONS = {
    **FULL,
    **dict.fromkeys((errno.EACCES, errno.EPERM), DENIED),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR), BLOCKED),
    errno.EISDIR: INSTEAD,
}
# What libraries say that pass on no errno: safetensors, arrow, torch.
NUMBER = re.compile(r"\b(?:os error|errno) (\d+)", re.I)
DRAFT = re.compile(r"\.(.+?)(?:\.[^.]*-\d+|\.old)?\.tmp")  # what a file is called in the making
WORDS = re.compile(
    r"no space left on device|PytorchStreamWriter failed writing|unexpected pos \d+ vs \d+", re.I
)
NO_ROOM = 1 << 20  # bytes: what a disk may have left where a write has just failed for want of room


class UserError(Exception):
    """Bad input: the message says what is wrong, where, and the mend, in one line."""


@contextmanager
def disk(place: Path) -> Iterator[None]:
    """Tell a full, read-only or forbidden file system in one line; other errors pass as they are.

    Args:
        place: what is named where the error itself names no file.

    Raises:
        UserError: instead of what the body raised.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        number, name = _found(error)
        if number not in REASONS:
            # torch's writer has more words for it, which name no cause ("iostream error"), so the
            # disk itself is asked, too.
            if not (isinstance(error, (OSError, RuntimeError)) and _full(place)):
                raise
            number = errno.ENOSPC
        wrong, mend = REASONS[number]
        path = Path(name or place)
        if number in (errno.EEXIST, errno.ENOTDIR):
            blocks = [one for one in (*reversed(path.parents), path) if not _may_hold(one)]
            if not blocks:
                raise
            path = blocks[0]
        named = "/".join(DRAFT.sub(r"\1", part) for part in path.parts)
        raise UserError(f"{named.replace('//', '/')}: {wrong}. Mend: {mend}") from error


def _may_hold(path: Path) -> bool:
    """Whether a path is a folder, or free to become one."""
    return path.is_dir() or not os.path.lexists(path)


def _full(place: Path) -> bool:
    """Whether the disk of a place, or the one of the working directory, has no room left."""
    existing = next(folder for folder in (place, *place.absolute().parents) if folder.exists())
    return any(shutil.disk_usage(folder).free < NO_ROOM for folder in (existing, Path()))


def _found(error: BaseException | None) -> tuple[int, str | None]:
    """errno and file name of the error of a file system that this one is or comes from, or 0."""
    first = True
    while error is not None:
        number = _number(error)
        # A refused permission that was met on the way to another error need not be its cause.
        if number in FULL or (number in REASONS and first):
            name = getattr(error, "filename", None)
            return number, name if isinstance(name, str) else None
        first = first and error.__cause__ is not None
        error = error.__cause__ or error.__context__
    return 0, None


def _number(error: BaseException) -> int:
    """The errno that an error has or tells."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    text = str(error)
    if told := NUMBER.search(text):
        return int(told[1])
    return errno.ENOSPC if WORDS.search(text) else 0
