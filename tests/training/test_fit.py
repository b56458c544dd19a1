"""Activation checkpointing and offload: the bits of a training without them, and chosen by need."""

import gc
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import training_encoders as encoders
import training_jobs as jobs
from training_jobs import equal

from xstilts.core.errors import UserError
from xstilts.core.machine import Machine
from xstilts.kinds import modules
from xstilts.training import fit, loop
from xstilts.training.memory import USABLE, Layout, Micro, Shape, needed

MACHINE = Machine(threads=1, micro_batch=4)
TWICE = Machine(threads=1, micro_batch=4, activation_checkpointing=True)
TRAINING = jobs.a_run(Path(), MACHINE).spec.training


@pytest.fixture
def checkpointed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Layers' calls by torch's checkpoint, each of which computes its layer a second time."""
    calls: list[Any] = []
    original = torch.utils.checkpoint.checkpoint

    def counted(*given: Any, **more: Any) -> Any:
        calls.append(given[0])
        return original(*given, **more)

    monkeypatch.setattr("transformers.modeling_utils.checkpoint", counted)
    return calls


@pytest.mark.parametrize("name", encoders.NAMES)
def test_activations_that_are_computed_twice_change_no_bit(
    name: str, tmp_path: Path, checkpointed: list[Any]
) -> None:
    """A layer draws the same dropout masks the second time, in every architecture."""
    folder = encoders.checkpoint(name, tmp_path / name)
    features = encoders.classified(name, jobs.ROWS)
    data = [loop.HeadData("parity", modules.get("classification"), features)]
    spec = jobs.a_run(tmp_path, MACHINE).spec
    found = []
    for machine in (MACHINE, TWICE):
        setup = jobs.a_run(tmp_path, machine).setup
        state = tmp_path / str(machine.activation_checkpointing)
        path, history = loop.train(
            loop.Run(spec, partial(encoders.with_head, folder), data, state, setup)
        )
        found.append((loop.load_file(path), history.loss))
        assert bool(checkpointed) == (machine is TWICE)
    assert equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


@pytest.mark.parametrize("job", ["mix", "attention", "adapter", "bf16"])
def test_nor_do_they_under_other_heads_and_precisions(
    job: str, tmp_path: Path, checkpointed: list[Any]
) -> None:
    """Adapters leave inputs without gradients, and a mix changes its head from update to update."""
    plain, history = jobs.trained(tmp_path / "a", MACHINE, job)
    assert not checkpointed
    twice, again = jobs.trained(tmp_path / "b", TWICE, job)
    assert checkpointed
    assert equal(plain, twice)
    assert history.loss == again.loss


def same(folder: Path, *names: str) -> bool:
    """Whether trainings in processes of their own ended with equal weights."""
    found = [loop.load_file(folder / name / loop.TRAINED) for name in names]
    return all(equal(found[0], other) for other in found[1:])


def test_two_processes_offload_and_compute_twice_to_the_same_bits(tmp_path: Path) -> None:
    """As far as a CPU can tell, as what is moved to it is there already; a state is read again.

    Stage 3 sums the norm of gradients that were moved in another order: equal but for rounding.
    It comes last, as it leaves torch's linear layers changed.
    """
    ways: dict[str, dict[str, Any]] = {
        "plain": {},
        "twice": {"activation_checkpointing": True},
        "optimizer": {"offload": "optimizer"},
        "stopped": {"offload": "optimizer", "stop": 5},
        "again": {"offload": "optimizer"},
    }
    plan = [(zero, name, way) for zero in (1, 2, 3) for name, way in ways.items()]
    plan.append((3, "parameters", {"offload": "parameters"}))
    runs = []
    for zero, name, way in plan:
        place = tmp_path / f"{zero}-{'stopped' if name == 'again' else name}"
        runs.append({"folder": place, "zero": zero, **way})
    jobs.finish(jobs.apart(2, *runs))
    for zero in (1, 2, 3):
        plain, twice, moved, stopped = (f"{zero}-{name}" for name in [*ways][:4])
        assert same(tmp_path, plain, twice)
        assert same(tmp_path, moved, stopped)
        assert zero == 3 or same(tmp_path, plain, moved)
    assert same(tmp_path, "3-optimizer", "3-parameters")
    one, other = (loop.load_file(tmp_path / n / loop.TRAINED) for n in ("3-plain", "3-optimizer"))
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=1e-3, atol=5e-4)


def bytes_of(run: loop.Run, twice: bool) -> float:
    """What a run is predicted to need."""
    model = run.build()
    weights = sum(weight.numel() for weight in model.parameters())
    shape = Shape.of_config(model.encoder.config.to_dict(), weights)
    layout = Layout.of(run.setup.machine, run.spec.training, "cpu")
    longest = max(len(one["ids"][0]) for one in run.data[0].features)
    return needed(shape, run.spec.training, Micro(4 * longest, longest, 0, True), layout, twice)


def test_activations_are_computed_twice_only_where_they_would_not_fit(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    checkpointed: list[Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By the rows that there are, where those that there might be would not fit."""
    run = jobs.a_run(tmp_path / "a", MACHINE)
    plain, twice = bytes_of(run, False), bytes_of(run, True)
    assert twice < plain
    monkeypatch.setattr(fit, "free", lambda workers: 1.001 * plain / USABLE)
    weights, _ = jobs.trained(tmp_path / "a", MACHINE)
    assert not checkpointed
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(fit, "free", lambda workers: 0.999 * plain / USABLE)
    other, _ = jobs.trained(tmp_path / "b", MACHINE)
    assert checkpointed
    assert equal(weights, other)
    assert re.search(
        r"single: activations are computed twice.*GB are free", capsys.readouterr().err
    )


