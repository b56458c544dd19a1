"""States are written while training goes on: what they hold, when they count, how they fail."""

import json
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import training_jobs as jobs
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from xstilts.core import files, memory
from xstilts.core.errors import UserError
from xstilts.training import loop, state, writer

SECONDS = st.floats(1e-3, 1e4)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A look at the clock every other step; and no thread is left behind."""
    monkeypatch.setattr(loop, "SAVE_CHECK", 2)
    monkeypatch.setattr(loop, "LOOK", float("inf"))  # however slow this machine is
    yield
    assert not [one for one in threading.enumerate() if one.name.startswith("state")]


def tag(place: Path) -> str:
    """The state that counts."""
    return str(json.loads((place / state.HASHES).read_text())["tag"])


def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The updates that are done from here on."""
    steps: list[int] = []
    update = loop._update
    monkeypatch.setattr(loop, "_update", lambda *run: steps.append(run[-2]) or update(*run))
    return steps


def same(one: Path, two: Path) -> bool:
    """Bit-equal weights."""
    return jobs.equal(*(load_file(place / loop.TRAINED) for place in (one, two)))


@given(SECONDS, st.floats(1e-3, 1), st.lists(SECONDS, min_size=1))
def test_states_take_a_small_share_of_the_time(
    seconds: float, share: float, costs: list[float]
) -> None:
    """However long each takes; one that costs next to nothing comes as often as is asked for."""
    pauses = [state.pause(seconds, share, cost) for cost in costs]
    assert sum(costs) <= share * sum(pauses) * (1 + 1e-9)
    for cost, pause in zip(costs, pauses, strict=True):
        assert pause >= seconds
        assert pause == seconds or pause * share == pytest.approx(cost)


@pytest.mark.parametrize("zero", [0, 1, 2, 3])
def test_a_state_is_that_of_its_step_whenever_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zero: int
) -> None:
    """The thread is held up until the weights have changed."""
    jobs.run(str(tmp_path / "straight"), zero)
    changed, update, write = threading.Event(), loop._update, writer.HashedFile.write

    def changing(run: Any, engine: Any, step: int, batch: Any) -> torch.Tensor:
        loss: torch.Tensor = update(run, engine, step, batch)
        if step == 2:
            changed.set()
        return loss

    def late(file: writer.HashedFile, data: Any) -> int:
        assert changed.wait(60)
        return write(file, data)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_update", changing)
        patch.setattr(writer.HashedFile, "write", late)
        jobs.run(str(tmp_path / "held"), zero, stop=3)
    assert tag(tmp_path / "held") == "step2"
    steps = taken(monkeypatch)
    jobs.run(str(tmp_path / "held"), zero)
    assert steps == list(range(2, 8))
    assert same(tmp_path / "straight", tmp_path / "held")


def test_without_memory_for_a_copy_training_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of memory would be the end of the training; the state is as good."""
    monkeypatch.setattr(memory, "available", lambda: 0)
    monkeypatch.setattr(writer, "Copy", None)
    jobs.run(str(tmp_path / "straight"), 1)
    jobs.run(str(tmp_path / "stopped"), 1, stop=5)
    assert tag(tmp_path / "stopped") == "step4"
    steps = taken(monkeypatch)
    jobs.run(str(tmp_path / "stopped"), 1)
    assert steps == list(range(4, 8))
    assert same(tmp_path / "straight", tmp_path / "stopped")


def test_a_kill_before_the_hashes_leaves_the_state_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All files of the new one are there, which nobody has said yet."""
    jobs.run(str(tmp_path / "straight"), 1)
    count = state._count

    def killed(latest: Path, *rest: Any) -> dict[str, str]:
        return {} if latest.name == "step4" else count(latest, *rest)

    place = tmp_path / "killed"
    with monkeypatch.context() as patch:
        patch.setattr(state, "_count", killed)
        jobs.run(str(place), 1, stop=5)
    assert tag(place) == "step2"
    assert sorted(path.name for path in place.glob("zero/step*")) == ["step2", "step4"]
    steps = taken(monkeypatch)
    jobs.run(str(place), 1)
    assert steps == list(range(2, 8))
    assert same(tmp_path / "straight", place)


@pytest.mark.parametrize("room", [1 << 40, 0])
def test_a_disk_that_is_full_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """In the thread as on the training's path: the file, the reason, the mend."""
    monkeypatch.setattr(memory, "available", lambda: room)
    load = state.load

    def full(*run: Any) -> Any:
        found = load(*run)
        for name in ("mp_rank_00_model_states.pt", "zero_pp_rank_0_mp_rank_00_optim_states.pt"):
            file = tmp_path / "zero/step2" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.symlink_to("/dev/full")
        return found

    monkeypatch.setattr(state, "load", full)
    with pytest.raises(UserError, match=r"step2/.*_states\.pt: the disk is full\. Mend: make room"):
        jobs.run(str(tmp_path), 1)
    assert not (tmp_path / state.HASHES).exists()


def test_the_end_of_a_training_waits_for_no_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be deleted at once."""

    def slow(file: writer.HashedFile, data: Any) -> int:
        assert file.abandoned.wait(60)
        raise writer.Abandoned

    monkeypatch.setattr(loop, "SAVE_CHECK", 6)
    monkeypatch.setattr(loop, "LOOK", float("inf"))  # however slow this machine is
    monkeypatch.setattr(writer.HashedFile, "write", slow)
    machine = jobs.Machine(zero=1, threads=1, micro_batch=2, **jobs.EVER)
    _, history = jobs.trained(tmp_path, machine)
    assert history.step == 8
    assert not (tmp_path / "zero").exists()


def test_a_large_model_does_not_begin_with_a_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the first one will cost is guessed from its bytes: here a day and more."""
    monkeypatch.setattr(state, "RATE", 1.0)
    often = {**jobs.EVER, "save_share": 0.5}
    machine = jobs.Machine(zero=1, threads=1, micro_batch=2, **often)
    monkeypatch.setattr(writer.Writer, "save", None)
    jobs.trained(tmp_path, machine)


@given(st.lists(st.binary(max_size=40)))
def test_a_file_is_hashed_as_it_is_written(pieces: list[bytes]) -> None:
    """Whatever the pieces are, and wherever a block ends in one."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(writer, "BLOCK", 16)
        path = Path(folder) / "file"
        with writer.HashedFile(path, threading.Event()) as file:
            assert [file.write(piece) for piece in pieces] == [len(piece) for piece in pieces]
        assert path.read_bytes() == b"".join(pieces)
        assert file.digest.hexdigest() == files.sha256_file(path)


def test_shared_tensors_need_memory_once() -> None:
    """As `torch.save` writes them: a tied embedding, slices of one buffer."""
    buffer = torch.zeros(100)
    content = {"a": buffer, "b": [buffer[:50], (buffer[50:],)], "c": torch.zeros(7), "d": "text"}
    assert writer.storage_bytes(content) == 107 * 4
