"""The layers and rates studies in small: control world, tiny encoder, from file to report."""

import csv
from pathlib import Path
from typing import Any

import projects
import pyarrow.parquet as pq
import pytest
import yaml

from xstilts.commands import use
from xstilts.core import design, paths
from xstilts.core.files import read_json

pytestmark = pytest.mark.slow


def test_layers_and_rates_reach_the_report(
    study: dict[str, Any], tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts that work alone may not fit: each setting is trained, scored, compared and shown."""
    monkeypatch.chdir(tmp_path)
    study["pretrain"]["scratch"]["architecture"]["layers"] = 3
    study["baseline_seeds"] = [1, 2]
    grid = {"task": "world_qa", "languages": ["qaa"], "sizes": [20], "seeds": [1], "rates": [1e-4]}
    study["intermediate"] = [grid]
    usual = {"source_language": "qaa", "protocol": "x-stilts", "training": {"steps": 6}}
    ways = {"variants": {"layers": {"layers": "attention"}}, "rates": [1e-4, 1e-2]}
    study["targets"] |= {"world_classes": usual | ways, "world_tags": usual | ways}
    Path("studies").mkdir()
    Path("studies/small.yaml").write_text(yaml.safe_dump(study))
    Path("references.yaml").write_bytes((root / "references.yaml").read_bytes())
    use.use("small")
    loaded = design.load()
    projects.run_stages(loaded)

    summary = pq.read_table("results/aggregate/small/summary.parquet").to_pylist()
    gains = {row["group"]: row["delta"] for row in summary if row["language"] == "zero-shot"}
    assert {name for name, delta in gains.items() if delta is None} == {"none"}
    assert {"none-layers", "none-lr-1e-04", "none-lr-1e-02"} <= gains.keys()
    assert "world_qa-qaa-20-lr-1e-04" in gains
    trained = {
        run: read_json(paths.transferred("small", run) / "record.json") for run in loaded.transfer
    }
    assert {run for run, record in trained.items() if "layers" in record} == {
        "none-s1-layers",
        "none-s2-layers",
    }
    with Path("report/small/tables/layers.csv").open(encoding="utf-8") as file:
        weights = list(csv.DictReader(file))
    languages = sum(len(loaded.targets[name].languages) for name in ("world_classes", "world_tags"))
    assert len(weights) == 3 * languages
    assert sum(float(row["weight"]) for row in weights) == pytest.approx(languages, abs=1e-3)
    with Path("report/small/tables/rates.csv").open(encoding="utf-8") as file:
        rates = list(csv.DictReader(file))
    own = [row["rate"] for row in rates if (row["target"], row["series"]) == ("world_tags", "none")]
    assert own == ["0.0001", "0.001", "0.01"]
