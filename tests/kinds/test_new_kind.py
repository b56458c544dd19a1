"""Adding a kind touches `kinds/` and nothing else: a kind that nobody knew goes through a study."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import projects
import pyarrow.parquet as pq
import pytest
import toy_kind
import yaml

from xstilts import tasks
from xstilts.commands import graph, plan, use
from xstilts.core import design, files
from xstilts.core.errors import UserError
from xstilts.core.params import Params
from xstilts.kinds import modules, spec

TASK = "world_classes"
ONE = {"task": TASK, "languages": ["qaa"], "sizes": [20], "seeds": [1]}
TEXT = {"corpora": [{"task": TASK, "languages": ["qaa"]}], "rows": 20, "share": 0.5}


def convert(row: dict[str, Any], language: str) -> dict[str, Any]:
    """The world's classes as rows of the toy kind."""
    left, right = row["sentence"].split()
    return {"id": str(row["id"]), "left": left, "right": right, "alike": row["label"]}


@pytest.fixture(autouse=True)
def toy(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, the kind in both tables, and a task of it under a world task's name."""
    monkeypatch.setitem(spec.KINDS, "toy", toy_kind.SPEC)
    monkeypatch.setitem(modules.MODULES, "toy", "toy_kind")
    task = replace(tasks.load(TASK), kind="toy", convert=convert)
    monkeypatch.setitem(tasks.TASKS, TASK, task)
    monkeypatch.setattr(f"xstilts.tasks.{TASK}.TASK", task)
    monkeypatch.chdir(tmp_path)
    Path("references.yaml").write_bytes((root / "references.yaml").read_bytes())
    return tmp_path


def compiled(study: dict[str, Any], *grids: dict[str, Any]) -> Params:
    """The small study with other runs of phase ii, in use."""
    Path("studies").mkdir(exist_ok=True)
    Path("studies/small.yaml").write_text(yaml.safe_dump(study | {"intermediate": list(grids)}))
    use.use("small")
    return design.load()


def test_a_new_kind_is_planned_trained_shuffled_read_as_text_chosen_by_and_scored(
    study: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A table elsewhere that lists kinds lacks this one, and fails here."""
    study["training"]["select"] = "best"
    study["aggregate"] = {"best_per_target": True}
    study["pretrain"]["scratch"]["corpora"].append(
        {"task": TASK, "languages": ["qaa"], "split": "train"}
    )
    loaded = compiled(study, ONE, ONE | {"method": "shuffled"}, ONE | {"mlm": TEXT})
    plan.show(loaded, graph.every_stage(loaded))
    assert re.search(rf"^ *{TASK} +toy ", capsys.readouterr().out, re.MULTILINE)
    projects.run_stages(loaded)
    counted = files.read_json(Path(f"statistics/small/{TASK}.json"))
    assert counted["kind"] == "toy"
    assert counted["splits"]["train"]["qaa"]["unique_inputs"] > 1
    rows = pq.read_table("results/aggregate/small/scores.parquet").to_pylist()
    scored = [row for row in rows if row["target"] == TASK]
    assert {row["method"] for row in scored} >= {"none", "single", "shuffled", "mlm"}
    assert {row["language"] for row in scored} == set(loaded.targets[TASK].languages)
    assert {row["n"] for row in scored} == {10}


def test_what_a_kind_cannot_do_is_refused_by_its_spec_alone(
    study: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before hours of training, and in the study's words."""
    for name, says in (
        ("shuffled", f"the labels of {TASK} cannot be shuffled"),
        ("intermediate", f"{TASK} is no intermediate task"),
    ):
        monkeypatch.setitem(spec.KINDS, "toy", replace(toy_kind.SPEC, **{name: False}))
        with pytest.raises(UserError, match=rf"intermediate\.0: {says}\. Mend: "):
            compiled(study, ONE | {"method": "shuffled"})
    monkeypatch.setitem(spec.KINDS, "toy", replace(toy_kind.SPEC, scored="matched"))
    assert compiled(study).targets[TASK].training is None


def test_a_task_of_an_unknown_kind_is_refused(
    study: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kind that is misspelled in a task's file."""
    monkeypatch.delitem(spec.KINDS, "toy")
    with pytest.raises(UserError, match=rf"{TASK} is of the kind 'toy', .* use one of .*tagging"):
        compiled(study)
