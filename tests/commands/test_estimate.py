"""Costs: the arithmetic of hours and disk, and what it rests on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xstilts.commands import estimate
from xstilts.commands.estimate import BOTH, CORE_FLOPS, FLOPS, Estimate
from xstilts.core.params import Params
from xstilts.kinds.spec import KINDS
from xstilts.model.published import ENCODERS
from xstilts.study.compiler import compile_study
from xstilts.study.schema import Study

Hub = Callable[..., dict[str, Any]]
WEIGHTS = ENCODERS["xlmr-large"].parameters - ENCODERS["xlmr-large"].embeddings
ONE = {"languages": ["en"], "seeds": [1]}


@pytest.fixture(autouse=True)
def nothing_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without statistics or provenance."""
    monkeypatch.chdir(tmp_path)


def planned(study: dict[str, Any], *grids: dict[str, Any], flops: float | None = None) -> Estimate:
    study |= {"intermediate": list(grids), "pretrain": {"encoder": "xlmr-large"}}
    study["training"] = {"batch": 10, "epochs": 2, "learning_rate": 1e-5, "max_length": 64}
    return Estimate(Params.model_validate(compile_study(Study.model_validate(study), "s")), flops)


def test_hours_are_epochs_times_rows_times_tokens(on_hub: Hub) -> None:
    """Twice the rows, twice the hours; steps cost the same whatever the rows."""
    sizes = {"sizes": [1000, 2000, "all"]}
    steps = {"variant": "steps", "training": {"steps": 300}}
    found = planned(
        on_hub(), {"task": "qqp", **ONE, **sizes}, {"task": "qqp", **ONE, **sizes, **steps}
    )
    one, two, whole, *stepped = [
        found.operations("intermediate", run) for run in found.loaded.intermediate
    ]
    assert one == BOTH * WEIGHTS * KINDS["classification"].tokens * 2 * 1000
    assert two == 2 * one
    assert whole == pytest.approx(one * 363.846)  # QQP's published rows
    assert stepped == [1.5 * one] * 3  # 300 updates of 10
    assert found.hours("intermediate", ["qqp-en-1000-s1"]) == one / FLOPS / 3600


def test_who_has_no_gpu_is_told_hours_of_a_core(on_hub: Hub) -> None:
    """All trained stages, whatever one GPU would take."""
    found = planned(on_hub(), {"task": "qqp", **ONE, "sizes": [1000]})
    runs = [*found.loaded.transfer]
    work = found.operations("intermediate", runs[-1])
    work += sum(found.operations("transfer", run) for run in runs)
    assert found.core_hours() == pytest.approx(work / CORE_FLOPS / 3600)


def test_a_sweep_costs_a_training_for_each_rate(on_hub: Hub) -> None:
    """Three rates are three trainings."""
    grid = {"task": "qqp", **ONE, "sizes": [1000]}
    sweep = {**grid, "variant": "lr", "training": {"sweep": [1e-5, 2e-5, 3e-5]}}
    found = planned(on_hub(), grid, sweep)
    one, three = [found.operations("intermediate", run) for run in found.loaded.intermediate]
    assert three == 3 * one


def test_a_training_that_stops_costs_what_it_does(on_hub: Hub) -> None:
    """LAReQA's ends at 10,000 of 16,400 updates."""
    one = {"task": "qqp", **ONE, "sizes": [1000]}  # 200 updates of 10
    two = {"name": "two", "tasks": ["qqp", "mnli"], **ONE, "sizes": [500]}
    for grid in (one, two):
        stopped = {**grid, "variant": "head", "training": {"stop": 50}}
        found = planned(on_hub(), grid, stopped)
        whole, head = [found.operations("intermediate", run) for run in found.loaded.intermediate]
        assert head == pytest.approx(whole / 4)


def test_a_mix_costs_what_its_parts_cost(on_hub: Hub) -> None:
    """Updates go to parts by min(rows, cap); text takes its share on top."""
    mix = {**ONE, "name": "two", "tasks": ["qqp", "hellaswag"], "sizes": [1000]}
    text = {"rows": 50, "share": 0.5, "corpora": [{"task": "wikipedia", "languages": ["de"]}]}
    capped = {**mix, "variant": "cap", "mixing": {"cap": 500}}
    found = planned(on_hub(), mix, capped, {**mix, "mlm": text})
    both = KINDS["classification"].tokens + KINDS["multiple_choice"].tokens
    plain, half, mlm = [
        found.operations("intermediate", run) / (BOTH * WEIGHTS)
        for run in found.loaded.intermediate
    ]
    assert plain == 2 * 1000 * both
    assert half == plain / 2
    assert mlm == pytest.approx(plain + 2 * 2000 * 64)  # as many examples again, cut at 64 tokens
    rows = found.part_rows("two-en-1000-s1-mlm")
    assert rows == {"qqp": 1000, "hellaswag": 1000, "mlm": 50}


