"""Two revisions of a study as DVC compares them: `dvc metrics`, `dvc params` and `dvc plots`."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import projects
import pytest
import yaml

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished and committed study, then another rate and one more size of it, finished."""
    import conftest

    study = conftest.small_study()
    study["intermediate"][0]["sizes"] = [10]
    folder = projects.make(tmp_path_factory.mktemp("compared") / "project", study)
    shutil.copytree(projects.ROOT / ".dvc/plots", folder / ".dvc/plots")
    projects.run(folder, "xstilts", "repro", "--jobs", "2")
    projects.commit(folder, "first")
    study["targets"]["world_classes"]["training"] = {"learning_rate": 5.0e-2, "steps": 40}
    study["intermediate"][0]["sizes"] = [10, 40]
    (folder / "studies/small.yaml").write_text(yaml.safe_dump(study))
    projects.run(folder, "xstilts", "study", "use")
    projects.run(folder, "xstilts", "repro", "--jobs", "2")
    return folder


def asked(folder: Path, *command: str) -> Any:
    """What a command of DVC says as JSON."""
    text = projects.run(folder, "dvc", *command, "--json")
    return json.loads(text[text.index("{") :].splitlines()[0])


def test_params_diff_says_what_was_changed(compared: Path) -> None:
    """And none of the paths that the design has for DVC."""
    found = asked(compared, "params", "diff")
    assert found == {
        "design/settings/small.json": {
            "intermediate.world_qa-qaa.sizes": {"old": "[10]", "new": "[10, 40]"},
            "targets.world_classes.training.learning_rate": {"old": None, "new": 0.05},
            "targets.world_classes.training.steps": {"old": None, "new": 40},
        },
        "design.json": {"runs": {"old": 2, "new": 3, "diff": 1}},
    }


def test_metrics_diff_names_targets_and_settings(compared: Path) -> None:
    """One file, a line for each score and gain that moved."""
    (name,) = found = asked(compared, "metrics", "diff")
    assert name == "report/small.metrics.json"
    names = set(found[name])
    assert {"world_classes.world_qa-qaa-40.score", "study.runs"} <= names
    allowed = r"(world_classes|world_bitext|mean of targets)\..+\.(score|gain)|study\..+"
    assert not [one for one in names if not re.fullmatch(allowed, one)]


def test_plots_draw_both_revisions(compared: Path) -> None:
    """Every plot has rows of both, with the fields that its template names."""
    projects.run(compared, "dvc", "plots", "diff", "HEAD", "workspace", "-o", "drawn")
    page = (compared / "drawn/index.html").read_text(encoding="utf-8")
    specs = [json.loads(one) for one in re.findall(r"var spec = (\{.*?\});\s*vegaEmbed", page)]
    assert len(specs) == 5
    for spec in specs:
        rows = spec["data"]["values"]
        assert {row["rev"] for row in rows} == {"HEAD", "workspace"}, spec["title"]
        assert "DVC_METRIC" not in json.dumps(spec)
        made = {one["as"] for one in spec.get("transform", ())}
        fields = set(re.findall(r'"field": "([^"]+)"', json.dumps(spec))) - made
        for row in rows:
            assert fields <= set(row), spec["title"]


def test_looking_reruns_nothing_and_is_committed_by_git_alone(compared: Path) -> None:
    """The metrics and verdicts are in git; the points are in DVC's cache with the report."""
    assert not projects.stages_run(projects.run(compared, "dvc", "repro"))
    tracked = projects.run(compared, "git", "ls-files", "report", "design/settings").split()
    assert tracked == [
        "design/settings/small.json",
        "report/small.claims.json",
        "report/small.metrics.json",
    ]