def test_what_fits_in_no_way_is_told_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by the kernel, which kills without a word; who asks for a way gets it all the same."""
    run = jobs.a_run(tmp_path / "a", MACHINE)
    monkeypatch.setattr(fit, "free", lambda workers: 0.9 * bytes_of(run, True))
    says = r"single would take about 0\.0 GB of memory, and 0\.0 GB are free\. Mend: end what"
    with pytest.raises(UserError, match=says):
        loop.train(run)
    assert not (tmp_path / "a").exists()
    for asked in (True, False):
        machine = MACHINE.model_copy(update={"activation_checkpointing": asked})
        jobs.trained(tmp_path / str(asked), machine, steps=1, epochs=None)


def test_a_system_that_does_not_tell_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpointed: list[Any]
) -> None:
    """Without /proc there is nothing to compare with."""
    monkeypatch.setattr(fit.machine_memory, "available", lambda: 0)
    jobs.trained(tmp_path, MACHINE, steps=1, epochs=None)
    assert not checkpointed


@pytest.mark.parametrize(
    ("given", "stage"),
    [
        ({}, 0),
        ({"processes": 2}, 1),
        ({"offload": "optimizer"}, 1),
        ({"offload": "parameters"}, 3),
        ({"offload": "optimizer", "zero": 3}, 3),
    ],
)
def test_the_stage_is_the_least_that_can_do_what_is_asked(given: Any, stage: int) -> None:
    """Nobody needs to know which stage of ZeRO moves what."""
    assert Machine(**given).stage == stage


@pytest.mark.parametrize("zero", [0, 1, 2, 3])
def test_a_training_leaves_nothing_behind(tmp_path: Path, zero: int) -> None:
    """Phase iii trains one target after another: a second model would lie beside the first one's.

    Without the garbage collector, which comes when it likes.
    """

    def numbers() -> int:
        held = {
            id(one.untyped_storage()): one.untyped_storage().nbytes()
            for one in gc.get_objects()
            if isinstance(one, torch.Tensor)
        }
        return sum(held.values()) // 4

    machine = Machine(threads=1, micro_batch=4, zero=zero)
    weights = sum(weight.numel() for weight in jobs.model("single", 0.1).parameters())
    gc.collect()
    before = numbers()
    gc.disable()
    try:
        loop.train(jobs.a_run(tmp_path, machine, steps=2, epochs=None))
        assert numbers() - before < weights
    finally:
        gc.enable()