def test_the_given_rate_comes_first_then_the_measured_then_the_assumed(on_hub: Hub) -> None:
    """A reader is told which of the three it was."""
    grid = {"task": "qqp", **ONE, "sizes": [1000, 2000]}
    assert planned(on_hub(), grid).rate("intermediate").known.startswith("assumed")
    folder = Path("provenance/small/intermediate")
    folder.mkdir(parents=True)
    record = {"seconds": 25.0, "machine": {"processes": 2, "nodes": 2}}
    (folder / "qqp-en-1000-s1.json").write_text(json.dumps(record))
    (folder / "of-another-design-s1.json").write_text(json.dumps(record))
    found = planned(on_hub(), grid)
    rate = found.rate("intermediate")
    assert rate.known == "measured in 1 finished run"
    assert rate.flops == found.operations("intermediate", "qqp-en-1000-s1") / 100
    assert found.hours("intermediate", ["qqp-en-2000-s1"]) == pytest.approx(200 / 3600)
    assert found.rate("transfer").known.startswith("assumed")
    given = planned(on_hub(), grid, flops=5e13).rate("intermediate")
    assert (given.flops, given.known) == (5e13, "as given by --flops")


def test_rows_that_are_counted_come_before_those_that_are_published(on_hub: Hub) -> None:
    """A mirror may hold fewer."""
    grid = {"task": "qqp", **ONE, "sizes": ["all"]}
    assert planned(on_hub(), grid).run_rows("qqp-en-all-s1") == 363_846
    Path("statistics/small").mkdir(parents=True)
    counted = {"splits": {"train": {"en": {"rows": 77}}}}
    Path("statistics/small/qqp.json").write_text(json.dumps(counted))
    assert planned(on_hub(), grid).run_rows("qqp-en-all-s1") == 77


def test_what_nobody_has_counted_is_named(on_hub: Hub) -> None:
    """Wikipedia's rows are known once it is prepared: until then the plan says what it left out."""
    text = {"rows": "all", "corpora": [{"task": "wikipedia", "languages": ["de"]}]}
    found = planned(on_hub(), {"seeds": [1], "mlm": text})
    assert found.uncounted() == ["wikipedia"]
    assert found.run_rows("mlm-mul-all-s1") is None


def test_a_target_costs_its_training_and_the_reading_of_what_is_scored(on_hub: Hub) -> None:
    """XNLI: MultiNLI's rows twice, then 15 languages once."""
    found = planned(on_hub())
    trained = BOTH * 2 * 392_702 * KINDS["classification"].tokens
    scored = estimate.FORWARD * 15 * 5_010 * KINDS["classification"].tokens
    assert found.operations("transfer", "none-s1") == (trained + scored) * WEIGHTS


def test_disk_is_mostly_encoders(on_hub: Hub) -> None:
    """Two runs and the base, four bytes a weight."""
    found = planned(on_hub(), {"task": "qqp", **ONE, "sizes": [1000, 2000]})
    assert found.disk()["encoders"] == 4 * 3 * ENCODERS["xlmr-large"].parameters
    assert found.disk()["predictions"] == 150 * 15 * 5_010 * 3
    assert found.disk()["scores"] == 1.5 * 15 * 5_010 * 3 + 2_000 * 15 * 3


def test_kept_models_are_counted(on_hub: Hub) -> None:
    """One a run and target in the results, and one in the MLflow store."""
    study = on_hub() | {"keep_models": ["xnli"]}
    found = planned(study, {"task": "qqp", **ONE, "sizes": [1000, 2000]}).disk()
    assert found["kept models"] == 4 * 3 * ENCODERS["xlmr-large"].parameters
    assert found["their copies in the MLflow store"] == found["kept models"]
    plain = planned(on_hub(), {"task": "qqp", **ONE, "sizes": [1000, 2000]}).disk()
    assert "kept models" not in plain


def test_an_encoder_of_unknown_size_has_no_hours(on_hub: Hub) -> None:
    """A guess would be ten times off."""
    loaded = Params.model_validate(compile_study(Study.model_validate(on_hub()), "s"))
    found = Estimate(loaded)
    assert found.size is None
    assert found.hours("transfer", ["none-s1"]) == 0


def test_a_small_model_is_counted_from_its_shape(new_study: Callable[..., dict[str, Any]]) -> None:
    """1 layer of 16 hidden units and 16 of the feed-forward part; 300 words, 64 positions."""
    study = Study.model_validate(new_study())
    found = Estimate(Params.model_validate(compile_study(study, "s")))
    assert found.size == (4 * 16**2 + 2 * 16 * 16 + 364 * 16, 4 * 16**2 + 2 * 16 * 16)
    assert found.operations("pretrain", "small") == BOTH * found.size[1] * 2 * 8 * 32
