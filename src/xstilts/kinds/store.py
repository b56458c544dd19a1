"""Text is tokenised once: features are kept in files, and read by all runs that ask for the same.

    store = Store.of(machine)
    features = store(kind.encode, rows, tokenizer, length, stride)

A file of `.state/features/` is named by the hash of all that decides its content: the rows, the
tokenizer, the kind and its lengths, the code and the versions that make features; so none is ever
stale. It is Arrow's format for files with its sha256 behind, and is mapped, not read into memory.
What is not as it was written is made anew. The folder can be deleted at any time; the files that
were read longest ago go where it gets larger than machine.yaml's `features_gb`. A file that is
deleted while it is mapped stays readable for who has it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow as pa

from xstilts.core import files, paths
from xstilts.core.errors import UserError
from xstilts.core.machine import Machine
from xstilts.kinds.base import Feature
from xstilts.kinds.features import Features, block
from xstilts.records import code

Encode = Callable[..., list[Feature]]  # of rows, tokenizer and lengths; each row by itself

ROWS = 1000  # that are encoded at once, which bounds memory
DIGEST = hashlib.sha256().digest_size
PACKAGES = ("tokenizers", "transformers")
ALWAYS = ("xstilts.model.tokenizer", "xstilts.kinds.store")  # code that any feature comes of
TOKENIZER = ("tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True)
class Store:
    """Features of rows: kept in files of a folder, or without a folder made at each call."""

    folder: Path | None = None
    gigabytes: float = 0  # files are deleted beyond so many; the last one stays

    @staticmethod
    def of(machine: Machine) -> Store:
        """The store of the working folder."""
        kept = machine.features_gb > 0
        return Store(paths.STATE / "features" if kept else None, machine.features_gb)

    def __call__(
        self, encode: Encode, rows: Sequence[Any], tokenizer: Any, *lengths: int
    ) -> Features:
        """What `encode(rows, tokenizer, *lengths)` gives, made at the first call alone.

        Where there is no room on the disk, they are made all the same, and held in memory.
        """
        key = None if self.folder is None else _key(encode, rows, tokenizer, lengths)
        blocks = _blocks(encode, rows, tokenizer, lengths)
        if self.folder is None or key is None:
            return Features(blocks)
        path = self.folder / f"{key}.arrow"
        found = _read(path)
        if found is not None:
            return found
        try:
            with _alone(self.folder, key):
                found = _read(path)  # another process may have made it by now
                if found is None:
                    found = _write(path, blocks)
                    self._trim(path)
        except (OSError, UserError):
            return Features(_blocks(encode, rows, tokenizer, lengths))
        return found

    def _trim(self, own: Path) -> None:
        """Delete what was read longest ago, as far as the folder is too large."""
        known = []
        for path in own.parent.glob("*.arrow"):
            with suppress(FileNotFoundError):  # another process trims, too
                facts = path.stat()
                known.append((facts.st_mtime_ns, facts.st_size, path))
        surplus = sum(size for _, size, _ in known) - self.gigabytes * 1e9
        for _, size, path in sorted(known):
            if surplus > 0 and path != own:
                path.unlink(missing_ok=True)
                surplus -= size


NOT_KEPT = Store()


def _blocks(
    encode: Encode, rows: Sequence[Any], tokenizer: Any, lengths: tuple[int, ...]
) -> Iterator[pa.RecordBatch]:
    """The features of some rows after the other; each feature's `row` counts from the first."""
    for start in range(0, len(rows), ROWS):
        features = encode(rows[start : start + ROWS], tokenizer, *lengths)
        for feature in features:
            if "row" in feature:
                feature["row"] += start
        if features:
            yield block(features)


def _key(
    encode: Encode, rows: Sequence[Any], tokenizer: Any, lengths: tuple[int, ...]
) -> str | None:
    """Hex sha256 of all that decides features; None where code or tokenizer has no known bytes."""
    made, known = code.identity_of(encode.__module__, *ALWAYS), _tokenizer(tokenizer)
    if made is None or known is None:
        return None
    name = f"{encode.__module__}.{encode.__qualname__}"
    facts = [name, made, known, lengths, _versions()]
    writer = json.JSONEncoder(sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256()
    for one in (facts, *rows):
        digest.update(writer.encode(one).encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


@lru_cache
def _versions() -> list[str]:
    """Of what makes features beside our code; Python's, as it knows letters' cases."""
    return [platform.python_version(), *map(metadata.version, PACKAGES)]


@lru_cache(maxsize=4)
def _tokenizer(tokenizer: Any) -> str | None:
    """Hash of a tokenizer's files and of what it calls its special tokens; None: not from files."""
    folder = Path(getattr(tokenizer, "name_or_path", ""))
    if not (folder / TOKENIZER[0]).is_file():
        return None
    names = {name: str(token) for name, token in tokenizer.special_tokens_map.items()}
    given = [folder / name for name in TOKENIZER if (folder / name).is_file()]
    hashes = [files.sha256_file(path) for path in given]
    return files.sha256_json([hashes, names, tokenizer.model_input_names])


def _write(path: Path, blocks: Iterator[pa.RecordBatch]) -> Features:
    """Write features and their hash; the mapping is that of the file whatever becomes of it."""
    with files.draft(path) as out:
        first = next(blocks, None)
        schema = pa.schema([]) if first is None else first.schema
        with pa.ipc.new_file(out, schema) as writer:
            for one in () if first is None else (first, *blocks):
                writer.write_batch(one)
        with out.open("ab") as stream:
            stream.write(bytes.fromhex(files.sha256_file(out)))
        found = _read(out)
    if found is None:
        raise OSError(f"{path} is not what was written")
    return found


def _read(path: Path) -> Features | None:
    """Kept features, mapped; None where there are none, or not those that were written."""
    try:
        whole = pa.memory_map(str(path)).read_buffer()
        size = len(whole) - DIGEST
        if size <= 0 or hashlib.sha256(whole[:size]).digest() != whole[size:].to_pybytes():
            return None
        reader = pa.ipc.open_file(whole[:size])
        found = Features(map(reader.get_batch, range(reader.num_record_batches)))
        os.utime(path)  # read now: the last to be deleted
    except (OSError, pa.ArrowException):
        return None
    return found


@contextmanager
def _alone(folder: Path, key: str) -> Iterator[None]:
    """Let one process make a file, while others wait for it; where locks are known.

    One lock file for all: each key is a byte of it, which need not exist.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as handle:
        with suppress(OSError):
            fcntl.lockf(handle, fcntl.LOCK_EX, 1, int(key[:12], 16))
        yield
