"""Empty surroundings for every probe, and how its findings are looked at."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from xstilts.commands.doctor.finding import Finding
from xstilts.core import design

ENVIRONMENT = (
    *("MLFLOW_TRACKING_URI", "XSTILTS_TRACKING", "HF_ENDPOINT", "HF_HUB_OFFLINE"),
    *("DVC_SITE_CACHE_DIR", "XSTILTS_COMMIT", "http_proxy", "HTTP_PROXY"),
)


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, as the working folder, and no settings from outside."""
    monkeypatch.chdir(tmp_path)
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def only() -> Callable[..., Finding]:
    """only(findings, "failed", "a word"): the one finding, with a mend where it needs one."""

    def look(found: list[Finding], state: str, *words: str) -> Finding:
        (one,) = found
        assert one.state == state, one
        assert all(word in f"{one.text} {one.mend}" for word in words), one
        assert bool(one.mend) == (state != "ok")
        return one

    return look


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """study(fetch=...): a study in use, of which only the given parts are there."""

    def use(**given: Any) -> None:
        empty: dict[str, Any] = {"intermediate": {}, "targets": {}, "fetch": {}, "left_out": {}}
        pretrain = SimpleNamespace(training=None, model=None, source="scratch")
        loaded = SimpleNamespace(study="s", **{**empty, "pretrain": pretrain, **given})
        Path("params.yaml").touch()
        monkeypatch.setattr(design, "load", lambda: loaded)

    return use


@pytest.fixture
def closed() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Refusing(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(403)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A web server that answers 403 to everything; its address."""
    with HTTPServer(("127.0.0.1", 0), _Refusing) as running:
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
