"""What can not run is known before anything runs: not pinned, licensed, not in the mirror."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xstilts.commands.obstacles import Obstacle, obstacles
from xstilts.core import design, files, paths
from xstilts.core.params import Params
from xstilts.study.compiler import compile_study
from xstilts.study.schema import Study

Hub = Callable[..., dict[str, Any]]
ENGLISH = {"source_language": "en", "protocol": "xtreme"}


def found(study: dict[str, Any]) -> dict[str, tuple[str, str]]:
    loaded = Params.model_validate(compile_study(Study.model_validate(study), "small"))
    return {one.what: (one.why, one.mend) for one in obstacles(loaded)}


def test_what_is_not_pinned_is_named_with_the_command_that_pins_it(
    on_hub: Hub, no_pins: None
) -> None:
    """A data set, a URL, a model; what is pinned is not named."""
    study = on_hub() | {"pretrain": {"encoder": "infoxlm-base"}}
    study["targets"] |= {"wikiann": ENGLISH, "bucc": {**ENGLISH, "languages": ["de"]}}
    said = found(study)
    assert said["wikiann"] == ("unimelb-nlp/wikiann is not pinned", "`xstilts pin wikiann`")
    assert said["bucc"][0].endswith("and 1 more: no sha256 is known")
    assert said["bucc"][1] == "`xstilts pin bucc`"
    assert said["the model"][1] == "`xstilts pin microsoft/infoxlm-base`"
    assert len(said) == 3


def test_a_study_of_the_control_world_lacks_nothing(study: dict[str, Any]) -> None:
    """It needs no network and no mirror."""
    assert found(study) == {}


def test_a_size_above_the_prepared_rows_is_named(project: Path) -> None:
    """A mirror may hold fewer than were published; `subsample` would say so hours later."""
    assert obstacles(design.load()) == []
    counts = {"splits": {"train": {"qaa": {"rows": 30}}}}
    files.write_json(paths.statistics("small", "world_qa"), counts)
    assert obstacles(design.load()) == [
        Obstacle(
            "world_qa",
            "size 40 is larger than the 30 training rows of qaa.train.parquet",
            "take a size up to 30 or `all`, or prepare more rows",
        )
    ]


def test_a_licensed_set_that_went_away_is_named(
    on_hub: Hub, licensed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was there when the study was compiled; it may not be on the machine that runs it."""
    study = on_hub()
    study["intermediate"][0]["task"] = "ccg"
    loaded = Params.model_validate(compile_study(Study.model_validate(study), "small"))
    assert [one.what for one in obstacles(loaded)] == []
    monkeypatch.delenv("XSTILTS_CCG")
    (one,) = obstacles(loaded)
    assert (one.what, one.why) == ("ccg", "$XSTILTS_CCG names no folder")
    assert one.mend.startswith("export XSTILTS_CCG=")


def test_what_a_mirror_lacks_is_named(
    on_hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder, a split of a config, a URL's file, a model, the mirror itself."""
    study = on_hub(f"mirror:{tmp_path}")
    study["intermediate"][0] |= {"task": "indonli", "languages": ["id"]}
    glue = tmp_path / "datasets/nyu-mll/glue/mnli"
    glue.mkdir(parents=True)
    (glue / "validation-00000.parquet").touch()
    said = found(study)
    assert "no facebook/xnli" in said["xnli"][0]
    assert "has no config 'mnli' with split 'train'" in said["mnli"][0]
    assert "the mirror lacks https://" in said["indonli"][0]
    assert said["the model"] == ("the mirror has no models/org/name", "copy it there, or use hub")
    (glue / "train-00000.parquet").touch()
    (tmp_path / "models/org/name").mkdir(parents=True)
    assert set(found(study)) == {"xnli", "indonli"}
    study["data"]["source"] = "mirror:$XSTILTS_NOWHERE"
    monkeypatch.delenv("XSTILTS_NOWHERE", raising=False)
    said = found(study)
    assert all("XSTILTS_NOWHERE is not set" in why for why, _ in said.values())
    assert all(mend.startswith("export XSTILTS_NOWHERE=") for _, mend in said.values())
