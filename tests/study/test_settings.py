"""What a study sets, as a person compares it: a change is a line, and moves no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from xstilts.commands import use
from xstilts.core import files, paths
from xstilts.study import settings
from xstilts.study.schema import Study

New = Callable[[], dict[str, Any]]


def told(study: dict[str, Any]) -> dict[str, Any]:
    """design/settings/<study>.json of a study file's content."""
    model = Study.model_validate(study)
    content = {
        "pretrain": {"model": "org/name", "revision": "1" * 40},
        "fetch": {"a": {"dataset": "org/data", "revision": "2" * 40}, "b": {"dataset": "w"}},
    }
    content["fetch"]["b"]["revision"] = None  # type: ignore[assignment]
    settings.write(model, content)
    return dict(files.read_json(paths.settings(study["study"])))


def test_it_says_what_the_file_says(project: Path, new_study: New) -> None:
    """And no default that it leaves as it is, nor the words for readers."""
    study = new_study()
    found = told(study)
    assert found["training"] == study["training"]
    assert found["targets"] == study["targets"]
    assert found["intermediate"] == {"world_qa-qaa": {"sizes": [10, 40], "seeds": [1]}}
    assert found["pretrain"]["scratch"]["corpora"] == {
        "world_text": {"languages": ["mul"], "split": "train"}
    }
    assert found["commits"] == {"org/name": "1" * 40, "org/data": "2" * 40}
    assert not {"title", "description", "study", "aggregate"} & set(found)


def test_a_grid_is_named_as_its_runs_are(project: Path, new_study: New) -> None:
    """Lines go with a task and language, wherever they stand in the file."""
    study, common = new_study(), {"seeds": [1], "sizes": [10]}
    study["intermediate"] = [
        {"task": "world_qa", "languages": ["qaa", "qab"], **common},
        {"task": "world_qa", "languages": ["qaa"], "method": "shuffled", **common},
        {"task": "world_qa", "languages": ["qaa"], "variant": "steps", **common},
        {"task": "world_qa", "languages": ["qaa"], **common, "sizes": [40]},
        {
            "name": "mix", "languages": ["qaa"], **common,
            "tasks": ["world_qa", {"task": "world_tags", "rows": 5}],
        },
        {
            "seeds": [1],
            "mlm": {"rows": 9, "corpora": [{"task": "world_text", "languages": ["mul"]}]},
        },
    ]  # fmt: skip
    found = told(study)["intermediate"]
    assert list(found) == [
        "world_qa-qaa", "world_qa-qab", "world_qa-qaa-shuffled", "world_qa-qaa-steps",
        "world_qa-qaa (2)", "mix-qaa", "mlm-mul",
    ]  # fmt: skip
    assert found["mix-qaa"]["tasks"] == {"world_qa": True, "world_tags": {"rows": 5}}
    assert found["mlm-mul"]["mlm"]["corpora"] == {"world_text": {"languages": ["mul"]}}


def test_settings_of_params_yaml_are_over_it(project: Path) -> None:
    """What runs is what is told."""
    Path("params.yaml").write_text("study: small\nsettings: {training: {learning_rate: 0.5}}\n")
    use.use(None)
    assert files.read_json(paths.settings("small"))["training"]["learning_rate"] == 0.5
