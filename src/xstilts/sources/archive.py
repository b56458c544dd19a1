"""Files inside .zip and .tar archives, read where they lie: nothing is ever written to disk.

Used by `raw`. An archive inside an archive is read like a folder of it: WikiANN's zip has
`af.tar.gz/train`. An archive is somebody else's: paths that lead out of it, links and absurd sizes
are refused by name.
"""

from __future__ import annotations

import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePath, PurePosixPath
from typing import IO

import pyarrow as pa

from xstilts.core.errors import UserError

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
LIMIT = 8 << 30  # bytes that one archive may unpack to; the largest one known here has 0.6e9
# What the libraries raise for bytes that are no archive, or half of one.
DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, pa.ArrowException),
    *(EOFError, OSError, NotImplementedError),
)
MEND = "Mend: delete its folder and run `fetch` again, or mend the source"


def is_archive(path: PurePath) -> bool:
    """Whether a file has the ending of an archive that can be read."""
    return path.name.lower().endswith(ENDINGS)


def names(path: Path) -> list[str]:
    """Paths of the files in an archive, in its order; archives in it are files, too.

    Raises:
        UserError: it is missing or damaged, or holds what is refused (see `_safe`).
    """
    return list(_names(path, path.stat().st_mtime_ns if path.exists() else 0))


@lru_cache(maxsize=8)  # a pass through all treebanks takes long, and 38 languages ask for it
def _names(path: Path, changed: int) -> tuple[str, ...]:
    with _opened(path) as files:
        return tuple(name for name, _ in files)


@contextmanager
def member(path: Path, wanted: str, source: IO[bytes] | None = None) -> Iterator[IO[bytes]]:
    """A stream of one file's bytes.

    Args:
        wanted: its path in the archive; through an archive inside of it as through a folder.
        source: the archive's own bytes, where it lies in another one and not at `path`.

    Raises:
        UserError: as `names`, and where there is no such file. What comes before it is checked.
    """
    with _opened(path, source) as files:
        for name, stream in files:
            if name == wanted:
                yield stream
                return
            if wanted.startswith(f"{name}/") and is_archive(PurePosixPath(name)):
                with member(path / name, wanted.removeprefix(f"{name}/"), stream) as inner:
                    yield inner
                return
    raise UserError(f"{path} has no file {wanted}. {MEND}")


@contextmanager
def _opened(
    path: Path, source: IO[bytes] | None = None
) -> Iterator[Iterator[tuple[str, IO[bytes]]]]:
    """The files of an archive, one after the other."""
    try:
        if path.name.lower().endswith(".zip"):
            with zipfile.ZipFile(source or path) as archive:
                yield _zipped(path, archive)
        else:
            with tarfile.open(path, fileobj=source) as archive:
                yield _tarred(path, archive)
    except (UserError, PermissionError):
        raise
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing. {MEND}") from error
    except Exception as error:  # the libraries do not say what damaged bytes may lead to
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{path} is corrupt ({reason}). {MEND}") from error


def _tarred(path: Path, archive: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    """In one pass, as a compressed tar cannot be read backwards."""
    total = 0
    for one in archive:
        if one.isdir():
            continue
        if not one.isreg():
            raise _refused(path, one.name, "is a link or a device")
        total += one.size
        name = _safe(path, one.name, total)
        stream = archive.extractfile(one)
        yield name, stream or io.BytesIO()


def _zipped(path: Path, archive: zipfile.ZipFile) -> Iterator[tuple[str, IO[bytes]]]:
    """In the order of the archive's own list."""
    total = 0
    for one in archive.infolist():
        if one.is_dir():
            continue
        kind = stat.S_IFMT(one.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise _refused(path, one.filename, "is a link or a device")
        if one.flag_bits & 1:
            raise _refused(path, one.filename, "needs a password")
        total += one.file_size
        name = _safe(path, one.filename, total)
        with archive.open(one) as stream:
            yield name, stream


def _safe(path: Path, name: str, total: int) -> str:
    """The path of a file inside its archive, without `./`.

    Raises:
        UserError: it is absolute or has `..`; or the archive unpacks to more than `LIMIT`.
    """
    plain = name.replace("\\", "/")
    parts = PurePosixPath(plain).parts
    if not parts or ".." in parts or plain.startswith("/") or ":" in parts[0]:
        raise _refused(path, name, "leads out of the archive")
    if total > LIMIT:
        raise _refused(path, name, f"unpacks to more than {LIMIT >> 30} GiB")
    return "/".join(parts)


def _refused(path: Path, name: str, why: str) -> UserError:
    return UserError(f"{path} is refused: {name!r} {why}. Mend: take the archive from its source")
