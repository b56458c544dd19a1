"""Every target that a mirror of real rows holds, from its files to the benchmark's averages."""

import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from projects import run_stages

from xstilts.commands import graph, use
from xstilts.core import design, files
from xstilts.core.errors import UserError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("XSTILTS_MIRROR" not in os.environ, reason="XSTILTS_MIRROR names no mirror"),
]

SPAN = {"training": {"steps": 2, "max_length": 128, "stride": 32}}
# Few languages each: what is tested is that every kind of target goes all the way.
TARGETS: dict[str, dict[str, Any]] = {
    "xcopa": {"languages": ["qu", "tr"], "before": {"siqa": {"steps": 2}}},
    "udpos_2_7": {"languages": ["en", "mr", "ta"]},
    "wikiann": {"languages": ["yo", "my"], "split": "validation"},
    "xquad": {"languages": ["en", "th"], **SPAN},
    "mlqa": {"languages": ["zh"], "split": "validation", **SPAN},
    "tydiqa": {"languages": ["bn", "sw"], **SPAN},
    "tatoeba": {"languages": ["te", "jv"], "layer": 1, "max_length": 32},
    "lareqa": {"languages": ["en", "th"], "training": {"steps": 2, "batch": 8, "max_length": 64}},
}
WHY = {
    "squad_v1 > xquad": "the mirror's SQuAD rows are cut from XQuAD's",
    "squad_retrieval > lareqa": "the mirror's SQuAD rows are cut from XQuAD's",
}


def benchmark_study(study: dict[str, Any]) -> dict[str, Any]:
    """All kinds of targets behind one non-English intermediate task and the baseline."""
    corpus = {"task": "xnli", "split": "validation", "languages": ["en", "sw"], "limit": 300}
    study["data"] = {"source": "mirror:$XSTILTS_MIRROR"}
    study["pretrain"]["scratch"]["corpora"] = [corpus]
    study["pretrain"]["scratch"]["architecture"]["max_positions"] = 160
    study["training"] = {"batch": 8, "steps": 2, "learning_rate": 1.0e-3, "max_length": 48}
    study["intermediate"] = [
        {"task": "indonli", "languages": ["id"], "sizes": [1000], "seeds": [1]}
    ]
    shared = {"source_language": "en", "protocol": "xtreme-r"}
    study["targets"] = {name: shared | spec for name, spec in TARGETS.items()}
    return study


def test_every_target_at_hand_goes_all_the_way(
    study: dict[str, Any], tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real files have what fixtures lack; and a leak stops the study until it is explained."""
    monkeypatch.chdir(tmp_path)
    Path("studies").mkdir()
    Path("references.yaml").write_bytes((root / "references.yaml").read_bytes())
    study = benchmark_study(study)
    Path("studies/small.yaml").write_text(yaml.safe_dump(study))
    use.use("small")
    with pytest.raises(UserError, match=r"lareqa.*3 more in .*allow_overlap"):
        run_stages(design.load())
    assert not Path("models").exists(), "nothing is trained before the check is passed"
    study["allow_overlap"] = WHY
    Path("studies/small.yaml").write_text(yaml.safe_dump(study))
    use.use("small")
    loaded = design.load()
    run_stages(loaded)
    rows = pq.read_table("results/aggregate/small/scores.parquet").to_pylist()
    cells = {(row["run"], row["target"], row["language"]) for row in rows if row["main"]}
    assert len(cells) == graph.cells(loaded)
    leaks = files.read_json(Path("statistics/small/overlap.json"))["pairs"]
    found = {(pair["training"], pair["evaluation"], pair["language"]) for pair in leaks}
    assert {("squad_v1", "xquad", "en"), ("squad_v1", "xquad", "th")} <= found
    page = Path("report/small/index.html").read_text(encoding="utf-8")
    assert WHY["squad_v1 > xquad"] in page or "cut from XQuAD" in page
