"""`xstilts pin` against a small hub of our own on loopback: no network is needed or used.

The client reads its endpoint when it is imported, so the command runs in a process of its own.
"""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from xstilts.commands import use
from xstilts.commands.pin import Job, jobs_of, missing, text
from xstilts.core import design, paths
from xstilts.core.errors import UserError
from xstilts.study import pins

MAIN, CONVERTED, MODEL, OFFERED = "a" * 40, "b" * 40, "c" * 40, "f" * 40
HUB = {
    "/api/datasets/unimelb-nlp/wikiann": (MAIN, ["README.md", "en/train-00000.parquet"]),
    "/api/datasets/allenai/cosmos_qa": (MAIN, ["README.md", "cosmos_qa.py"]),
    "/api/datasets/allenai/cosmos_qa/revision/refs%2Fconvert%2Fparquet": (
        *(CONVERTED, ["default/train/0000.parquet"]),
    ),
    "/api/datasets/cambridgeltl/xcopa": (MAIN, ["README.md", "xcopa.py"]),  # not converted
    "/api/models/microsoft/infoxlm-base": (MODEL, ["config.json", "model.safetensors"]),
    "/api/models/org/pickle": (MODEL, ["config.json", "pytorch_model.bin"]),
    "/api/models/org/offered": (MODEL, ["config.json", "pytorch_model.bin"]),
    "/api/models/org/offered/revision/refs%2Fpr%2F3": (OFFERED, ["model.safetensors"]),
    "/api/models/org/offered/revision/refs%2Fpr%2F4": (OFFERED, ["tf_model.h5"]),
    "/api/models/org/offered/revision/refs%2Fpr%2F9": ("e" * 40, ["model.safetensors"]),
    "/api/models/org/short": ("c0ffee", ["model.safetensors"]),
}
PULLS = {  # number and author
    "/api/models/org/pickle/discussions": {2: "somebody"},
    "/api/models/org/offered/discussions": {3: "SFconvertbot", 4: "SFconvertbot", 9: "somebody"},
}
FILE = b"some rows\n"


class Server(http.server.BaseHTTPRequestHandler):
    """As much of the hub as the question for a commit needs, and one plain file."""

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        content = FILE if path in ("/file.tsv", "/short.tsv") else None
        if path in PULLS:
            content = json.dumps(pulls(PULLS[path])).encode()
        if path in HUB:
            sha, names = HUB[path]
            siblings = [{"rfilename": name} for name in names]
            content = json.dumps({"id": "o/n", "sha": sha, "siblings": siblings}).encode()
        self.send_response(404 if content is None else 200)
        if content is None:
            self.send_header("X-Error-Code", "RepoNotFound")
        longer = 5 if path == "/short.tsv" else 0
        self.send_header("Content-Length", str(len(content or b"") + longer))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_: object) -> None:
        """Quiet."""


def pulls(authors: dict[int, str]) -> dict[str, Any]:
    """A model's pull requests, as the hub tells of them."""
    same = {
        **{"title": "Adding `safetensors` variant of this model", "status": "open"},
        **{"createdAt": "2024-01-01T00:00:00.000Z", "isPullRequest": True},
        "repo": {"name": "org/offered", "type": "model"},
    }
    found = [{"num": number, "author": {"name": name}, **same} for number, name in authors.items()]
    return {"discussions": found, "count": len(found), "start": 0}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()


