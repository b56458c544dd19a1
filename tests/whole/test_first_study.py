"""The commands of docs/first-study.md, on a cut-down form of its study, one after the other."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import projects
import pytest
import yaml

pytestmark = pytest.mark.slow

TINY = {
    "corpora": [{"task": "xnli", "split": "validation", "languages": ["en", "zh"], "limit": 100}],
    "architecture": {
        **{"vocabulary": 1500, "layers": 1, "hidden": 16},
        **{"heads": 2, "feed_forward": 16, "max_positions": 300},
    },
    "training": {"steps": 2, "max_length": 32},
}


def commands(root: Path) -> list[str]:
    """What a reader types."""
    text = (root / "docs/first-study.md").read_text(encoding="utf-8")
    return re.findall(r"^\$ (.+)$", text, re.M)


def cut_down(study: dict[str, Any]) -> dict[str, Any]:
    """The study as it is, with another encoder, two intermediate tasks, and few rows."""
    study["pretrain"] = {"scratch": TINY}
    study["baseline_seeds"] = [1, 2]
    kept = {  # one size of each
        (one["task"], one.get("method")): one | {"sizes": [40], "seeds": [1, 2]}
        for one in study["intermediate"]
        if one["task"] in ("ocnli", "jaquad")
    }
    study["intermediate"] = list(kept.values())
    for target in study["targets"].values():
        target["languages"] = ["en", "de"] if "train_limit" in target else ["de", "zh"]
        for limit in ("train_limit", "score_limit"):
            if limit in target:
                target[limit] = 16
    del study["targets"]["tydiqa"]["languages"]
    study["targets"]["tatoeba"]["layer"] = 1
    return study


def test_a_reader_gets_to_the_figure(root: Path, study: dict[str, Any], tmp_path: Path) -> None:
    """Every command as it stands there ends well, and what the page names is there then."""
    if not os.environ.get("XSTILTS_MIRROR"):
        pytest.skip("XSTILTS_MIRROR is not set: the study reads real rows")
    install, *typed = commands(root)
    assert install.startswith("make install")
    assert len(typed) == 6
    folder = projects.make(tmp_path / "clone", study)
    whole = yaml.safe_load((root / "studies/real.yaml").read_text(encoding="utf-8"))
    (folder / "studies/real.yaml").write_text(yaml.safe_dump(cut_down(whole)))
    said = {}
    for command in typed:
        if command == "xstilts verify":  # what was published of the cut-down form
            projects.commit(folder, "as published")
        said[command] = projects.run(folder, *command.split())
    assert "Smallest gain" in said["xstilts plan"]
    assert "nothing else has changed" in said["xstilts repro --jobs 2"]
    assert "OCNLI" in said["xstilts scores"] or "ocnli" in said["xstilts scores"]
    assert "real_native_nli_on_xnli" in said["xstilts claims"]
    assert "real: exact" in said["xstilts verify"]
    for name in ("index.html", "figures", "tables/main.tex"):
        assert (folder / "report/real" / name).exists()
    assert list((folder / "report/real/figures").glob("*.svg"))
