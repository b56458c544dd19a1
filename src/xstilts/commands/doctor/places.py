"""Places that a study needs: data source, DVC remote, MLflow store, git."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from xstilts.commands.doctor.finding import Finding, failed, few, ok, public, warning
from xstilts.commands.doctor.packages import installed
from xstilts.commands.obstacles import obstacles
from xstilts.core import design, paths
from xstilts.records import provenance

SECONDS = 3  # for one place to answer
HUB = "https://huggingface.co"
PORTS = {"ssh": 22, "sftp": 22, "http": 80, "https": 443, "s3": 443}
S3 = "https://s3.amazonaws.com"
TRUE = ("1", "on", "yes", "true")
LEFT_OUT = "left out of the study"


def source() -> list[Finding]:
    """Where raw data comes from, and all that is known to stand in the study's way."""
    if not paths.PARAMS.exists():
        return [warning("source", "no study is in use", "`xstilts study use NAME`")]
    loaded = design.load()
    users: dict[tuple[str, str], list[str]] = {}  # (why, mend) -> what it stands in the way of
    for one in obstacles(loaded):
        users.setdefault((one.why, one.mend), []).append(one.what)
    found = []
    for (why, mend), names in users.items():
        make = warning if why.startswith(LEFT_OUT) else failed
        found.append(make("source", f"{few(names)}: {why}", mend))
    kinds = {spec.source for spec in loaded.fetch.values()}
    if loaded.pretrain.model:
        kinds.add(loaded.pretrain.source)
    if "hub" in kinds:
        found.append(_hub())
    local = sorted(kinds - {"hub"})
    if local and not any(one.state == "failed" for one in found):
        found.append(ok("source", ", ".join(local)))
    return found


def _hub() -> Finding:
    """One request without a body; any answer of a server will do."""
    url = os.environ.get("HF_ENDPOINT") or HUB
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in TRUE:
        mend = "unset it, unless all data sets are fetched already"
        return warning("source", "HF_HUB_OFFLINE forbids to ask the hub", mend)
    why = _answer(url)
    if why is None:
        return ok("source", f"{public(url)} answers")
    mend = "see the network and HTTPS_PROXY, or use data.source: mirror:<dir>"
    return failed("source", f"{public(url)} does not answer ({why})", mend)


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
    program = shutil.which("dvc", path=str(Path(sys.executable).parent)) or shutil.which("dvc")
    if program is None:
        return [failed("DVC remote", "dvc is not installed", "`make install`")]
    command = [program, "config", "--list"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        return [failed("DVC remote", f"`dvc config` fails: {lines[-1][:200]}", "`dvc init`")]
    config = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    name = config.get("core.remote")
    if not name:
        mend = "dvc remote add -d NAME URL, to share outputs with `dvc push` and `dvc pull`"
        return [warning("DVC remote", "none: outputs stay on this machine", mend)]
    url = config.get(f"remote.{name}.url", "")
    if not urlsplit(url).scheme:
        return [_folder(name, url)]
    why = _remote_fault(url, config.get(f"remote.{name}.endpointurl"), config, name)
    if why is None:
        return [ok("DVC remote", f"{name}: {public(url)}")]
    mend = f"see `dvc remote list` and `dvc remote modify {name}`"
    return [failed("DVC remote", f"{name}: {public(url)}: {why}", mend)]


def _folder(name: str, url: str) -> Finding:
    """A remote that is a folder; DVC reads a relative one as relative to .dvc."""
    place = Path(".dvc") / Path(url).expanduser()
    if not place.is_dir():
        mend = "the first `dvc push` makes it; a disk that should be there may not be mounted"
        return warning("DVC remote", f"{name}: there is no folder {url}", mend)
    if not os.access(place, os.R_OK | os.X_OK):
        return failed("DVC remote", f"{name}: {url} may not be read", f"chmod u+rx {url}")
    return ok("DVC remote", f"{name}: {url}")


def _remote_fault(url: str, endpoint: str | None, config: dict[str, str], name: str) -> str | None:
    """Why a remote cannot be reached; None where it can, or its kind is not known here."""
    parts = urlsplit(url)
    if parts.scheme == "s3":
        return _answer(endpoint or S3)
    if parts.scheme in ("http", "https"):
        return _answer(url)
    if parts.scheme not in PORTS or not parts.hostname:
        return None
    port = parts.port or config.get(f"remote.{name}.port")
    return _connect(parts.hostname, int(port or PORTS[parts.scheme]))


def store() -> list[Finding]:
    """The MLflow store. A study runs without it, so nothing here is worse than a warning."""
    if os.environ.get("XSTILTS_TRACKING", "").lower() in {"off", "0", "no", "false"}:
        return [ok("MLflow", "off by XSTILTS_TRACKING")]
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{paths.MLRUNS / 'mlflow.db'}"
    scheme, _, place = uri.partition("://")
    mend = "stages go on without it, and `xstilts track sync` fills the gap later"
    if scheme in ("http", "https"):
        why = _answer(uri)
        if why is None:
            return [ok("MLflow", f"{public(uri)} answers")]
        return [warning("MLflow", f"{public(uri)} does not answer ({why})", mend)]
    if scheme != "sqlite":
        return [ok("MLflow", f"{public(uri)} (not looked at)")]
    database = Path(place.removeprefix("/"))
    folder = next(one for one in (database, *database.parents) if one.exists())
    if not os.access(folder, os.W_OK):
        return [warning("MLflow", f"{database} may not be written", f"chmod u+w; {mend}")]
    return [ok("MLflow", f"{database}" + ("" if database.exists() else " (made by the first run)"))]


def site_cache() -> list[Finding]:
    """DVC unpickles files of this folder: whoever can write there runs code (CVE-2025-69872)."""
    name, mend = "DVC site cache", "export DVC_SITE_CACHE_DIR=$PWD/.dvc/site-cache"
    given = os.environ.get("DVC_SITE_CACHE_DIR")
    if not given:
        return [warning(name, "DVC_SITE_CACHE_DIR is not set: a folder that users share", mend)]
    place = Path(given)
    if not place.exists():
        return [ok(name, "private (made by the first use)")]
    facts = place.stat()
    if facts.st_uid != os.geteuid():
        return [failed(name, "belongs to another user (CVE-2025-69872)", mend)]
    if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return [failed(name, "others may write there (CVE-2025-69872)", f"chmod 700; {mend}")]
    return [ok(name, "private")]


def repository() -> list[Finding]:
    """Whether what runs can be named by a commit, and DVC's version."""
    version = installed("dvc")
    git = provenance.git_state()
    if git["commit"] is None:
        mend = "clone the repository with git; in an image set XSTILTS_COMMIT"
        return [warning("git", f"no commit is known here; dvc {version}", mend)]
    text = f"commit {git['commit'][:8]}; dvc {version}"
    if git["dirty"] is None:
        return [ok("git", f"{text}; by XSTILTS_COMMIT, as there is no repository here")]
    if git["dirty"]:
        mend = f"commit changes of {few(list(provenance.CODE[:4]))} before a run that counts"
        return [warning("git", f"{text}; code or study differs from it", mend)]
    return [ok("git", f"{text}; code and study as committed")]
