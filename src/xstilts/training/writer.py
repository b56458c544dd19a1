"""Writes DeepSpeed's states: hashed on their way to the disk, off the training's path where it can.

`engine.checkpoint_engine = Writer(n)`, and `engine.save_checkpoint` gives it each file's content.
Where memory allows, the content is copied there and a thread writes it while training goes on.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from deepspeed.runtime.checkpoint_engine import TorchCheckpointEngine

from xstilts.core import memory
from xstilts.core.errors import disk

BLOCK = 1 << 24  # bytes that are hashed, written and then looked up from
SHARE = 0.5  # of the free memory, that a copy may take


class Abandoned(Exception):
    """Nobody waits for what is being written."""


class Copy(deque[bytes]):
    """A file in memory, in pieces that are let go as they are written."""

    def write(self, data: Any) -> int:
        """Keep a copy of some bytes."""
        self.append(bytes(data))
        return len(self[-1])

    def flush(self) -> None:
        """There is nothing to wait for; `torch.save` asks."""


class HashedFile:
    """A new file that hashes what is written to it; when it is closed, it is on the disk."""

    def __init__(self, path: Path, abandoned: threading.Event) -> None:
        self.digest, self.abandoned = hashlib.sha256(), abandoned
        self.stream = path.open("wb")

    def __enter__(self) -> HashedFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None
    ) -> None:
        with self.stream:
            if error is None:
                self.stream.flush()
                os.fsync(self.stream.fileno())

    def write(self, data: Any) -> int:
        """Hash and write some bytes, in blocks that are still in the cache the second time.

        Raises:
            Abandoned: nobody waits any more.
        """
        with memoryview(data) as view:
            for start in range(0, len(view), BLOCK):
                if self.abandoned.is_set():
                    raise Abandoned
                block = view[start : start + BLOCK]
                self.digest.update(block)
                self.stream.write(block)
            return len(view)

    def flush(self) -> None:
        """`torch.save` asks for it before each tensor; closing does it once."""


class Writer(TorchCheckpointEngine):
    """DeepSpeed's way to the disk.

    Args:
        sharers: processes on this machine that copy into its memory at the same time.
    """

    def __init__(self, sharers: int) -> None:
        super().__init__()
        self.sharers = sharers
        self.abandoned = threading.Event()
        self.pool = ThreadPoolExecutor(1, "state")
        self.jobs: list[Future[dict[str, str]]] = []
        self.took, self.since = 0.0, 0.0  # seconds that the thread wrote; when it began a job, or 0

    def create(self, info: Any) -> None:
        """DeepSpeed begins a state."""
        self.took = 0.0

    def save(self, state_dict: Any, path: str) -> None:
        """Take the content of a file; DeepSpeed calls, on the training's path.

        Raises:
            UserError: the disk is full, read-only or forbidden (`wait` says so for a thread).
        """
        if storage_bytes(state_dict) <= SHARE * memory.available() / self.sharers:
            copy = Copy()
            self._dump(state_dict, copy)
            self.submit(lambda: self._write(path, lambda file: _empty(copy, file)))
        else:
            done: Future[dict[str, str]] = Future()
            done.set_result(self._write(path, lambda file: self._dump(state_dict, file)))
            self.jobs.append(done)

    def _dump(self, content: Any, file: Any) -> None:
        """As DeepSpeed does, into a file object: in torch's format before zip, an open stream.

        That needs no second place in the file, makes no checksum beside the hash, and lets the
        error of `write` come through.
        """
        super().save(content, file)

    def submit(self, job: Callable[[], dict[str, str]]) -> None:
        """Have the thread do something after all that it has to do already."""
        self.jobs.append(self.pool.submit(self._timed, job))

    def _timed(self, job: Callable[[], dict[str, str]]) -> dict[str, str]:
        self.since = time.monotonic()
        try:
            return job()
        finally:
            self.took, self.since = self.seconds(), 0.0

    def _write(self, path: str, fill: Callable[[HashedFile], None]) -> dict[str, str]:
        """Write one file and wait until it is on the disk; its name -> sha256."""
        with disk(Path(path)), HashedFile(Path(path), self.abandoned) as file:
            fill(file)
        return {path: file.digest.hexdigest()}

    def seconds(self) -> float:
        """Seconds that the thread has been writing at the last state."""
        since = self.since
        return self.took + (time.monotonic() - since if since else 0.0)

    def writing(self) -> bool:
        """Whether something is not on the disk yet.

        Raises:
            UserError: something never will be.
        """
        for job in self.jobs:
            if job.done():
                job.result()
        return not all(job.done() for job in self.jobs)

    def wait(self) -> dict[str, str]:
        """Wait until all is on the disk; path -> sha256 of what was written since the last time.

        Raises:
            UserError: the disk is full, read-only or forbidden.
        """
        written = {path: digest for job in self.jobs for path, digest in job.result().items()}
        self.jobs.clear()
        return written

    def close(self) -> None:
        """End the thread, in the middle of a file if need be."""
        self.abandoned.set()
        self.pool.shutdown(cancel_futures=True)


def _empty(copy: Copy, file: HashedFile) -> None:
    """Write a copy and give its memory back on the way."""
    while copy:
        file.write(copy.popleft())


def storage_bytes(content: Any) -> int:
    """Bytes of the tensors in nested dicts, lists and tuples; what is shared counts once."""
    sizes: dict[Any, int] = {}

    def visit(value: Any) -> None:
        if isinstance(value, torch.Tensor):
            storage = value.untyped_storage()
            sizes[storage.device, storage.data_ptr()] = storage.nbytes()
        elif isinstance(value, dict):
            for one in value.values():
                visit(one)
        elif isinstance(value, list | tuple):
            for one in value:
                visit(one)

    visit(content)
    return sum(sizes.values())
