"""A mirror brings what was asked for and nothing else; whatever is wrong with it is one line."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from xstilts.core.errors import UserError
from xstilts.core.files import sha256_file
from xstilts.core.progress import Observe
from xstilts.sources import manifest, obtain
from xstilts.sources.obtain import model

CARD = """---
configs:
- config_name: en
  data_files:
  - split: train
    path: en/train.jsonl
  - split: test
    path: en/test.jsonl
---
"""
URL = "https://example.org/a/list.jsonl"
QUIET = Observe(quiet=True)


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A mirror of one data set, one URL and one model, with a manifest."""
    root = tmp_path / "mirror"
    content = {
        "datasets/o/n/README.md": CARD,
        "datasets/o/n/en/train.jsonl": '{"a": 1}\n',
        "datasets/o/n/en/test.jsonl": '{"a": 2}\n',
        "urls/example.org/a/list.jsonl": '{"a": 3}\n',
        "models/o/m/config.json": "{}",
        "models/o/m/tokenizer.json": "{}",
        "models/o/m/model.safetensors": "",
        "models/o/m/pytorch_model.bin": "a pickle",
    }
    for name, text in content.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    listed = {name: {"sha256": sha256_file(root / name)} for name in content}
    (root / "manifest.json").write_text(json.dumps(listed))
    return root


def spec(source: str, **changes: object) -> SimpleNamespace:
    given = {"dataset": "o/n", "revision": None, "configs": {"en": ["train"]}, "urls": {}}
    return SimpleNamespace(**{"source": source, "world": None, **given, **changes})


def brought(target: Path) -> list[str]:
    return sorted(path.relative_to(target).as_posix() for path in target.rglob("*.*"))


def refused(tmp_path: Path, wanted: SimpleNamespace, match: str) -> None:
    with pytest.raises(UserError, match=match) as caught:
        obtain.dataset(wanted, tmp_path / "out", QUIET)
    assert "\n" not in str(caught.value)
    assert "Mend: " in str(caught.value)


def test_only_wanted_files_are_brought(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable is expanded when it runs, so params.yaml fits every machine."""
    monkeypatch.setenv("SOME_MIRROR", str(mirror))
    pinned = {URL: sha256_file(mirror / "urls/example.org/a/list.jsonl")}
    obtain.dataset(spec("mirror:$SOME_MIRROR", urls=pinned), tmp_path / "out", QUIET)
    assert brought(tmp_path / "out") == ["README.md", "en/train.jsonl"], "one of two ways"
    link = spec("mirror:$SOME_MIRROR", urls=pinned, configs={})
    obtain.dataset(link, tmp_path / "link", QUIET)
    assert brought(tmp_path / "link") == ["urls/example.org", "urls/example.org/a/list.jsonl"]


def test_a_url_without_a_pin_comes_from_a_mirror(mirror: Path, tmp_path: Path) -> None:
    """The hub refuses it; here the mirror's manifest vouches for it, and ours records its hash."""
    obtain.dataset(spec(f"mirror:{mirror}", configs={}, urls={URL: None}), tmp_path / "out", QUIET)
    made = manifest.write(tmp_path / "out", "o/n", None, None)
    (one,) = made["files"].values()
    assert one["sha256"] == sha256_file(mirror / "urls/example.org/a/list.jsonl")


def test_a_model_comes_without_its_pickle(mirror: Path, tmp_path: Path) -> None:
    """Nothing that has to be unpickled is ever copied."""
    model(SimpleNamespace(source=f"mirror:{mirror}", model="o/m", revision=None), tmp_path / "m")
    assert brought(tmp_path / "m") == ["config.json", "model.safetensors", "tokenizer.json"]
    (mirror / "models/o/m/model.safetensors").unlink()
    with pytest.raises(UserError, match=r"o/m .* lacks model\.safetensors"):
        model(
            SimpleNamespace(source=f"mirror:{mirror}", model="o/m", revision=None), tmp_path / "x"
        )


def test_a_mirror_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unset variable and a wrong folder are the two usual slips."""
    monkeypatch.delenv("NO_SUCH", raising=False)
    refused(tmp_path, spec("mirror:$NO_SUCH"), "variable NO_SUCH is not set")
    refused(tmp_path, spec("mirror:${NO_SUCH}/x"), "variable NO_SUCH is not set")
    refused(tmp_path, spec(f"mirror:{tmp_path}/none"), "there is no folder")
    refused(tmp_path, spec("mirror:"), "there is no folder")
    refused(tmp_path, spec("hubb"), "unknown source 'hubb'")


def test_parts_that_a_mirror_lacks(mirror: Path, tmp_path: Path) -> None:
    """Data set, config, split, file, URL: the message names which."""
    place = f"mirror:{mirror}"
    refused(tmp_path, spec(place, dataset="o/other"), "no data set o/other")
    refused(tmp_path, spec(place, configs={"fr": ["train"]}), "no config 'fr'")
    refused(tmp_path, spec(place, configs={"en": ["dev"]}), "no split 'dev'")
    (mirror / "datasets/o/n/en/train.jsonl").unlink()
    refused(tmp_path, spec(place), r"lacks en/train\.jsonl")
    elsewhere = {"https://example.org/b": "0" * 64}
    refused(tmp_path, spec(place, configs={}, urls=elsewhere), r"lacks urls/example\.org/b")


def test_other_bytes_than_pinned_or_listed(mirror: Path, tmp_path: Path) -> None:
    """A changed file is caught by the task's pin, by the mirror's manifest, and if unlisted."""
    place = f"mirror:{mirror}"
    wrong = {URL: "0" * 64}
    refused(tmp_path, spec(place, configs={}, urls=wrong), r"list\.jsonl: sha256 .* task's pin")
    (mirror / "datasets/o/n/en/train.jsonl").write_text('{"a": 9}\n')
    refused(tmp_path, spec(place), r"train\.jsonl: sha256 .* differs from the mirror's manifest")
    (mirror / "manifest.json").write_text("{}")
    refused(tmp_path, spec(place), r"is not listed in the mirror's manifest\.json")
    (mirror / "manifest.json").unlink()
    obtain.dataset(spec(place), tmp_path / "unchecked", QUIET)
    assert (tmp_path / "unchecked/en/train.jsonl").read_text() == '{"a": 9}\n'