@pytest.fixture
def pin(server: str, root: Path) -> Callable[..., Any]:
    """pin("wikiann"): the command against our hub; exit code and what it said."""
    start = [sys.executable, "-c", "import unpinned; unpinned.run()", "pin"]

    def run(*names: str, **environment: str) -> tuple[int, str]:
        own = {"HF_ENDPOINT": server, "PYTHONPATH": str(root / "tests"), **environment}
        inherited = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
        done = subprocess.run(
            [*start, *names],
            env={**inherited, "XSTILTS_TRACKING": "off", **own},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr
        assert len(done.stderr.splitlines()) <= 1, done.stderr
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture
def unpinned(
    no_pins: None,
    on_hub: Callable[..., dict[str, Any]],
    save: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A study in use with a data set, a converted data set and a model that nobody pinned."""
    monkeypatch.chdir(tmp_path)
    study = on_hub() | {"pretrain": {"encoder": "infoxlm-base"}}
    study["intermediate"][0]["task"] = "cosmos_qa"
    study["targets"]["wikiann"] = {"source_language": "en", "protocol": "xtreme"}
    save(study)
    use.use("small")
    return tmp_path


def test_all_that_the_study_lacks_is_pinned_and_the_study_compiles_with_it(
    unpinned: Path, pin: Callable[..., Any], server: str
) -> None:
    """A script-only data set is pinned to its converted branch: nothing downloaded is ever run."""
    code, said = pin()
    assert code == 0, said
    assert "Next: `xstilts study use small`" in said
    found = pins.load()
    assert {name: one.revision for name, one in found.datasets.items()} == {
        **{"allenai/cosmos_qa": CONVERTED, "unimelb-nlp/wikiann": MAIN}
    }
    assert found.datasets["allenai/cosmos_qa"].found == f"refs/convert/parquet of {server}"
    assert found.model("microsoft/infoxlm-base") == MODEL
    use.use("small")
    assert missing(design.load()) == []
    assert design.load().fetch["unimelb-nlp--wikiann"].revision == MAIN
    before = paths.PINS.read_bytes()
    assert pin()[0] == 0
    assert paths.PINS.read_bytes() == before, "nothing in it depends on the day"
    value = yaml.safe_load(before)
    assert list(value["datasets"]) == sorted(value["datasets"])


def test_a_pin_is_replaced_only_where_it_is_named(unpinned: Path, pin: Callable[..., Any]) -> None:
    """The study was run with it."""
    old = {"revision": "d" * 40, "found": "by hand"}
    paths.PINS.write_text(yaml.safe_dump({"datasets": {"unimelb-nlp/wikiann": old}}))
    assert pin()[0] == 0
    assert pins.load().dataset("unimelb-nlp/wikiann") == "d" * 40
    assert pin("wikiann")[0] == 0
    assert pins.load().dataset("unimelb-nlp/wikiann") == MAIN


def test_a_url_is_read_once_and_its_hash_kept(
    unpinned: Path, pin: Callable[..., Any], server: str
) -> None:
    """Length and sha256; what broke off is no pin."""
    assert pin(f"{server}/file.tsv")[0] == 0
    found = pins.load().urls[f"{server}/file.tsv"]
    assert (found.sha256, found.bytes) == (hashlib.sha256(FILE).hexdigest(), len(FILE))
    before = paths.PINS.read_bytes()
    for name, says in (("short.tsv", "broke off after 10 of 15"), ("none.tsv", "404")):
        code, said = pin(f"{server}/{name}")
        assert (code, says in said) == (2, True), said
    assert paths.PINS.read_bytes() == before


def test_of_a_pickled_model_the_hubs_own_conversion_is_pinned(
    unpinned: Path, pin: Callable[..., Any], server: str
) -> None:
    """The newest one that has safetensors; anybody else's pull request may hold any weights."""
    assert pin("org/offered")[0] == 0
    found = pins.load().models["org/offered"]
    assert found.revision == OFFERED
    assert found.found == f"refs/pr/3 by SFconvertbot of {server}"


def test_what_can_be_pinned_is_kept_where_something_else_fails(
    unpinned: Path, pin: Callable[..., Any]
) -> None:
    """One missing repository must not lose a long row of answers."""
    code, said = pin("xcopa", "wikiann")
    assert code == 2
    assert "cambridgeltl/xcopa, a script on main, on refs/convert/parquet is not there" in said
    assert said.splitlines()[-1].startswith("xstilts: ")
    assert " Mend: " in said
    assert list(pins.load().datasets) == ["unimelb-nlp/wikiann"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("org/none", "the hub's model org/none is not there, or is private"),
        (
            "org/pickle",
            "no safetensors on main, nor in a pull request of SFconvertbot",
        ),
        ("org/short", "the hub gave 'c0ffee' and no commit"),
        ("nonsense", "there is no task, data set, encoder or model 'nonsense'"),
        ("mnli", "mnli has nothing to pin: its commit or sha256 stands in its task"),
        ("world_qa", "world_qa has nothing to pin"),
        ("ccg", "ccg has nothing to pin"),
        ("xlmr-large", "FacebookAI/xlm-roberta-large is pinned already, to c23d21b0"),
    ],
)
def test_what_can_not_be_pinned_is_told_in_one_line(
    name: str, says: str, unpinned: Path, pin: Callable[..., Any]
) -> None:
    """And no file is left behind."""
    code, said = pin(name)
    assert code == 2
    assert says in said
    assert "Mend: " in said
    assert not paths.PINS.exists()


def test_offline_is_told_in_one_line(unpinned: Path, pin: Callable[..., Any], server: str) -> None:
    """The hub's client and plain URLs alike."""
    for name in ("wikiann", f"{server}/file.tsv"):
        code, said = pin(name, HF_HUB_OFFLINE="1")
        assert code == 2
        assert "offline" in said.lower()
        assert "HF_HUB_OFFLINE" in said.split("Mend: ")[1]


def test_a_name_stands_for_all_that_its_task_reads(no_pins: None) -> None:
    """ANLI+ for its three; BUCC for eight archives; a data set for each of its tasks."""
    assert {job.section for job in jobs_of("bucc")} == {"urls"}
    assert len(jobs_of("bucc")) == 8
    assert jobs_of("unimelb-nlp/wikiann") == [Job("datasets", "unimelb-nlp/wikiann")]
    assert jobs_of("infoxlm-base") == [Job("models", "microsoft/infoxlm-base")]
    with pytest.raises(UserError, match="nothing to pin"):
        jobs_of("anli_plus")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("datasets: {o/n: {revision: main, found: x}}", "datasets.o/n.revision"),
        ("urls: {u: {sha256: abc, bytes: 1, found: x}}", "urls.u.sha256"),
        ("dataset: {}", "dataset: unknown key"),
    ],
)
def test_a_pin_that_is_none_is_refused(
    content: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file mended by hand is read as strictly as any other."""
    monkeypatch.chdir(tmp_path)
    paths.PINS.write_text(content)
    with pytest.raises(UserError) as caught:
        pins.load()
    assert says in str(caught.value)


def test_the_committed_pins_are_as_the_command_writes_them(root: Path) -> None:
    """Otherwise the next `xstilts pin` would change lines that nobody asked it to."""
    found = (root / "pins.yaml").read_text(encoding="utf-8")
    assert found == text(pins.Pins.model_validate(yaml.safe_load(found)))
