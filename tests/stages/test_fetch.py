"""`fetch` leaves a whole folder with a manifest, or nothing."""

import hashlib
import json
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xstilts import tasks
from xstilts.core import params as parameters
from xstilts.core.errors import UserError
from xstilts.core.files import sha256_file
from xstilts.core.progress import Observe
from xstilts.stages import fetch

QUIET = Observe(quiet=True)
COMMIT = "b8dd5d7af51114dbda02c0e3f6133f332186418e"
CARD = "---\nlicense: mit\nconfigs:\n- config_name: en\n  data_files: en.parquet\n---\n"


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror with one data set of three rows; the working folder is an empty project."""
    root = tmp_path / "mirror"
    for dataset in ("o/n", "facebook/xnli"):
        folder = root / "datasets" / dataset
        folder.mkdir(parents=True)
        (folder / "README.md").write_text(CARD)
        pq.write_table(pa.table({"a": [1, 2, 3]}), folder / "en.parquet")
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return root


def params(source: str, dataset: str = "o/n", **more: Any) -> Any:
    given = {"revision": COMMIT, "configs": {"en": ["train"]}, **more}
    spec = parameters.Fetch(source=source, dataset=dataset, **given)
    return SimpleNamespace(study="s", fetch={dataset.replace("/", "--"): spec})


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: sha256_file(path) for path in folder.iterdir()}


def test_the_manifest_describes_every_file(mirror: Path) -> None:
    """What `prepare` trusts: each file's hash, size and rows, and what it is a copy of."""
    made: Any = fetch.run(params(f"mirror:{mirror}"), "o--n", QUIET)
    folder = Path("data/fetch/s/o--n")
    manifest = json.loads((folder / "manifest.json").read_text())
    table = mirror / "datasets/o/n/en.parquet"
    assert manifest["files"]["en.parquet"] == {
        "sha256": sha256_file(table),
        "bytes": table.stat().st_size,
        "rows": 3,
    }
    assert set(manifest["files"]) == {"README.md", "en.parquet"}
    assert manifest["files"]["README.md"]["rows"] is None
    described = (manifest["dataset"], manifest["revision"], manifest["licence"])
    assert described == ("o/n", COMMIT, "mit")
    assert json.loads((folder / "record.json").read_text()) == made
    assert made["metrics"]["rows"] == 3


def test_the_licence_is_the_tasks(mirror: Path) -> None:
    """Cards of copies often name no licence or another one: the task's is checked by people."""
    fetch.run(params(f"mirror:{mirror}", "facebook/xnli"), "facebook--xnli", QUIET)
    manifest = json.loads(Path("data/fetch/s/facebook--xnli/manifest.json").read_text())
    assert manifest["licence"] == "cc-by-nc-4.0"


def test_twice_gives_equal_bytes(mirror: Path) -> None:
    """Else dvc.lock would change although nothing did; a stale file must not stay either."""
    folder = Path("data/fetch/s/o--n")
    fetch.run(params(f"mirror:{mirror}"), "o--n", QUIET)
    first = hashes(folder)
    (folder / "stale").write_text("")
    fetch.run(params(f"mirror:{mirror}"), "o--n", QUIET)
    assert hashes(folder) == first


@pytest.mark.parametrize("fault", ["mirror", "dataset", "corrupt", "hash", "network"])
def test_bad_input_is_one_line_and_leaves_what_was_there(
    mirror: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A half-written folder would be taken for a whole one by the next stage."""
    folder = Path("data/fetch/s/o--n")
    fetch.run(params(f"mirror:{mirror}"), "o--n", QUIET)
    before = hashes(folder)
    bad = params(f"mirror:{mirror}")
    if fault == "mirror":
        bad = params(f"mirror:{mirror}/nowhere")
    elif fault == "dataset":
        (mirror / "datasets/o/n").rename(mirror / "datasets/o/gone")
    elif fault == "corrupt":
        (mirror / "datasets/o/n/en.parquet").write_bytes(b"PAR1")
    elif fault == "hash":
        wrong = {one: {"sha256": "0" * 64} for one in ("datasets/o/n/README.md",)}
        (mirror / "manifest.json").write_text(json.dumps(wrong))
    else:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        urls = {"https://example.org/x": hashlib.sha256(b"").hexdigest()}
        bad = params("hub", configs={}, urls=urls)
    with pytest.raises(UserError, match=r"^[^\n]+ Mend: [^\n]+$"):
        fetch.run(bad, "o--n", QUIET)
    assert hashes(folder) == before
    assert [p.name for p in Path("data/fetch/s").iterdir()] == ["o--n"]


def test_a_licensed_data_set_comes_from_the_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files and their hashes, and no commit, as nobody publishes one."""
    own = tmp_path / "own"
    own.mkdir()
    task = tasks.load("ccg")
    names = {name for split in task.members for name in task.inside("en", split)}
    for name in names:
        (own / name).write_text("a b\tX Y\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(str(task.place), str(own))
    more: Any = {"revision": None, "configs": {}, "place": f"${task.place}"}
    key = task.dataset.replace("/", "--")
    fetch.run(params("folder", task.dataset, **more), key, QUIET)
    manifest = json.loads(Path(f"data/fetch/s/{key}/manifest.json").read_text())
    assert {name: one["sha256"] for name, one in manifest["files"].items()} == {
        name: sha256_file(own / name) for name in names
    }
    assert (manifest["revision"], manifest["licence"]) == (None, task.licence)


def test_an_archive_that_leads_out_of_itself_is_refused(mirror: Path) -> None:
    """Before anything is read from it, and nothing of it is kept."""
    path = mirror / "urls/example.org/a.zip"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("../../.bashrc", "x")
    bad = params(f"mirror:{mirror}", configs={}, urls={"https://example.org/a.zip": None})
    with pytest.raises(UserError, match=r"a\.zip is refused: .* leads out of the archive.*Mend: "):
        fetch.run(bad, "o--n", QUIET)
    assert not list(Path("data/fetch/s").iterdir())


def test_a_made_world_has_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows `fetch` must not know which source it was."""
    monkeypatch.chdir(tmp_path)
    small = {
        name: {"train": 8, "validation": 4, "test": 4}
        for name in ("qa", "classes", "tags", "new_classes", "new_tags")
    }
    world = {"text": 16, "bitext": {"test": 4}, **small}
    spec = params("world", "world/nouns", revision=None, configs={}, world=world)
    fetch.run(spec, "world--nouns", QUIET)
    manifest = json.loads(Path("data/fetch/s/world--nouns/manifest.json").read_text())
    assert "README.md" in manifest["files"]
    assert manifest["licence"] == "CC0-1.0"
    assert all(one["rows"] for name, one in manifest["files"].items() if name != "README.md")
