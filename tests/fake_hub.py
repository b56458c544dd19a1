"""Not a test: a server on loopback with as much of the hub as a download of one commit asks for.

    with Hub({"datasets/o/n": {"README.md": b"..."}}, {"/plain": b"..."}) as hub:
        hub.fault = "429"    # from now on; None: all is well again

HF_ENDPOINT=<hub.address> brings the hub's client here. A client that asks for a range gets one.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from typing import Any

COMMIT = "c0ffee" * 6 + "abcd"
Files = dict[str, bytes]
# What goes wrong, and whether with every answer or only with the bytes of a file.
FAULTS = {
    "404": "every",
    "429": "every",
    "500": "every",
    "stops": "bytes",  # the line is cut in the middle of a body
    "short": "bytes",  # a body that is chunked, so of no told length, is cut
    "other": "bytes",  # as many bytes, but others
}


class Hub:
    """The server; `fault` is what is wrong with it."""

    def __init__(self, repositories: dict[str, Files], plain: Files | None = None) -> None:
        self.repositories, self.plain = repositories, plain or {}
        self.fault: str | None = None
        self.asked: list[str] = []
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Hub:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def content(self, path: str) -> bytes | None:
        """What lies at a path."""
        for name, files in self.repositories.items():
            if path in (f"/api/{name}/revision/{COMMIT}", f"/api/{name}/revision/main"):
                return json.dumps(_listing(name, files)).encode()
            root = f"/{name.removeprefix('models/')}/resolve/{COMMIT}/"
            if path.startswith(root):
                return files.get(path.removeprefix(root))
        return self.plain.get(path)


def _listing(name: str, files: Files) -> dict[str, Any]:
    """A commit's files, as the hub tells of them."""
    siblings = [
        {"rfilename": file, "size": len(content), "lfs": {**_lfs(content), "pointerSize": 1}}
        for file, content in files.items()
    ]
    return {"id": name.split("/", 1)[1], "sha": COMMIT, "siblings": siblings}


def _data(path: str) -> bool:
    """Whether a path is that of a data file, and not of the hub's own facts or a card."""
    return not path.startswith("/api/") and not path.endswith("README.md")


def _lfs(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


class _Handler(http.server.BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        path = self.path.split("?")[0]
        self.hub.asked.append(path)
        content, fault = self.hub.content(path), self.hub.fault
        if FAULTS.get(str(fault)) == "every":
            self.send(int(str(fault)), b"")
        elif content is None:
            self.send(404, b"")
        elif fault is None or self.command == "HEAD" or not _data(path):
            self.send(200, content)
        else:
            self.spoilt(content, str(fault))

    def send(self, code: int, content: bytes) -> None:
        self.start(code, content)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def start(self, code: int, content: bytes) -> None:
        """Head lines that say which commit and which bytes these are."""
        self.send_response(code)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')

    def spoilt(self, content: bytes, fault: str) -> None:
        """A body with a fault; a line that breaks does so at the same byte at every try."""
        if fault == "other":
            self.send(200, content[::-1])
            return
        begin = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        self.start(206 if begin else 200, content)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        half = content[begin : len(content) // 2]
        if fault == "short":
            self.send_header("Transfer-Encoding", "chunked")
            half = f"{len(half):x}\r\n".encode() + half + b"\r\n" if half else b""
        else:
            self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        self.wfile.write(half)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Quiet."""
