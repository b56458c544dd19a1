"""A killed training goes on to the bits of one that was not, and reads no foreign state."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import training_jobs as jobs
from safetensors.torch import load_file

from xstilts.training import loop, state

FIVE = 5  # a step in the middle of an epoch, past a saved state


def same(one: Path, two: Path) -> bool:
    """Bit-equal weights and curves."""
    curves = [json.loads((path / "history.json").read_text()) for path in (one, two)]
    weights = [load_file(path / loop.TRAINED) for path in (one, two)]
    return jobs.equal(*weights) and curves[0] == curves[1]


@pytest.mark.parametrize("zero", [0, 1, 2, 3])
@pytest.mark.parametrize("job", ["single", "mix"])
def test_an_interrupted_training_goes_on_to_the_same_bits(
    tmp_path: Path, job: str, zero: int
) -> None:
    """In the middle of an epoch, with dropout and accumulation, at every ZeRO stage."""
    straight, stopped = str(tmp_path / "straight"), str(tmp_path / "stopped")
    jobs.run(straight, zero, job)
    jobs.run(stopped, zero, job, stop=FIVE)
    assert not (tmp_path / "stopped" / loop.TRAINED).exists()
    assert json.loads((tmp_path / "stopped" / state.HASHES).read_text())["tag"] == "step4"
    jobs.run(stopped, zero, job)
    assert same(tmp_path / "straight", tmp_path / "stopped")


@pytest.mark.parametrize("zero", [1, 3])
@pytest.mark.parametrize(
    "job", ["adapter", "attention", "bf16", "decoder", "decoder-bf16", "prompt"]
)
def test_every_option_goes_on_too(tmp_path: Path, job: str, zero: int) -> None:
    """Frozen weights are part of the state, and the float32 copy of those that are rounded."""
    jobs.run(str(tmp_path / "straight"), zero, job)
    jobs.run(str(tmp_path / "stopped"), zero, job, stop=FIVE)
    jobs.run(str(tmp_path / "stopped"), zero, job)
    assert same(tmp_path / "straight", tmp_path / "stopped")


def test_a_state_that_was_half_deleted_is_trained_anew(tmp_path: Path) -> None:
    """A stop in the middle of deleting a done training's files must not spoil the next start."""
    for name in ("straight", "deleted"):
        jobs.run(str(tmp_path / name), 1, "single")
    (tmp_path / "deleted" / loop.TRAINED).unlink()
    jobs.run(str(tmp_path / "deleted"), 1, "single")
    assert same(tmp_path / "straight", tmp_path / "deleted")


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_and_go_on_to_the_same_bits(tmp_path: Path) -> None:
    """`processes: 2` keeps batch, order and dropout; stopped and resumed at every ZeRO stage."""
    several = [(0, "single"), (1, "mix"), (2, "single"), (3, "mix"), (1, "decoder"), (3, "decoder")]
    straight, stopped = (
        {one: tmp_path / how / one[1] / str(one[0]) for one in several} for how in ("all", "some")
    )
    plan: list[dict[str, Any]] = []
    for one in several:
        run = {"zero": one[0], "job": one[1]}
        plan += [
            {**run, "folder": straight[one]},
            {**run, "folder": stopped[one], "stop": FIVE},
            {**run, "folder": stopped[one]},
        ]
    jobs.finish(jobs.apart(2, *plan))
    for one in several:
        assert same(straight[one], stopped[one])
    for zero, job in ((0, "single"), (3, "mix"), (1, "decoder")):
        jobs.run(str(tmp_path / "alone" / job), zero, job)
        alone, both = (
            load_file(path / loop.TRAINED)
            for path in (tmp_path / "alone" / job, straight[zero, job])
        )
        assert max(float((alone[name] - both[name]).abs().max()) for name in alone) < 1e-3


@pytest.mark.parametrize(
    ("processes", "zero"), [(1, 1), pytest.param(2, 2, marks=pytest.mark.slow)]
)
def test_a_killed_process_leaves_a_state_to_go_on_from(
    tmp_path: Path, processes: int, zero: int
) -> None:
    """SIGKILL leaves no time for anything."""
    straight, killed = ({"folder": tmp_path / name, "zero": zero} for name in ("one", "two"))
    dead = jobs.apart(processes, {**killed, "die": FIVE})
    dead.communicate(timeout=170)
    assert dead.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
    assert (tmp_path / "two" / state.HASHES).exists()
    jobs.finish(jobs.apart(processes, straight, killed))
    assert same(tmp_path / "one", tmp_path / "two")


def altered(path: Path) -> None:
    """One bit of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("what", ["optimizer", "model", "more", "less", "hashes"])
def test_a_state_that_was_altered_is_not_read(
    tmp_path: Path, what: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a pickle, which can run code: the training begins anew instead, and says so."""
    jobs.run(str(tmp_path / "straight"), 1)
    place = tmp_path / "stopped"
    jobs.run(str(place), 1, stop=FIVE)
    (optimizer,) = place.glob("zero/step4/*optim_states.pt")
    (model,) = place.glob("zero/step4/*model_states.pt")
    spoil = {
        "optimizer": lambda: altered(optimizer),
        "model": lambda: altered(model),
        "more": lambda: (place / "zero" / "step4" / "bf16_more.pt").write_bytes(b"x"),
        "less": optimizer.unlink,
        "hashes": lambda: (place / state.HASHES).write_text("{"),
    }
    spoil[what]()
    taken: list[int] = []
    update = loop._update
    monkeypatch.setattr(loop, "_update", lambda *run: taken.append(run[-2]) or update(*run))
    capfd.readouterr()
    jobs.run(str(place), 1)
    said = capfd.readouterr().err
    assert "is not what was written there" in said
    assert "the training begins anew" in said
    assert taken == list(range(8))
    assert same(tmp_path / "straight", place)


@pytest.mark.parametrize("counted", [True, False])
def test_a_state_counts_when_its_hashes_are_there(
    tmp_path: Path, counted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while a state is written: what is half there is not looked at, and goes at once.

    Later it would be deleted as an older one, while a state is written in its place again.
    """
    jobs.run(str(tmp_path / "straight"), 1)
    place = tmp_path / "stopped"
    jobs.run(str(place), 1, stop=FIVE)
    half = place / "zero" / "step6"
    half.mkdir()
    (half / "mp_rank_00_model_states.pt").write_bytes(b"half")
    if not counted:
        (place / state.HASHES).unlink()
    there: list[bool] = []
    update = loop._update
    monkeypatch.setattr(loop, "_update", lambda *run: there.append(half.exists()) or update(*run))
    jobs.run(str(place), 1)
    assert not there[0]
    assert same(tmp_path / "straight", place)
    assert not (place / "zero").exists()
    assert not (place / state.HASHES).exists()


def test_only_the_latest_state_is_kept(tmp_path: Path) -> None:
    """A state of XLM-R Large takes 6.7 GB."""
    jobs.run(str(tmp_path), 1, stop=7)
    assert [path.name for path in (tmp_path / "zero").glob("step*")] == ["step6"]
