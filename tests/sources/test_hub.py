"""The hub's client against a small server of our own: no network is needed or used.

The client reads its endpoint when it is imported, so what uses it runs in a process of its own.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_hub import COMMIT, Hub

from xstilts.core import params as parameters
from xstilts.core.errors import UserError
from xstilts.core.progress import Observe
from xstilts.sources import hub, obtain

QUIET = Observe(quiet=True)
CARD = b"""---
configs:
- config_name: en
  data_files:
  - split: train
    path: en/train.jsonl
---
"""
DATASET = {"README.md": CARD, "en/train.jsonl": b'{"a": 1}\n', "de/train.jsonl": b'{"a": 2}\n'}
# a converted branch: no card, the file names tell
CONVERTED = {"default/train/0000.parquet": b"x", "default/test/0000.parquet": b"y"}
MODEL = {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": b"w", "m.bin": b"p"}
REPOSITORIES = {"datasets/o/n": DATASET, "datasets/o/c": CONVERTED, "models/o/m": MODEL}
RUN = """
import sys, json
from pathlib import Path
from typing import Any
from types import SimpleNamespace
from xstilts.sources import obtain
from xstilts.core.errors import UserError
from xstilts.core.progress import Observe
spec = SimpleNamespace(**json.loads(sys.argv[1]))
try:
    print(getattr(obtain, sys.argv[2])(spec, Path(sys.argv[3]), Observe(quiet=True)))
except UserError as error:
    print(error)
    sys.exit(2)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with Hub(REPOSITORIES, {"/plain.jsonl": DATASET["en/train.jsonl"]}) as hub:
        yield hub.address


def run(
    what: str, target: Path, endpoint: str, offline: str = "0", **spec: object
) -> tuple[int, str, list[str]]:
    """Exit code, what was printed, and the files brought."""
    given = {"source": "hub", "revision": COMMIT, "configs": {}, "urls": {}, "world": None, **spec}
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(given), what, str(target)],
        env={**os.environ, "HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": offline},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    names = [p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()]
    return done.returncode, done.stdout.strip() or done.stderr, sorted(names)


def test_only_the_wanted_configs_files_are_downloaded(server: str, tmp_path: Path) -> None:
    """A study in one language must not download fifteen; the client's own notes go, too."""
    target = tmp_path / "out"
    code, said, names = run("dataset", target, server, dataset="o/n", configs={"en": ["train"]})
    assert (code, names) == (0, ["README.md", "en/train.jsonl"]), said


def test_a_data_set_without_a_card(server: str, tmp_path: Path) -> None:
    """Older data sets have no card with configs: the files' folders say what they are."""
    wanted: dict[str, Any] = {"configs": {"default": ["train"]}, "dataset": "o/c"}
    code, said, names = run("dataset", tmp_path / "out", server, **wanted)
    assert (code, said, names) == (0, COMMIT, ["default/train/0000.parquet"])


@pytest.mark.parametrize("revision", [None, "main"])
def test_a_floating_revision_is_refused(server: str, tmp_path: Path, revision: str | None) -> None:
    """What a branch holds today is not what it held when a study was run."""
    wanted: dict[str, Any] = {
        "configs": {"default": ["train"]},
        "dataset": "o/c",
        "revision": revision,
    }
    code, said, names = run("dataset", tmp_path / "out", server, **wanted)
    assert (code, names) == (2, [])
    assert "not pinned" in said
    assert "Mend:" in said


def test_what_is_not_pinned_says_how_to_pin_it(tmp_path: Path) -> None:
    """Refused before a byte is asked for; the line holds the command that records the pin."""
    wanted = {"et": ["test"]}
    spec = parameters.Fetch(
        source="hub", dataset="cambridgeltl/xcopa", revision=None, configs=wanted
    )
    with pytest.raises(UserError, match=r"not pinned to a commit .*Mend: `xstilts pin xcopa`"):
        obtain.dataset(spec, tmp_path, QUIET)
    urls: dict[str, str | None] = {"https://example.org/a": "0" * 64, "https://example.org/b": None}
    spec = parameters.Fetch(source="hub", dataset="bucc/bucc2018", revision=None, urls=urls)
    with pytest.raises(
        UserError, match=r"/b is not pinned by its sha256.*Mend: `xstilts pin bucc`"
    ):
        obtain.dataset(spec, tmp_path, QUIET)
    assert not list(tmp_path.iterdir())


def test_a_model_comes_without_pickles(server: str, tmp_path: Path) -> None:
    """`*.bin` of a published model is a pickle: it is not even downloaded."""
    code, said, names = run("model", tmp_path / "m", server, model="o/m")
    assert (code, names) == (0, ["config.json", "model.safetensors", "tokenizer.json"]), said


@pytest.mark.parametrize(
    ("endpoint", "offline"), [("http://127.0.0.1:9", "0"), ("https://huggingface.co", "1")]
)
def test_no_network_is_one_clear_line_at_once(tmp_path: Path, endpoint: str, offline: str) -> None:
    """On a cluster's node without a network a person must not wait for time-outs."""
    begun = time.monotonic()
    code, said, names = run(
        "dataset", tmp_path / "out", endpoint, offline, dataset="o/n", configs={"en": ["train"]}
    )
    assert (code, names) == (2, [])
    assert said.startswith("the hub's data set o/n could not be read")
    assert said.endswith("or use data.source: mirror:<dir>")
    assert "\n" not in said
    assert time.monotonic() - begun < 15


def test_what_the_hub_lacks_is_named(server: str, tmp_path: Path) -> None:
    """A data set that is gone, and a config that never was."""
    code, said, _ = run("dataset", tmp_path / "a", server, dataset="o/x", configs={"en": ["train"]})
    assert (code, said.count("\n")) == (2, 0)
    assert "the hub's data set o/x could not be read" in said
    code, said, _ = run("dataset", tmp_path / "b", server, dataset="o/n", configs={"fr": ["train"]})
    assert code == 2
    assert "no config 'fr'" in said


def test_a_url_is_downloaded_and_its_bytes_are_checked(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right bytes come; other bytes, nothing there, offline and odd schemes are each one line."""
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    url, path = f"{server}/plain.jsonl", tmp_path / "deep/file.jsonl"
    pinned = hashlib.sha256(DATASET["en/train.jsonl"]).hexdigest()
    hub.download(url, pinned, path)
    assert path.read_bytes() == DATASET["en/train.jsonl"]
    with pytest.raises(UserError, match=r"plain\.jsonl: sha256 .* differs .*Mend"):
        hub.download(url, "0" * 64, path)
    for bad in (f"{server}/gone", "http://127.0.0.1:9/x", "file:///etc/hostname"):
        with pytest.raises(UserError, match=r"could not be read.*Mend"):
            hub.download(bad, pinned, path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match="offline mode"):
        hub.download(url, pinned, path)
