"""The control world's own control: without parallel text nothing but shared words carries over."""

from __future__ import annotations

import statistics
from pathlib import Path

import projects
import pytest
import yaml
from projects import ROOT

from xstilts.core.files import read_parquet

pytestmark = pytest.mark.slow


def test_without_parallel_text_nothing_but_shared_words_is_transferred(tmp_path: Path) -> None:
    """qae shares no word, so it stays at chance; the others reach what their shared words give."""
    study = yaml.safe_load((ROOT / "studies/demo-unaligned.yaml").read_text(encoding="utf-8"))
    folder = projects.make(tmp_path / "project", study | {"study": "small"})
    projects.run(folder, "xstilts", "repro", "--jobs", "2")
    place = folder / "results/aggregate/small/scores.parquet"
    rows = [row for row in read_parquet(place).to_pylist() if row["main"]]
    for size in (0, 1200):
        for language in ("qaa", "qab", "qac", "qad", "qae"):
            own = [row for row in rows if (row["size"], row["language"]) == (size, language)]
            found, counted = (
                statistics.fmean(row[name] for row in own) for name in ("value", "expected")
            )
            assert abs(found - counted) <= 8, (size, language, found, counted)
            if size and language == "qae":
                assert counted == 25
