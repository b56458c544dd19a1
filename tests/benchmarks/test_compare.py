"""Where a study departs from the protocol that it names: all of it, and nothing else.

Run: python -m pytest tests/benchmarks/test_compare.py
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.benchmarks.compare import differences, sources, target_differences
from xstilts.benchmarks.recipes import Said
from xstilts.commands.use import compiled
from xstilts.core.params import Params

CHANGES: dict[str, tuple[Any, str]] = {
    "epochs": (7, "7 epochs instead of 5 epochs"),
    "batch": (8, "batch 8 instead of batch 32"),
    "learning_rate": (1e-4, "learning rate 0.0001 instead of learning rate 3e-05"),
    "warmup": (0.25, "warm-up over 25% of the updates instead of no warm-up"),
    "weight_decay": (0.1, "weight decay 0.1 instead of no weight decay"),
    "clip": (0.5, "gradients clipped at 0.5 instead of gradients clipped at 1"),
    "precision": ("bf16", "bf16 instead of fp32"),
    "max_length": (64, "64 tokens instead of 128 tokens"),
    "stop": (9, "the weights after 9 updates instead of the best weights"),
    "evaluate_rows": (500, "chosen on the first 500 validation rows of xnli instead of chosen on"
                           " all validation rows of xnli"),
    "patience": (3, "evaluated every 100 updates, ends after 3 without gain instead of evaluated"
                    " every 100 updates, no early stopping"),
}  # fmt: skip


@pytest.fixture(scope="module")
def scaling(root_folder: None) -> Params:
    """The study that follows XTREME-R."""
    return Params.model_validate(compiled("scaling"))


@pytest.fixture(scope="module")
def root_folder(pytestconfig: pytest.Config) -> Any:
    """Studies are read in the repository."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(pytestconfig.rootpath)
        yield


@pytest.mark.usefixtures("root_folder")
@pytest.mark.parametrize("name", ["paper", "scaling"])
def test_the_published_studies_differ_in_their_precision_alone(name: str) -> None:
    """They say that they do as the scripts do; bf16 is what a GPU of today is for."""
    params = Params.model_validate(compiled(name))
    (only,) = differences(params)
    trained = [one for one, target in params.targets.items() if target.training]
    assert only == f"{', '.join(trained)}: bf16 instead of fp32."


@pytest.mark.usefixtures("root_folder")
def test_a_study_of_no_published_protocol_differs_from_none() -> None:
    """The control world's targets are in no benchmark, though they are scored as one is."""
    assert differences(Params.model_validate(compiled("demo"))) == []


@pytest.mark.usefixtures("root_folder")
def test_another_model_is_told_first_and_its_layer_is_none() -> None:
    """Rates of a large model are no rule for a small one; a layer is scaled to its depth."""
    first, *others = differences(Params.model_validate(compiled("scaling-base")))
    assert first.startswith("Model: FacebookAI/xlm-roberta-base; the published values are those")
    assert "xnli: 2 epochs instead of 5 epochs." in others
    assert not any("layer" in text for text in others)


@given(st.sets(st.sampled_from(sorted(CHANGES))))
def test_each_change_is_told_and_no_other(scaling: Params, names: set[str]) -> None:
    """Whatever is set otherwise; of weights that are not chosen, how is not told."""
    target = scaling.targets["xnli"]
    assert target.training is not None
    given = {name: CHANGES[name][0] for name in names}
    plain = {"precision": "fp32"} if "precision" not in given else {}
    training = target.training.model_copy(update={**plain, **given})
    found = target_differences(target.model_copy(update={"training": training}))
    told = [CHANGES[name][1] for name in names]
    assert sorted(found) == sorted(told)


def test_rows_languages_and_budgets_of_another_form_are_told(scaling: Params) -> None:
    """A mean over some of the languages is another number than the published one."""
    target = scaling.targets["xquad"]
    assert target.training is not None
    steps = {"epochs": None, "steps": 300, "precision": "fp32"}
    changed = {
        "training": target.training.model_copy(update=steps),
        "train_limit": 1000,
        "score_limit": 500,
        "languages": ["de", "xx"],
    }
    assert target_differences(target.model_copy(update=changed)) == [
        "300 updates instead of 3 epochs",
        "trained on 1,000 rows at most",
        "scored on 500 rows of a language at most",
        "scored in 1 of 12 languages and in 1 more",
    ]


def test_a_training_before_the_targets_own_is_compared_too(scaling: Params) -> None:
    """Social IQa before COPA has a budget of its own."""
    target = scaling.targets["xcopa"]
    (before,) = target.before
    shorter = before.training.model_copy(update={"epochs": 1.0})
    changed = target.model_copy(
        update={"before": [before.model_copy(update={"training": shorter})]}
    )
    assert "1 epoch instead of 5 epochs" in target_differences(changed)


@pytest.mark.usefixtures("root_folder")
def test_other_intermediate_trainings_are_told() -> None:
    """Of the paper's own only: a control, or a variant, is meant to be another."""
    params = Params.model_validate(compiled("paper"))
    key = "mnli-en-all-s1"
    spec = params.intermediate[key]
    fewer = spec.model_copy(update={"training": spec.training.model_copy(update={"batch": 6})})
    texts = differences(params.model_copy(update={"intermediate": {key: fewer}}))
    assert "Intermediate training on mnli: batch 6 instead of batch 24." in texts
    variant = fewer.model_copy(update={"variant": "small"})
    assert len(differences(params.model_copy(update={"intermediate": {key: variant}}))) == 1


def test_a_file_is_cited_once_with_its_lines_in_order() -> None:
    """Two lines of one script would fill a column with its path."""
    recipe = {
        "epochs": Said(5, "a.sh:26"),
        "batch": Said(32, "a.sh:2,40-41"),
        "warmup": Said(0.0, "a library"),
    }
    assert sources(recipe, "schedule") == ["a.sh:2,26,40-41", "a library"]
