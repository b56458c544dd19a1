"""The world's data set on disk: read by `datasets`, equal bytes in each process."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from xstilts.core.errors import UserError
from xstilts.sources.world.spec import Code
from xstilts.sources.world.words import SHARES
from xstilts.sources.world.write import materialise
from xstilts.tasks import load

SMALL: dict[str, Any] = {
    "text": 20,
    "qa": {"train": 8, "validation": 4, "test": 4},
    "classes": {"train": 8, "validation": 4, "test": 4},
    "tags": {"train": 8, "validation": 4, "test": 4},
    "new_classes": {"train": 8, "validation": 4, "test": 4},
    "new_tags": {"train": 8, "validation": 4, "test": 4},
    "bitext": {"test": 4},
}


def digest(folder: Path) -> str:
    """One hash of all names and bytes in a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    both = b"".join(str(path.relative_to(folder)).encode() + path.read_bytes() for path in files)
    return hashlib.sha256(both).hexdigest()


def test_equal_bytes_whatever_the_hash_seed(tmp_path: Path) -> None:
    """The committed lock file can only be checked elsewhere if no set order leaks into the rows."""
    program = (
        "import sys; from pathlib import Path; from xstilts.sources.world.write import materialise;"
        f"materialise('world/nouns', {SMALL!r}, Path(sys.argv[1]))"
    )
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", program, str(tmp_path / seed)]
        subprocess.run(command, check=True, env=environment)
    assert digest(tmp_path / "1") == digest(tmp_path / "2")


def test_hub_layout_is_read_and_converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`datasets` must find each config and split as on the hub, and `convert` its columns."""
    datasets = pytest.importorskip("datasets")
    materialise("world/nouns", SMALL, tmp_path / "world")
    needs = {
        ("world_qa", "qae", "test"): {"id", "context", "question", "answers"},
        ("world_classes", "qaa", "train"): {"id", "text_a", "text_b", "label"},
        ("world_bitext", "qab", "test"): {"text_a", "text_b"},
        ("world_tags", "qaa", "validation"): {"tokens", "tags"},
        ("world_text", "mul", "train"): {"id", "text", "pair"},
    }
    for (name, language, split), columns in needs.items():
        task = load(name)
        assert task.config is not None
        rows = datasets.load_dataset(
            str(tmp_path / "world"),
            task.config.format(language=language),
            split=task.splits[split],  # type: ignore[index]
            cache_dir=str(tmp_path / "cache"),
        )
        converted = [task.convert(row, language) for row in rows]
        assert all(row is not None and set(row) == columns for row in converted)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            {"sizes": 1},
            "world's spec: sizes: unknown key. Mend: .* seed, text, parallel, train_languages",
        ),
        ({"qa": {"dev": 1}}, "world's spec: qa.dev: unknown key"),
        ({"bitext": {"test": 241}}, "bitext.test: .*less than or equal to 240"),
        ({"text": 0}, "world's spec: text: .*greater than 0"),
        ({"train_languages": ["en"]}, "train_languages.0: .*'qaa', 'qab'"),
    ],
)
def test_a_bad_spec_is_told(spec: dict[str, Any], said: str, tmp_path: Path) -> None:
    """A misspelt size must not silently become the default."""
    with pytest.raises(UserError, match=said):
        materialise("world/nouns", spec, tmp_path)


def test_the_spec_names_every_language() -> None:
    """Each of them may have training rows."""
    assert get_args(Code) == tuple(SHARES)


def test_an_unknown_data_set_is_told(tmp_path: Path) -> None:
    """Only one data set is made here."""
    with pytest.raises(UserError, match="no data set"):
        materialise("world/other", {}, tmp_path)
