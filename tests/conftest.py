"""What many tests share: a small study of the control world, its project folder, a tokenizer."""

import copy
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import settings

# How long an example takes says more of the machine than of the code.
settings.register_profile("xstilts", deadline=None)
settings.load_profile("xstilts")

ROOT = Path(__file__).parents[1]
Cli = Callable[..., subprocess.CompletedProcess[str]]
WORLD = {
    "seed": 1,
    "text": 60,
    "qa": {"train": 60, "validation": 5, "test": 5},
    "classes": {"train": 40, "validation": 5, "test": 10},
    "tags": {"train": 10, "validation": 5, "test": 5},
    "new_classes": {"train": 10, "validation": 5, "test": 5},
    "new_tags": {"train": 10, "validation": 5, "test": 5},
    "bitext": {"test": 5},
}
SCRATCH = {
    "corpora": [{"task": "world_text", "languages": ["mul"], "split": "train"}],
    "architecture": {
        **{"vocabulary": 300, "layers": 1, "hidden": 16},
        **{"heads": 2, "feed_forward": 16, "max_positions": 64},
    },
    "training": {"steps": 2, "max_length": 32},
}


def small_study() -> dict[str, Any]:
    """A study file's content: one grid, two targets; small enough to be run."""
    return {
        "study": "small",
        "title": "A small study",
        "description": "For tests",
        "data": {"source": "world", "world": copy.deepcopy(WORLD)},
        "pretrain": {"scratch": copy.deepcopy(SCRATCH)},
        "training": {"batch": 8, "epochs": 1, "learning_rate": 1.0e-3, "max_length": 64},
        "baseline_seeds": [1],
        "intermediate": [
            {"task": "world_qa", "languages": ["qaa"], "sizes": [10, 40], "seeds": [1]}
        ],
        "targets": {
            "world_classes": {"source_language": "qaa", "protocol": "x-stilts"},
            "world_bitext": {"source_language": "qaa", "protocol": "x-stilts", "layer": 1},
        },
    }


def hub_study(source: str = "hub") -> dict[str, Any]:
    """A study file's content with published data sets."""
    return small_study() | {
        "data": {"source": source},
        "pretrain": {"hub": {"model": "org/name", "revision": "0" * 40}},
        "intermediate": [{"task": "mnli", "languages": ["en"], "sizes": [10], "seeds": [1]}],
        "targets": {"xnli": {"source_language": "en", "protocol": "xtreme"}},
    }


def write_study(study: dict[str, Any], folder: Path = Path()) -> None:
    """Write studies/<name>.yaml."""
    path = folder / "studies" / f"{study['study']}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(study, sort_keys=False, allow_unicode=True), encoding="utf-8")


def pytest_configure() -> None:
    """Tests compare with the CPU's numbers; `CUDA_VISIBLE_DEVICES=0 pytest ...` asks for a GPU.

    As many files are tested at a time as there are cores: threads of one would wait for another's.
    """
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # before numpy
        os.environ.setdefault(name, "1")


@pytest.fixture(autouse=True)
def _no_worker() -> Iterator[None]:
    """A program that a test starts is no worker of a training that was in this process before."""
    yield
    os.environ.pop("LOCAL_RANK", None)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture
def study() -> dict[str, Any]:
    """A fresh small study, free to be changed."""
    return small_study()


@pytest.fixture(scope="session")
def new_study() -> Callable[[], dict[str, Any]]:
    """new_study(): as `study`, for tests that need many."""
    return small_study


@pytest.fixture(scope="session")
def on_hub() -> Callable[..., dict[str, Any]]:
    """on_hub(source): a fresh study of published data sets."""
    return hub_study


@pytest.fixture
def licensed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's own folder with the licensed data sets, invented, where their tasks look for it."""
    folder = tmp_path / "licensed"
    folder.mkdir()
    for name in ("ccg.train", "ccg.dev"):
        (folder / name).write_text("Nobody sleeps .\tNP S\\NP .\n", encoding="utf-8")
    monkeypatch.setenv("XSTILTS_CCG", str(folder))
    return folder


@pytest.fixture
def save() -> Callable[..., None]:
    """save(study, folder): write studies/<name>.yaml."""
    return write_study


def _project(folder: Path) -> Path:
    """A project folder with dvc.yaml and the small study, compiled."""
    from xstilts.commands import use

    shutil.copy(ROOT / "dvc.yaml", folder)
    write_study(small_study(), folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        use.use("small")
    return folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with nothing run in it, as the working folder."""
    monkeypatch.chdir(_project(tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def _fetched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder after fetch and prepare."""
    import projects

    from xstilts.core import design

    folder = _project(tmp_path_factory.mktemp("prepared"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        projects.run_stages(design.load(), ("fetch", "prepare"))
    return folder


@pytest.fixture
def prepared(_fetched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a project folder after fetch and prepare, as the working folder."""
    folder = tmp_path / "project"
    shutil.copytree(_fetched, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def no_pins(monkeypatch: pytest.MonkeyPatch) -> None:
    """BUCC, Cosmos QA, WikiANN and XCOPA as if nobody had found their pins."""
    import unpinned

    unpinned.forget(lambda place, name, value: monkeypatch.setattr(place, name, value, False))


@pytest.fixture
def cli() -> Cli:
    """cli("plan", NAME="value"): the real command line in the working folder, untracked."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        unset = ("XSTILTS_MIRROR", "XSTILTS_PROCESSES", "HF_HUB_OFFLINE")
        inherited = {name: value for name, value in os.environ.items() if name not in unset}
        return subprocess.run(
            [sys.executable, "-m", "xstilts", *arguments],
            env={**inherited, "XSTILTS_TRACKING": "off", "OMP_NUM_THREADS": "1", **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def refused(cli: Cli) -> Callable[..., str]:
    """refused(spoil, "verb key", "part of the message", NAME="value"): see that it is.

    Exit code 2; one line on stderr, with what to do; not a file more, less or changed. Progress
    may come first where `progress` is true. Returns the message.
    """

    def check(
        spoil: Callable[[], object], command: str, says: str, progress: bool = False, **names: str
    ) -> str:
        spoil()
        before = _listing()
        done = cli(*command.split(), **names)
        assert done.returncode == 2, done.stderr
        lines = done.stderr.splitlines()
        assert len(lines) == 1 or progress, done.stderr
        assert lines[-1].startswith("xstilts: ")
        assert " Mend: " in lines[-1]
        assert says in lines[-1]
        assert "Traceback" not in done.stderr
        assert _listing() == before
        return lines[-1]

    return check


def _listing() -> dict[str, bytes]:
    """Every file of the project with its content, and hidden folders, where drafts are made.

    But for features, which may be kept for the next run by one that fails later.
    """
    kept = Path(".state/features")
    return {
        str(path): path.read_bytes() if path.is_file() else b""
        for path in Path().rglob("*")
        if (path.is_file() or path.name.startswith("."))
        and path != kept.parent
        and kept not in path.parents
    }


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small tokenizer of invented words in several scripts."""
    from xstilts.model.tokenizer import load
    from xstilts.model.unigram import train_unigram

    rng = random.Random(0)
    letters = ["ptkmnaeiou", "бвгдаеиоу", "אבגדהוזח", "कखगघचछजझ", "東京日本語中文"]
    words = ["".join(rng.choices(script, k=5)) for script in letters for _ in range(60)]
    lines = [" ".join(rng.choices(words, k=8)) + f" {rng.randrange(99)}, no." for _ in range(400)]
    folder = tmp_path_factory.mktemp("tokenizer")
    train_unigram(lines, 250, folder)
    return load(folder)
