"""A target's trainings: what precedes its own, and what they leave to be recorded."""

from pathlib import Path
from typing import Any

import pytest
import transfer_project as project
from transfer_project import STUDY, before, params, run, target

from xstilts.core import paths
from xstilts.core.params import Training
from xstilts.evaluation import target as target_module
from xstilts.evaluation.target import finetune


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: Any) -> Path:
    """A working folder with a base model."""
    return project.enter(tmp_path, monkeypatch, tokenizer)


def test_a_training_before_passes_its_model_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Social IQa before COPA: encoder and head go on, and each training has its own state."""
    seen: list[tuple[Any, str, Path]] = []
    original = finetune

    def spy(start: Any, spec: Any, rows: Any, state: Path, setup: Any) -> Any:
        tuned = original(start, spec, rows, state, setup)
        seen.append((start, spec.parts[0].task, state, tuned.model))
        return tuned

    monkeypatch.setattr(target_module, "finetune", spy)
    done = run(params(target("multiple_choice", before=[before("siqa")])))
    (first, name, one, net), (second, own, two, _) = seen
    assert (first, name, own) == (paths.pretrained(STUDY), "siqa", "multiple_choice")
    assert second is net
    assert one != two
    assert one.parent == two.parent
    curves = done["curves"]
    assert [point[0] for point in curves["multiple_choice.siqa.loss"]] == [1, 2, 3]
    assert [point[0] for point in curves["multiple_choice.loss"]] == [1, 2]


def test_a_training_before_changes_the_result() -> None:
    """The same target with and without it: were it lost, nothing would tell."""
    with_it = run(params(target("multiple_choice", before=[before("siqa", learning_rate=0.05)])))
    without = run(params(target("multiple_choice")))
    assert with_it["curves"]["multiple_choice.loss"] != without["curves"]["multiple_choice.loss"]


def test_validation_and_the_chosen_rate_are_recorded() -> None:
    """They choose a setting per target later on; they may be seen in the record alone."""
    folder = paths.prepared(STUDY, "targets", "classification")
    swept = Training(**{**project.TRAINING, "sweep": [1e-3, 1e-2]})
    chosen = {"training": swept, "validation": str(folder / "qaa.validation.parquet")}
    done = run(params(target("classification", **chosen)))
    metrics = done["metrics"]
    each = {rate: metrics[f"classification.validation.rate_{rate:g}"] for rate in (1e-3, 1e-2)}
    best = each[metrics["classification.learning_rate"]]
    assert metrics["classification.validation"] == best == max(each.values())
    assert 0 <= done["metrics"]["classification.validation"] <= 100
    assert str(chosen["validation"]) in done["inputs"]
    plain = run(params(target("classification")))
    assert not [name for name in plain["metrics"] if name.endswith(("validation", "rate"))]
