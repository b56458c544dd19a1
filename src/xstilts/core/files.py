"""Hashes and all-or-nothing writes: a temporary name first, then a rename.

Every output of the project goes through here, so a reader never meets a half-written file. Bytes
are on the disk before the rename (fsync): a machine that loses power leaves the old file or the new
one, never an empty one, and a network disk that is full says so before anything is replaced.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from xstilts.core.errors import UserError, disk

BLOCK = 1 << 20  # bytes of a download that are read at a time
LARGE = 1 << 24  # bytes; to hash so many takes longer than a file system's clock needs to tick


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file's bytes; a large file that is as it was is not read again."""
    try:
        is_now = path.stat()
        if is_now.st_size < LARGE:
            return _sha256(path)
        place = is_now.st_dev, is_now.st_ino
        return _known_sha256(path, *place, is_now.st_size, is_now.st_mtime_ns, is_now.st_ctime_ns)
    except FileNotFoundError as error:
        raise _missing(path) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@lru_cache(maxsize=256)  # a transfer asks for the weights once a target
def _known_sha256(path: Path, *is_now: int) -> str:
    return _sha256(path)


def _missing(path: Path) -> UserError:
    return UserError(f"{path} is missing. Mend: run `dvc repro` or `dvc pull` to make it")


def sha256_json(value: Any) -> str:
    """Hex sha256 of a JSON-able value, independent of the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


@contextmanager
def draft(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; the file written there takes its place on success.

    Raises:
        UserError: the disk is full, read-only or forbidden; names `path`, which is as it was.
    """
    with disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        temporary = path.with_name(f".{path.name}.{_writer(os.getpid())}.tmp")
        try:
            yield temporary
            settle(temporary)
            temporary.replace(path)
            settle(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def _writer(process: int | str) -> str:
    """Marks the drafts of one process, also where machines or containers share a file system.

    Containers may share a machine's name and have processes of their own, under the same numbers.
    """
    with suppress(OSError):  # Linux alone has it
        process = f"{os.stat('/proc/self/ns/pid').st_ino}-{process}"
    return f"{os.uname().nodename.partition('.')[0]}-{process}"


def _sweep(path: Path) -> None:
    """Delete drafts of `path` whose writers on this machine were killed."""
    for old in path.parent.glob(f".{glob.escape(path.name)}.{_writer('*')}.tmp"):
        process = old.suffixes[-2].rpartition("-")[2]
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            old.unlink(missing_ok=True)
        except (PermissionError, ValueError):
            continue  # somebody's, alive; or no draft of ours


def settle(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        if path.is_dir():
            with suppress(OSError):  # some network file systems cannot, and need not
                os.fsync(handle)
        else:
            os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with draft(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys, so that equal values give equal bytes."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_bytes(path, (text + "\n").encode())


def read_json(path: Path) -> Any:
    """Parse a JSON file.

    Raises:
        UserError: the file is missing or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise _missing(path) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON ({error}). Mend: delete it and rerun") from error


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write one parquet file whole or not at all (zstd; bytes depend on the table alone)."""
    with draft(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_parquet(path: Path) -> pa.Table:
    """Read one parquet file, and see that its texts are UTF-8.

    Raises:
        UserError: the file is missing or its bytes are no parquet.
    """
    try:
        table = pq.read_table(path)
        table.validate(full=True)
    except FileNotFoundError as error:
        raise _missing(path) from error
    except PermissionError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{path} is corrupt or no parquet file ({reason}). Mend: delete it and rerun its stage"
        ) from error
    return table


@contextmanager
def output_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary sibling of `path`; on success it takes the place of `path`.

    Raises:
        UserError: as `draft`.
    """
    with disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary, old = (path.with_name(f".{path.name}{end}") for end in (".tmp", ".old.tmp"))
        for left in (temporary, old):
            shutil.rmtree(left, ignore_errors=True)
        temporary.mkdir()
        try:
            yield temporary
            for one in temporary.rglob("*"):
                settle(one)
            if path.exists():
                path.replace(old)
            temporary.replace(path)
            settle(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)
