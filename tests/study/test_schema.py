"""A study file is found by its name, or refused by one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from xstilts.commands import use
from xstilts.core import design
from xstilts.core.errors import UserError
from xstilts.study.schema import Study, read_study


def test_a_study_is_read_as_it_is_written(project: Path, study: dict[str, Any]) -> None:
    """What is not given has the documented default, and nothing else is added."""
    read = read_study("small")
    assert read == Study.model_validate(study)
    assert read.model_dump(exclude_unset=True) == study
    assert read.intermediate[0].method == "single"
    assert read.targets["world_bitext"].languages == "all"


def test_an_unknown_study_is_told_with_those_there_are(project: Path) -> None:
    """Somebody who mistypes a name sees the right one."""
    with pytest.raises(UserError, match=r"no study 'smal' .*Mend: use one of small"):
        read_study("smal")


def like(project: Path, **other: Any) -> None:
    """A study that is like the small one."""
    told = {"study": "other", "like": "small", "title": "Other", "description": "-"} | other
    (project / "studies/other.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")


def test_a_study_may_say_what_differs_from_another(project: Path) -> None:
    """Mappings are merged, and lists replaced."""
    small = read_study("small")
    like(project, training={"batch": 4}, targets={"world_bitext": {"layer": 0}}, baseline_seeds=[7])
    other = read_study("other")
    assert (other.study, other.title, other.baseline_seeds) == ("other", "Other", [7])
    assert other.training == {**small.training, "batch": 4}
    assert other.targets["world_bitext"].layer == 0
    same = {"study", "title", "description", "training", "targets", "baseline_seeds"}
    assert other.model_dump(exclude=same) == small.model_dump(exclude=same)
    assert other.targets["world_classes"] == small.targets["world_classes"]


def test_a_study_is_compiled_anew_when_the_one_that_it_is_like_changes(project: Path) -> None:
    """What a design was made of would otherwise be half of what the files say."""
    like(project)
    use.use("other")
    assert design.load("other").study == "other"
    path = project / "studies/small.yaml"
    path.write_text(path.read_text("utf-8").replace("batch: 8", "batch: 4"), encoding="utf-8")
    with pytest.raises(UserError, match="is not what"):
        design.load("other")
    use.use("other")
    assert all(run.training.batch == 4 for run in design.load("other").intermediate.values())


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("smal", r"other.yaml: like: smal: there is no study 'smal' .*Mend: use one of"),
        (["small"], r"there is no study .*Mend"),
        ("other", r"which is itself like another. Mend: name other there"),
    ],
)
def test_what_a_study_cannot_be_like(project: Path, named: object, says: str) -> None:
    """One that is not there, or that does not stand for itself."""
    like(project, like=named)
    with pytest.raises(UserError, match=says):
        read_study("other")


def test_a_study_named_unlike_its_file_is_refused(project: Path) -> None:
    """Its outputs would lie under a name that nobody asked for."""
    Path("studies/small.yaml").rename("studies/other.yaml")
    with pytest.raises(UserError, match=r"other.yaml: `study: small`. Mend: name it other"):
        read_study("other")


@pytest.mark.parametrize(
    "name", ["Demo", "de mo", "-demo", "demo-", "1demo", "../demo", "de.mo", ""]
)
def test_a_name_is_fit_for_paths_and_stage_names(
    name: str, study: dict[str, Any], save: Callable[..., None]
) -> None:
    """It becomes a folder, a part of DVC's stage names and an MLflow experiment."""
    with pytest.raises(ValueError, match="study"):
        Study.model_validate(study | {"study": name})


def test_a_name_may_have_parts(study: dict[str, Any]) -> None:
    """scaling-base is a smaller scaling."""
    assert Study.model_validate(study | {"study": "scaling-base"}).study == "scaling-base"


def test_a_published_checkpoint_is_pinned_by_a_commit(
    on_hub: Callable[..., dict[str, Any]],
) -> None:
    """A branch may be another model tomorrow."""
    study = on_hub()
    for revision in ("main", "a" * 39, "A" * 40):
        study["pretrain"]["hub"]["revision"] = revision
        with pytest.raises(ValueError, match="revision"):
            Study.model_validate(study)


@pytest.mark.parametrize("source", ["mirror:", "file:/x", "", "World", "hub "])
def test_an_unknown_source_is_refused(source: str, study: dict[str, Any]) -> None:
    """Found when compiling, and not by a fetch that starts hours later."""
    study["data"]["source"] = source
    with pytest.raises(ValueError, match="source"):
        Study.model_validate(study)
