"""A small study that DVC really ran, in a repository of its own.

The stages copy numbers; `noise` is read by two of them and is no dependency, so it stands for what
differs between machines.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml

DVC = Path(sys.executable).parent / "dvc"
RUN = """
import json, sys
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq
word = sys.argv[1]
noise = float(Path("noise").read_text())
params = json.loads(Path("design/prepare/tiny/a.json").read_text())
if word == "prepare":
    Path("data/prepare/tiny").mkdir(parents=True, exist_ok=True)
    Path("data/prepare/tiny/rows").write_text(str(params["prepare"]["a"]))
if word == "intermediate":
    Path("models/tiny").mkdir(parents=True, exist_ok=True)
    rows = Path("data/prepare/tiny/rows").read_text()
    Path("models/tiny/weights").write_text(rows + str(noise))
if word == "aggregate":
    base, shift = Path("models/tiny/weights").read_text().split("0.", 1)[0], noise
    names = [("none-s1", "xnli", "en"), ("none-s1", "xnli", "sw"), ("a-s1", "xnli", "en")]
    metric = {"metric": "accuracy"}
    rows = [
        {"run": r, "target": t, "language": l, "value": 50.0 + i * shift, "n": 9, **metric}
        for i, (r, t, l) in enumerate(names)
    ]
    Path("results/aggregate/tiny").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), "results/aggregate/tiny/scores.parquet")
    means = {"none": 50.0 + shift / 2, "a": 50.0 + 2 * shift}
    told = {group: {"mean": mean} for group, mean in means.items()}
    told["a"]["effect"] = {0.03: 0, 0.6: -1}.get(noise, 1)
    Path("results/aggregate/tiny.metrics.json").write_text(json.dumps({"xnli": told}))
    sure = {"target": "xnli", "seeds_variance": 0.25, "seeds_df": 30.0, "n": 10000, "fewest": 9}
    kept = [
        {"group": group, "mean": mean, "examples": [0.0] * (i + 1), **sure}
        for i, (group, mean) in enumerate(means.items())
    ]
    pq.write_table(pa.Table.from_pylist(kept), "results/aggregate/tiny/contrasts.parquet")
    verdicts = {0.0: "reproduced", 0.01: "reproduced", 0.03: "undecided"}
    verdicts = {"helps": verdicts.get(noise, "not reproduced"), "more": "not run"}
    claims = {name: {"claim_sha256": "c", "verdict": one} for name, one in verdicts.items()}
    Path("report").mkdir(exist_ok=True)
    Path("report/tiny.claims.json").write_text(json.dumps({"claims": claims}))
"""
STAGES = {
    "prepare": {
        "foreach": {"tiny/a": None},
        "do": {
            "cmd": "python src/run.py prepare",
            "deps": ["design/prepare/${key}.json"],
            "outs": ["data/prepare/tiny"],
        },
    },
    "intermediate": {
        "foreach": {"tiny/a": None},
        "do": {
            "cmd": "python src/run.py intermediate",
            "deps": ["data/prepare/tiny", "code/intermediate"],
            "outs": ["models/tiny"],
        },
    },
    "aggregate": {
        "foreach": {"tiny": None},
        "do": {
            "cmd": "python src/run.py aggregate",
            "deps": ["models/tiny"],
            "outs": [
                {"results/aggregate/tiny": {"cache": False}},
                {"report/tiny.claims.json": {"cache": False}},
            ],
            "metrics": [{"results/aggregate/tiny.metrics.json": {"cache": False}}],
        },
    },
}
KEYS = {
    "prepare": "prepare@tiny/a",
    "intermediate": "intermediate@tiny/a",
    "aggregate": "aggregate@tiny",
}


def sh(*command: str | Path) -> None:
    """Run a command of the test's own project."""
    subprocess.run(command, check=True, capture_output=True)


def commit(message: str) -> None:
    sh("git", "add", "--all")
    sh("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", message)


def provenance(cpu: str) -> None:
    """What a stage's run leaves behind for people."""
    content = {
        "git": {"commit": "c" * 40},
        "hardware": {"cpu": cpu, "gpus": []},
        "software": {"python": "3.11.7", "packages": {"torch": "2.13.0"}},
    }
    path = Path("provenance/tiny/aggregate/tiny.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def make() -> None:
    """Run and commit the study in the working folder, which is empty."""
    sh("git", "init", "-q", "-b", "main")
    sh(DVC, "init", "-q")
    Path("src").mkdir()
    Path("src/run.py").write_text(RUN)
    code("1")
    Path("noise").write_text("0.0")
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}, sort_keys=False))
    compiled(1)
    Path(".gitignore").write_text("/data\n/models\n/noise\n/.dvc/site\n")
    sh(DVC, "repro", "-q")
    provenance("EPYC")
    commit("first")


def compiled(value: int, study: str = "tiny") -> None:
    """Write params.yaml, and what the one run of `prepare` reads."""
    Path("params.yaml").write_text(f"study: {study}\n")
    path = Path(f"design/prepare/{study}/a.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"prepare": {"a": value}}))


def code(version: str) -> None:
    """Write what `xstilts code` would say of the stage that trains."""
    Path("code").mkdir(exist_ok=True)
    Path("code/intermediate").write_text(f"core/files 1\ntraining/loop {version}\n")


def rerun(noise: str, *stages: str) -> None:
    """Run stages again on another machine, so to say."""
    Path("noise").write_text(noise)
    for stage in stages:
        sh(DVC, "repro", "-q", "--force", "--single-item", KEYS[stage])
