"""Places that a study needs: data source, DVC remote, MLflow store, git."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from xstilts.commands.doctor.finding import Finding, failed, few, ok, public, warning
from xstilts.commands.obstacles import obstacles
from xstilts.core import design, paths
from xstilts.records import provenance

SECONDS = 3  # for one place to answer
HUB = "https://huggingface.co"
SSH = 22
S3 = "https://s3.amazonaws.com"
TRUE = ("1", "on", "yes", "true")
LEFT_OUT = "left out of the study"


def source() -> list[Finding]:
    """Where raw data comes from, and all that is known to stand in the study's way."""
    if not paths.PARAMS.exists():
        return warning("no study is in use", "`xstilts study use NAME`")
    loaded = design.load()
    users: dict[tuple[str, str], list[str]] = {}  # (why, mend) -> what it stands in the way of
    for one in obstacles(loaded):
        users.setdefault((one.why, one.mend), []).append(one.what)
    found: list[Finding] = []
    for (why, mend), names in users.items():
        make = warning if why.startswith(LEFT_OUT) else failed
        found += make(f"{few(names)}: {why}", mend)
    kinds = {spec.source for spec in loaded.fetch.values()}
    if loaded.pretrain.model:
        kinds.add(loaded.pretrain.source)
    if "hub" in kinds:
        found += _hub()
    local = sorted(kinds - {"hub"})
    if local and not any(one.state == "failed" for one in found):
        found += ok(", ".join(local))
    return found


def _hub() -> list[Finding]:
    """One request without a body; any answer of a server will do."""
    url = os.environ.get("HF_ENDPOINT") or HUB
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in TRUE:
        mend = "unset it, unless all data sets are fetched already"
        return warning("HF_HUB_OFFLINE forbids to ask the hub", mend)
    if why := _answer(url):
        mend = "see the network and HTTPS_PROXY, or use data.source: mirror:<dir>"
        return failed(f"{public(url)} does not answer ({why})", mend)
    return ok(f"{public(url)} answers")


def _answer(url: str) -> str | None:
    """Why a web server cannot be reached; None where it answers."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=SECONDS):
            return None
    except urllib.error.HTTPError:
        return None
    except (OSError, ValueError) as error:
        return _short(getattr(error, "reason", error))


def _connect(host: str, port: int) -> str | None:
    """Why a port cannot be reached; None where it takes a connection."""
    try:
        socket.create_connection((host, port), timeout=SECONDS).close()
    except OSError as error:
        return _short(error)
    return None


def _short(error: object) -> str:
    """What went wrong, without addresses in it that may hold a secret."""
    text = getattr(error, "strerror", None) or type(error).__name__
    return " ".join(str(text).split())[:80]


def remote() -> list[Finding]:
    """The default DVC remote, by which outputs are shared."""
    command = [sys.executable, "-m", "dvc", "config", "--list"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        return failed(f"`dvc config` fails: {lines[-1][:200]}", "`make install`, or `dvc init`")
    config = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    name = config.get("core.remote")
    if not name:
        mend = "dvc remote add -d NAME URL, to share outputs with `dvc push` and `dvc pull`"
        return warning("none: outputs stay on this machine", mend)
    options = {key.removeprefix(f"remote.{name}."): value for key, value in config.items()}
    url = options.get("url", "")
    place = Path(".dvc") / Path(url).expanduser()  # DVC reads a folder as relative to .dvc
    if not urlsplit(url).scheme and not os.access(place, os.R_OK | os.X_OK):
        mend = "the first `dvc push` makes it; or see whether its disk is mounted, and its rights"
        return warning(f"{name}: there is no folder {url} to read", mend)
    if why := _silent(url, options):
        mend = f"see `dvc remote list` and `dvc remote modify {name}`"
        return failed(f"{name}: {public(url)}: {why}", mend)
    return ok(f"{name}: {public(url)}")


def _silent(url: str, options: dict[str, str]) -> str | None:
    """Why a remote cannot be reached; None where it can, or its kind is not known here."""
    parts = urlsplit(url)
    if parts.scheme == "s3":
        return _answer(options.get("endpointurl", S3))
    if parts.scheme in ("http", "https"):
        return _answer(url)
    if parts.scheme in ("ssh", "sftp") and parts.hostname:
        return _connect(parts.hostname, int(parts.port or options.get("port") or SSH))
    return None


def store() -> list[Finding]:
    """The MLflow store. A study runs without it, so nothing here is worse than a warning."""
    if os.environ.get("XSTILTS_TRACKING", "").lower() in {"off", "0", "no", "false"}:
        return ok("off by XSTILTS_TRACKING")
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{paths.MLRUNS / 'mlflow.db'}"
    scheme, _, place = uri.partition("://")
    mend = "stages go on without it, and `xstilts track sync` fills the gap later"
    if scheme in ("http", "https"):
        if why := _answer(uri):
            return warning(f"{public(uri)} does not answer ({why})", mend)
        return ok(f"{public(uri)} answers")
    if scheme != "sqlite":
        return ok(f"{public(uri)} (not looked at)")
    database = Path(place.removeprefix("/"))
    folder = next(one for one in (database, *database.parents) if one.exists())
    if not os.access(folder, os.W_OK):
        return warning(f"{database} may not be written", f"chmod u+w; {mend}")
    return ok(f"{database}" + ("" if database.exists() else " (made by the first run)"))


def site_cache() -> list[Finding]:
    """DVC unpickles files of this folder: whoever can write there runs code (CVE-2025-69872)."""
    mend = "export DVC_SITE_CACHE_DIR=$PWD/.dvc/site-cache, and chmod 700 it"
    given = os.environ.get("DVC_SITE_CACHE_DIR")
    if not given:
        return warning("DVC_SITE_CACHE_DIR is not set: a folder that users share", mend)
    if not os.path.exists(given):
        return ok("private (made by the first use)")
    facts = os.stat(given)
    if facts.st_uid != os.geteuid() or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return failed(f"others own {given} or may write there (CVE-2025-69872)", mend)
    return ok("private")


def repository() -> list[Finding]:
    """Whether what runs can be named by a commit."""
    git = provenance.git_state()
    if git["commit"] is None:
        mend = "clone the repository with git; in an image set XSTILTS_COMMIT"
        return warning("no commit is known here", mend)
    text = f"commit {git['commit'][:8]}"
    if git["dirty"] is None:
        return ok(f"{text}, by XSTILTS_COMMIT, as there is no repository here")
    if git["dirty"]:
        mend = f"commit changes of {few(list(provenance.CODE[:4]))} before a run that counts"
        return warning(f"{text}; code or study differs from it", mend)
    return ok(f"{text}; code and study as committed")
