"""A small study of generation through all stages: a tiny mT5 from its text to its scores."""

from pathlib import Path
from typing import Any

import projects
import pyarrow.parquet as pq
import pytest
import yaml

from xstilts.commands import use
from xstilts.core import design, files
from xstilts.metrics.generation import RIGHT


@pytest.fixture
def small(study: dict[str, Any]) -> dict[str, Any]:
    """Two steps of all: full, by adapters, by soft prompts, of two languages, after phase ii."""
    study["data"]["world"] |= {
        "facts_text": 60,
        "facts": {"train": 8, "validation": 4, "test": 4},
        "train_languages": ["qaa", "qac"],
    }
    scratch = study["pretrain"]["scratch"]
    scratch["corpora"] = [{"task": "world_facts_text", "languages": ["mul"], "split": "train"}]
    scratch["architecture"]["family"] = "mt5"
    study["training"] |= {"output": {"length": 6, "beams": 2}, "select": "best"}
    grid = {"task": "world_facts", "languages": ["qaa"], "sizes": [8], "seeds": [1]}
    study["intermediate"] = [grid]
    study["targets"] = {
        "world_facts": {
            "source_language": "qaa",
            "protocol": "x-stilts",
            "languages": ["qaa", "qab"],
            "sources": {"two": ["qac"]},
            "variants": {
                "adapter": {"adapter": {"rank": 2, "modules": ["q", "v"]}},
                "prompt": {"prompt": 2, "learning_rate": 0.9},
            },
        }
    }
    return study


def test_every_method_is_trained_chosen_by_validation_rows_and_scored(
    small: dict[str, Any], tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The share in the right language is a value of each cell, beside F1 and exact match."""
    monkeypatch.chdir(tmp_path)
    Path("references.yaml").write_bytes((root / "references.yaml").read_bytes())
    Path("studies").mkdir()
    Path("studies/small.yaml").write_text(yaml.safe_dump(small))
    use.use("small")
    projects.run_stages(design.load())
    rows = pq.read_table("results/aggregate/small/scores.parquet").to_pylist()
    ways = {"none-s1-adapter", "none-s1-prompt", "none-s1-two"}
    runs = {"none-s1", *ways, "world_facts-qaa-8-s1"}
    metrics = {"f1": True, "exact_match": False, RIGHT: False}
    found = {(row["run"], row["language"], row["metric"]): row["main"] for row in rows}
    assert found == {
        (run, language, name): main
        for run in runs
        for language in ("qaa", "qab")
        for name, main in metrics.items()
    }
    record = files.read_json(Path("results/transfer/small/none-s1-prompt/record.json"))
    assert "world_facts.validation" in record["metrics"]
    made = files.read_json(Path("models/pretrain/small/config.json"))
    assert made["model_type"] == "mt5"
