"""Every method of a study, from its file to the report, on the control world."""

from pathlib import Path
from typing import Any

import projects
import pyarrow.parquet as pq
import pytest
import yaml

from xstilts.commands import use
from xstilts.core import design

pytestmark = pytest.mark.slow

TEXT = {"corpora": [{"task": "world_text", "languages": ["mul"]}], "rows": 40}
ONE = {"task": "world_qa", "languages": ["qaa"], "sizes": [20], "seeds": [1]}
METHODS: list[dict[str, Any]] = [
    ONE,
    ONE | {"method": "shuffled"},
    ONE | {"variant": "adapter", "training": {"adapter": {"rank": 2}}},
    ONE | {"variant": "layers", "training": {"layers": "attention"}},
    ONE | {"variant": "rates", "training": {"sweep": [1.0e-4, 1.0e-3]}},
    ONE | {"variant": "steps", "training": {"steps": 4}},
    ONE | {"mlm": {**TEXT, "share": 0.5}},
    {"seeds": [1], "training": {"steps": 4}, "mlm": TEXT},
    {
        "name": "both",
        "tasks": ["world_qa", {"task": "world_classes", "rows": 15}],
        "mixing": {"cap": 30, "temperature": 2.0},
        "languages": ["qaa"],
        "sizes": [10, 40],
        "seeds": [1],
    },
    {
        "name": "both",
        "tasks": ["world_qa", "world_classes"],
        "languages": ["qaa"],
        "sizes": [10],
        "seeds": [1],
        "mlm": {**TEXT, "share": 0.3},
    },
]


def test_every_method_reaches_the_report(
    study: dict[str, Any], tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts that work alone may not fit: each method is compiled, trained, scored and shown."""
    monkeypatch.chdir(tmp_path)
    study["intermediate"] = METHODS
    study["aggregate"] = {"best_per_target": True}
    study["targets"]["world_tags"] = {"source_language": "qaa", "protocol": "x-stilts"}
    Path("studies").mkdir()
    Path("studies/small.yaml").write_text(yaml.safe_dump(study))
    Path("references.yaml").write_bytes((root / "references.yaml").read_bytes())
    use.use("small")
    loaded = design.load()
    assert len(loaded.transfer) == 12
    projects.run_stages(loaded)
    summary = pq.read_table("results/aggregate/small/summary.parquet").to_pylist()
    methods = {row["method"] for row in summary}
    assert methods == {"none", "single", "shuffled", "multi", "mlm", "best"}
    assert {row["variant"] for row in summary} == {"", "adapter", "layers", "rates", "steps"}
    page = Path("report/small/index.html").read_text(encoding="utf-8")
    for word in ("both", "adapter", "layers", "rates", "best"):
        assert word in page, word
