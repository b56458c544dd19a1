"""The Hugging Face hub at pinned revisions, and plain URLs with their sha256.

`HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_OFFLINE` and proxy variables are honoured as usual.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from xstilts.core import files
from xstilts.core.errors import UserError, disk
from xstilts.core.progress import Observe
from xstilts.sources import card
from xstilts.sources.places import MODEL_FILES, pin_mend, url_path

TIMEOUT = 30.0  # seconds without a byte
TRIES, PAUSE = 3, 1.0  # seconds between two tries
TRUE = ("1", "on", "yes", "true")
COMMIT = re.compile(r"[0-9a-f]{40}")
MEND = (
    "Mend: check the network and that HF_HUB_OFFLINE is not set, or use data.source: mirror:<dir>"
)


def obtain(spec: Any, target: Path, observe: Observe) -> str | None:
    """Download the wanted files of a data set; see `sources.dataset`.

    Returns:
        The commit that was brought; None where all files came from URLs.
    """
    commit = None
    for url, sha256 in spec.urls.items():
        if sha256 is None:
            raise UserError(f"{url} is not pinned by its sha256. {pin_mend(spec.dataset)}")
    if spec.configs:
        with _reached(f"the hub's data set {spec.dataset}", target):
            commit = _dataset(spec, target, observe)
    if spec.urls:
        with observe.progress(f"download {spec.dataset}", len(spec.urls)) as advance:
            for url, sha256 in spec.urls.items():
                download(url, sha256, target / url_path(url))
                advance(1)
    return commit


def model(spec: Any, target: Path, observe: Observe) -> str | None:
    """Download a checkpoint's safetensors, config and tokenizer; see `sources.model`."""
    with _reached(f"the hub's model {spec.model}", target):
        commit, present = _listing("model", spec.model, spec.revision)
        names = [name for name in present if any(fnmatchcase(name, one) for one in MODEL_FILES)]
        _files(
            "model", spec.model, commit, {name: present[name] for name in names}, target, observe
        )
    return commit


def _dataset(spec: Any, target: Path, observe: Observe) -> str:
    """The card first, as it names the files of each config; then these."""
    commit, present = _listing("dataset", spec.dataset, spec.revision)
    facts: dict[str, Any] = {}
    if card.NAME in present:
        _files("dataset", spec.dataset, commit, {card.NAME: None}, target, Observe(quiet=True))
        facts = card.read_file(target)
    wanted: set[str] = set()
    for config, splits in spec.configs.items():
        for split in splits:
            place = f"{spec.dataset}@{commit[:8]}"
            wanted.update(card.resolve(facts, present, config, split, place))
    hashes = {name: present[name] for name in sorted(wanted)}
    _files("dataset", spec.dataset, commit, hashes, target, observe)
    return commit


def _listing(kind: str, name: str, revision: str | None) -> tuple[str, dict[str, str | None]]:
    """Commit of a revision, and its files with the sha256 of those that the hub has one for."""
    from huggingface_hub import HfApi

    if revision is None or not COMMIT.fullmatch(revision):
        mend = "Mend: pin a 40-hex commit, or use data.source: mirror:<dir>"
        raise UserError(
            f"{name} is not pinned to a commit (revision: {revision}), so the hub might give other "
            f"bytes tomorrow. {pin_mend(name) if kind == 'dataset' else mend}"
        )
    api = HfApi()
    ask = api.dataset_info if kind == "dataset" else api.model_info
    info = ask(name, revision=revision, timeout=TIMEOUT, files_metadata=True)
    if info.sha != revision:
        raise UserError(f"{name}: the hub has no commit {revision}. Mend: pin one that it has")
    return revision, {
        file.rfilename: file.lfs.sha256 if file.lfs else None for file in info.siblings or []
    }


def _files(
    kind: str,
    name: str,
    commit: str,
    hashes: dict[str, str | None],
    target: Path,
    observe: Observe,
) -> None:
    """Download files of one commit and compare them with the hub's own sha256."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils import disable_progress_bars, logging

    logging.set_verbosity_error()  # its tries are its own; what fails is told in one line
    disable_progress_bars()
    with observe.progress(f"download {name}", len(hashes)) as advance:
        for file, sha256 in hashes.items():
            hf_hub_download(name, file, repo_type=kind, revision=commit, local_dir=target)
            if sha256 is not None and files.sha256_file(target / file) != sha256:
                raise UserError(f"{name}: {file} arrived damaged. Mend: run it again")
            advance(1)
    shutil.rmtree(target / ".cache", ignore_errors=True)  # the client's own notes


@contextmanager
def _reached(what: str, target: Path) -> Iterator[None]:
    """Turn whatever the client raises into one line: its classes differ from version to version."""
    try:
        with disk(target):
            yield
    except UserError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()).partition(" For more information")[0][:200]
        raise UserError(
            f"{what} could not be read ({type(error).__name__}: {reason}). {_mend(error)}"
        ) from error


def _mend(error: Exception) -> str:
    """What to do, by the status that a server answered with, if one did."""
    code = getattr(error, "code", None) or getattr(
        getattr(error, "response", None), "status_code", None
    )
    if code in (401, 403):
        return "Mend: ask for access where it is kept, and set HF_TOKEN"
    if code == 404:
        return "Mend: see that name and pin are right; what is gone there, a mirror may still have"
    if code == 429:
        return "Mend: the server asks for patience; run it again later (HF_TOKEN raises the limit)"
    if isinstance(code, int) and code >= 500:
        return "Mend: the server fails; run it again later, or use data.source: mirror:<dir>"
    return MEND


def download(url: str, sha256: str, path: Path) -> None:
    """Download one file and compare its sha256.

    Raises:
        UserError: no network, no such file, or other bytes than were pinned.
    """
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in TRUE:
        raise UserError(f"{url} could not be read (offline mode is enabled). {MEND}")
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in reversed(range(TRIES)):
        try:
            found = _stream(url, path)
            break
        except (OSError, ValueError, http.client.HTTPException) as error:
            if left and _passing(error):
                time.sleep(PAUSE)
                continue
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise UserError(f"{url} could not be read ({reason}). {_mend(error)}") from error
    if found != sha256:
        raise UserError(
            f"{url}: sha256 {found[:12]}... differs from the task's pin ({sha256[:12]}...). "
            "Mend: the file has changed at its source; pin the new one only if you trust it"
        )


def _stream(url: str, path: Path) -> str:
    """Write a URL's bytes to `path`, and give their sha256."""
    if not url.startswith(("https://", "http://")):
        raise ValueError("it is no http or https address")
    digest, size = hashlib.sha256(), 0
    with urllib.request.urlopen(url, timeout=TIMEOUT) as stream, disk(path), path.open("wb") as out:
        while block := stream.read(files.BLOCK):
            digest.update(block)
            size += len(block)
            out.write(block)
        told = stream.headers.get("Content-Length")
    if told and told.isdigit() and size < int(told):
        raise ConnectionResetError(f"it stopped after {size} of {told} bytes")
    return digest.hexdigest()


def _passing(error: Exception) -> bool:
    """Worth another try: the server is busy, the line slow or cut; not: refused or not found."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code == 429 or error.code >= 500
    return isinstance(error, TimeoutError | ConnectionResetError | http.client.HTTPException)
