"""What a study of generation may ask, and what is refused in one line before anything runs."""

from pathlib import Path
from typing import Any

import pytest

from xstilts.core.errors import UserError
from xstilts.core.params import Output
from xstilts.study.compiler import compile_study
from xstilts.study.schema import Study, read_study

TARGET = {"source_language": "qaa", "protocol": "x-stilts"}


def compiled(study: dict[str, Any]) -> dict[str, Any]:
    return compile_study(Study.model_validate(study), "studies/small.yaml")


@pytest.fixture
def written(study: dict[str, Any]) -> dict[str, Any]:
    """The small study as one of generation."""
    scratch = study["pretrain"]["scratch"]
    scratch["corpora"] = [{"task": "world_facts_text", "languages": ["mul"], "split": "train"}]
    scratch["architecture"]["family"] = "mt5"
    study["training"]["output"] = {"length": 6}
    study["intermediate"] = []
    study["targets"] = {"world_facts": dict(TARGET)}
    return study


def test_outputs_reach_the_runs(written: dict[str, Any]) -> None:
    """Of a target, of its variants, and of an intermediate task, whose mix shares one decoder."""
    written["targets"]["world_facts"]["variants"] = {"prompt": {"prompt": 3}}
    grid = {"task": "world_facts", "languages": ["qab"], "sizes": [10], "seeds": [1]}
    written["intermediate"] = [grid]
    params = compiled(written)
    (part,) = params["intermediate"]["world_facts-qab-10-s1"]["parts"]
    assert part["output"] == params["targets"]["world_facts"]["training"]["output"]
    assert params["targets"]["world_facts"]["variants"]["prompt"]["training"]["prompt"] == 3
    assert part["output"] == Output(length=6).model_dump()


def test_more_source_languages_are_a_setting(written: dict[str, Any]) -> None:
    """Of the same training; what is trained on is not scored."""
    target = written["targets"]["world_facts"]
    target |= {"languages": ["qaa", "qac"], "sources": {"two": ["qab"]}}
    params = compiled(written)
    own = params["targets"]["world_facts"]
    two = own["variants"]["two"]
    assert two["training"] == own["training"]
    (more,) = two["more_rows"]
    assert more == own["train_rows"].replace("qaa", "qab")
    assert more in params["check"]["training"]["world_facts"]
    assert "none-s1-two" in params["transfer"]
    target["sources"] = {"two": ["qac"]}
    refused(written, r"sources\.two: 'qac' is trained on here and scored as one that is not")


def refused(study: dict[str, Any], says: str) -> None:
    with pytest.raises((UserError, ValueError), match=says) as caught:
        compiled(study)
    if isinstance(caught.value, UserError):
        assert "\n" not in str(caught.value)
        assert "Mend: " in str(caught.value)


@pytest.mark.parametrize(
    ("training", "says"),
    [
        ({"output": {"length": 0}}, r"training: output\.length: .*greater than 1"),
        ({"output": {"length": 6, "beams": 0}}, r"training: output\.beams: .*greater than 0"),
        ({"prompt": 0}, r"training: prompt: .*greater than 0"),
        ({"prompt": 4, "adapter": {}}, "give one of `adapter` and `prompt`"),
        ({"layers": "attention"}, "world_facts has no head that could attend to layers"),
    ],
)
def test_a_training_that_makes_no_sense(
    written: dict[str, Any], training: dict[str, Any], says: str
) -> None:
    """An output limit of 0 among them."""
    written["targets"]["world_facts"]["training"] = training
    refused(written, says)


def test_soft_prompts_pass_nothing_on(written: dict[str, Any]) -> None:
    """They are no weights of the model that phase iii starts from."""
    grid = {"task": "world_facts", "languages": ["qaa"], "sizes": [10], "seeds": [1]}
    written["intermediate"] = [{**grid, "training": {"prompt": 4}}]
    refused(written, "soft prompts are no weights of the model")


def test_kinds_and_models_that_do_not_fit(written: dict[str, Any]) -> None:
    """A decoder for a class, or an encoder for a text."""
    other = dict(written, targets={"world_classes": dict(TARGET)})
    refused(other, "world_classes needs an encoder, and this study has none")
    written["pretrain"]["scratch"]["architecture"].pop("family")
    refused(written, "world_facts needs an encoder-decoder, and this study has none")


def test_output_is_of_generation_alone(study: dict[str, Any]) -> None:
    """It would be ignored."""
    study["targets"]["world_classes"]["training"] = {"output": {"length": 6}}
    refused(study, "`output` is of generation, and world_classes is of classification")


def test_a_language_that_the_family_has_no_code_for(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mBART-50 and Greek: said where the study names it, with the codes that there are."""
    monkeypatch.chdir(root)
    study = read_study("generation-mbart")
    target = study.targets["xquad_text"].model_copy(update={"languages": "all"})
    with pytest.raises(UserError, match=r"xquad_text\.languages: .* no code for .*'el'.* Mend"):
        compile_study(
            study.model_copy(update={"targets": {**study.targets, "xquad_text": target}}), "file"
        )


@pytest.mark.parametrize("name", ["generation", "generation-mbart", "generation-nllb"])
def test_the_committed_studies_are_one_design(
    name: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rates and methods alike; only names of modules and languages go with the model."""
    monkeypatch.chdir(root)
    own = compile_study(read_study(name), f"studies/{name}.yaml")
    one = compile_study(read_study("generation"), "studies/generation.yaml")
    assert list(own["transfer"]) == list(one["transfer"])
    assert own["targets"].keys() == one["targets"].keys()
    assert len(own["transfer"]) == 30
