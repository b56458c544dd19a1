"""Threads that take a micro-batch each, and embeddings by the rows read: no bit by either."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import training_encoders as encoders
import training_jobs as jobs
from torch import nn
from training_jobs import equal

from xstilts.core import kernels
from xstilts.core.machine import Machine
from xstilts.kinds import modules
from xstilts.training import loop, rows
from xstilts.training.predict import predict

ALONE = Machine(threads=1, micro_batch=2)
ABREAST = Machine(threads=3, micro_batch=2)  # four micro-batches by three threads


@pytest.fixture
def lanes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many went side by side, at each time."""
    seen: list[int] = []
    original = kernels.abreast

    def counted(given: Any) -> Any:
        seen.append(len(given))
        return original(given)

    monkeypatch.setattr(kernels, "abreast", counted)
    return seen


def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let gradients of embeddings be those of all rows, as torch has them."""
    monkeypatch.setattr(rows, "of", lambda engine: None)


@pytest.mark.parametrize("name", encoders.NAMES)
def test_neither_changes_a_bit_of_any_architecture(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lanes: list[int]
) -> None:
    """Against one thread and whole gradients."""
    folder = encoders.checkpoint(name, tmp_path / name)
    features = encoders.classified(name, jobs.ROWS)
    data = [loop.HeadData("parity", modules.get("classification"), features)]
    spec, found = jobs.a_run(tmp_path, ALONE).spec, []
    for machine in (ABREAST, ALONE, ALONE):
        setup = jobs.a_run(tmp_path, machine).setup
        run = loop.Run(spec, partial(encoders.with_head, folder), data, tmp_path / "s", setup)
        path, history = loop.train(run)
        found.append((loop.load_file(path), history.loss))
        for file in run.state.iterdir():
            file.unlink()
        if machine is ABREAST:
            assert 3 in lanes
        elif len(found) == 2:
            whole(monkeypatch)
    for other in found[1:]:
        assert equal(found[0][0], other[0])
        assert found[0][1] == other[1]


@pytest.mark.parametrize("job", ["mix", "attention", "adapter"])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_nor_of_any_head(
    job: str, decay: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lanes: list[int]
) -> None:
    """A mix has a language head with the embedding's weights; adapters leave it as it is."""
    settings = {"weight_decay": decay, "clip": 0.05}
    plain, history = jobs.trained(tmp_path / "a", ABREAST, job, **settings)
    assert 3 in lanes
    assert equal(plain, jobs.trained(tmp_path / "b", ALONE, job, **settings)[0])
    whole(monkeypatch)
    other, same = jobs.trained(tmp_path / "c", ALONE, job, **settings)
    assert equal(plain, other)
    assert history.loss == same.loss


def test_rows_are_caught_where_they_are_all_of_an_embedding(tmp_path: Path) -> None:
    """Not under a language head, nor with ZeRO, bf16 or a second use of the weights."""
    found: list[Any] = []
    original = rows.of

    def seen(engine: Any) -> Any:
        found.append(original(engine))
        return found[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "of", seen)
        for job in ("single", "mix", "adapter", "bf16"):
            jobs.trained(tmp_path / job, ALONE, job)
        jobs.trained(tmp_path / "zero", ALONE.model_copy(update={"zero": 1}))
    assert [one is not None for one in found] == [True, False, False, False, False]


def test_memory_of_what_was_moved_outlives_a_stop(tmp_path: Path) -> None:
    """Rows that the batches before an interruption read go on by their moments."""
    fit = {"epochs": 8, "clip": 0.05}
    straight, _ = jobs.trained(tmp_path / "a", ALONE, **fit)
    undone = jobs.stop_at(13)
    monkey = pytest.MonkeyPatch()
    monkey.setattr(loop, "SAVE_CHECK", 2)
    monkey.setattr(loop, "LOOK", float("inf"))  # however slow this machine is
    try:
        with pytest.raises(jobs.Stopped):
            jobs.trained(tmp_path / "b", ALONE.model_copy(update=jobs.EVER), **fit)
    finally:
        loop._update = undone
        monkey.undo()
    assert list((tmp_path / "b").rglob("hashes.json"))
    again, _ = jobs.trained(tmp_path / "b", ABREAST, **fit)
    assert equal(straight, again)


def test_a_failure_in_one_thread_is_that_of_the_training() -> None:
    """All threads are waited for, and the first failure is told."""
    kernels.install(3)
    done: list[int] = []

    def job(number: int) -> int:
        if number == 1:
            raise ValueError("number 1")
        done.append(number)
        return number

    with pytest.raises(ValueError, match="number 1"):
        kernels.abreast([partial(job, number) for number in range(3)])
    assert sorted(done) == [0, 2]
    assert list(kernels.each(lambda number: number + 1, range(8))) == list(range(1, 9))


def test_threads_help_in_what_needs_no_gradients() -> None:
    """They are in that mode, too: elsewhere its tensors cannot be written."""
    kernels.install(3)
    a, b, x = torch.randn(2048, 300), torch.randn(300, 400), torch.randn(3, kernels.ELEMENTS)
    with torch.inference_mode():
        ((product, bent),) = kernels.abreast([lambda: (a @ b, torch.nn.functional.gelu(x))])
    assert torch.equal(product, a @ b)
    assert torch.equal(bent, torch.nn.functional.gelu(x))


def test_predictions_are_those_of_one_thread(tmp_path: Path, lanes: list[int]) -> None:
    """In the order of the features, whatever their lengths."""
    folder = encoders.checkpoint("xlm-roberta", tmp_path / "x")
    features, found = encoders.classified("xlm-roberta", 40), []
    for machine in (ALONE, ABREAST):
        workers = jobs.a_run(tmp_path, machine).setup.workers
        net: nn.Module = encoders.with_head(folder)
        found.append(predict(net, modules.get("classification"), features, 0, 30, workers, part=0))
    assert max(lanes) == 3
    assert all(
        torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(*found, strict=True)
    )
