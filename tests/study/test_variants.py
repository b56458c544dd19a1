"""Other ways to fine-tune a target, and learning rates as an axis: each is a setting of its own."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.commands import graph
from xstilts.core.params import Params
from xstilts.study.compiler import compile_study
from xstilts.study.schema import Study, rate_name

Hub = Callable[..., dict[str, Any]]


def compiled(study: dict[str, Any]) -> Params:
    return Params.model_validate(compile_study(Study.model_validate(study), "small"))


@pytest.fixture
def varied(study: dict[str, Any]) -> dict[str, Any]:
    """A study with one target in three more ways, and one that is not trained."""
    study["baseline_seeds"] = [1, 2]
    study["targets"]["world_classes"] |= {
        "variants": {"layers": {"layers": "attention"}},
        "rates": [1e-4, 1e-3, 2.5e-5],
    }
    return study


def test_each_way_is_a_setting_with_all_seeds(varied: dict[str, Any]) -> None:
    """Gains are counted from `none`; the rate that the target has anyway is `none` itself."""
    loaded = compiled(varied)
    bare = [name for name, run in loaded.transfer.items() if run.method == "none"]
    ways = ("", "-layers", "-lr-1e-04", "-lr-25e-06")
    assert bare == [f"none-s{seed}{way}" for way in ways for seed in (1, 2)]
    (own,) = {run.checkpoint for name, run in loaded.transfer.items() if name in bare}
    assert own == "models/pretrain/small"


def test_a_way_changes_its_part_of_the_training_alone(varied: dict[str, Any]) -> None:
    """What differs beside the rate would be taken for its effect."""
    loaded = compiled(varied)
    usual = loaded.targets_of("none-s1")["world_classes"]
    for run, changed in (
        ("none-s2-layers", {"layers": "attention"}),
        ("none-s1-lr-1e-04", {"learning_rate": 1e-4}),
    ):
        (target,) = loaded.targets_of(run).values()
        assert usual.training is not None
        assert target.training == usual.training.model_copy(update=changed)
        assert target.model_copy(update={"training": usual.training}) == usual


def test_a_way_is_scored_on_the_targets_that_have_it(varied: dict[str, Any]) -> None:
    """A target that is scored as it is would be scored again, to the same number."""
    loaded = compiled(varied)
    assert list(loaded.targets_of("none-s1")) == ["world_classes", "world_bitext"]
    assert list(loaded.targets_of("none-s1-layers")) == ["world_classes"]
    assert list(loaded.targets_of("world_qa-qaa-10-s1")) == ["world_classes", "world_bitext"]
    languages = {name: len(one.languages) for name, one in loaded.targets.items()}
    whole, ways = len(loaded.intermediate) + 2, 6
    assert graph.cells(loaded) == (
        (whole + ways) * languages["world_classes"] + whole * languages["world_bitext"]
    )
    assert graph.cells(loaded, ["none-s1-layers"]) == languages["world_classes"]


def test_without_other_ways_a_design_is_what_it_was(study: dict[str, Any]) -> None:
    """To the byte, so that no run of an older study is made again."""
    made = compile_study(Study.model_validate(study), "small")
    assert not any("variants" in target for target in made["targets"].values())


def test_what_comes_before_under_the_same_head_goes_the_same_way(on_hub: Hub) -> None:
    """Social IQa and COPA share a head: with other layers the second could not go on."""
    study = on_hub()
    study["targets"] = {
        "xcopa": {
            **{"source_language": "en", "protocol": "xtreme-r", "before": {"siqa": {"epochs": 3}}},
            "variants": {"layers": {"layers": "attention", "steps": 5}},
        }
    }
    target = compiled(study).targets_of("none-s1-layers")["xcopa"]
    (before,) = target.before
    assert target.training is not None
    assert (before.training.layers, before.training.epochs) == ("attention", 3)
    assert (target.training.layers, target.training.steps) == ("attention", 5)
    assert target.training.epochs is None


def test_a_way_that_chooses_has_rows_to_choose_by(on_hub: Hub) -> None:
    """The target's own training may not have asked for them."""
    study = on_hub()
    study["targets"]["xnli"]["variants"] = {"best": {"select": "best"}}
    loaded = compiled(study)
    assert loaded.targets["xnli"].validation is None
    found = loaded.targets_of("none-s1-best")["xnli"]
    assert found.validation == "data/prepare/small/targets/mnli/en.validation.parquet"
    assert found.validation in loaded.check.selection["mnli"]


def test_rates_of_an_intermediate_task_share_its_rows(study: dict[str, Any]) -> None:
    """Runs at all rates see the same examples in the same order."""
    study["intermediate"][0] |= {"rates": [1e-4, 1e-3], "variant": "steps", "sizes": [10]}
    loaded = compiled(study)
    assert list(loaded.intermediate) == [
        "world_qa-qaa-10-s1-steps",
        "world_qa-qaa-10-s1-steps-lr-1e-04",
    ]
    usual, other = loaded.intermediate.values()
    assert (usual.variant, other.variant) == ("steps", "steps-lr-1e-04")
    assert (usual.training.learning_rate, other.training.learning_rate) == (1e-3, 1e-4)
    assert usual.rows == other.rows
    assert loaded.transfer["world_qa-qaa-10-s1-steps-lr-1e-04"].variant == "steps-lr-1e-04"


@given(st.floats(min_value=1e-12, max_value=1, exclude_max=True))
def test_the_name_of_a_rate_is_the_rate(rate: float) -> None:
    """Two rates are two runs; and a dot in a key would be read as a path by DVC."""
    name = rate_name(rate)
    assert float(Decimal(name.removeprefix("lr-"))) == rate
    assert "." not in name
