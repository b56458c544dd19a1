"""The training loop: the same numbers as plain torch, whatever the processes, stages and stops."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from xstilts import batches, kinds, launch, model, training
from xstilts.errors import UserError
from xstilts.observe import Observe
from xstilts.params import Architecture, Machine, Training

SIZES = {"vocabulary": 40, "layers": 1, "hidden": 16, "heads": 2, "feed_forward": 32}
TRAINING = {"epochs": 3, "batch": 8, "learning_rate": 0.01, "dropout": 0.1, "max_length": 16}
ROWS = 20  # so that a batch straddles two epochs


class Words:
    """All that the loop asks of a tokenizer."""

    pad_token_id = 1


def a_job(title: str = "test", **changes: object) -> training.Job:
    """A small classifier on rows whose label is their first token's parity."""
    rng = np.random.default_rng(0)
    features = []
    for row in range(ROWS):
        ids = [0, *rng.integers(5, 40, rng.integers(2, 9)).tolist(), 2]
        features.append({"ids": [ids], "row": row, "label": ids[1] % 2})
    torch.manual_seed(0)
    settings = Training(**{**TRAINING, **changes})
    shape = Architecture(**SIZES, max_positions=16)
    encoder = model.small_xlmr(shape, 40, settings.dropout).model.roberta
    head = kinds.get("classification").head(16, ["a", "b"], settings.dropout)
    net = model.WithHead(encoder, head)
    return training.Job(title, net, features, kinds.get("classification"), Words(), settings, 1)


def weights_after(folder: Path, machine: Machine, **changes: object) -> dict[str, torch.Tensor]:
    """Train in this process; the weights by name."""
    path, _ = training.train(a_job(**changes), folder, machine, Observe(quiet=True))
    return load_file(path)


def in_a_process(folder: Path, processes: int, zero: int, die_at: int = 0) -> subprocess.Popen:
    """Train in processes of their own, as a stage does; `die_at` kills the group at that step."""
    here = Path(__file__).resolve()
    return subprocess.Popen(
        [sys.executable, str(here), str(folder), str(processes), str(zero), str(die_at)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen) -> None:
    """Wait for it; a failure shows what it said."""
    _, said = process.communicate(timeout=180)
    assert process.returncode == 0, said[-2000:]


def equal(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    """Bit-equal weights."""
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


MACHINE = Machine(threads=1, micro_batch=4, zero=1)


def test_the_update_is_that_of_plain_torch(tmp_path: Path) -> None:
    """DeepSpeed scales losses over micro-batches and workers; a wrong factor trains, but badly."""
    ours = weights_after(tmp_path / "a", MACHINE, dropout=0.0)
    job = a_job(dropout=0.0)
    decayed = [p for n, p in job.model.named_parameters() if not _plain(n)]
    rest = [p for n, p in job.model.named_parameters() if _plain(n)]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=0.01, eps=1e-8)
    steps = training.total_steps(job.training, ROWS)
    for step in range(steps):
        order = batches.batch_indices(ROWS, 8, 1, step)
        batch = [job.features[i] for i in order]
        tensors = batches.collate(batch, 1, torch.device("cpu"))
        loss = job.kind.loss(job.model(**tensors), batch) / 8
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(job.model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = training.learning_rate(job.training, step, steps)
        optimizer.step()
    for name, value in job.model.named_parameters():
        torch.testing.assert_close(ours[name], value.detach(), rtol=1e-4, atol=1e-5)


def _plain(name: str) -> bool:
    return name.endswith("bias") or "LayerNorm" in name


@pytest.mark.parametrize("zero", [0, 2, 3])
def test_the_zero_stage_decides_no_result(tmp_path: Path, zero: int) -> None:
    """ZeRO is hardware: float32 bits of 1 and 2 are equal, 0 and 3 clip in another order."""
    base = weights_after(tmp_path / "one", MACHINE)
    other = weights_after(tmp_path / "other", MACHINE.model_copy(update={"zero": zero}))
    if zero == 2:
        assert equal(base, other)
    for name in base:
        torch.testing.assert_close(base[name], other[name], rtol=1e-3, atol=1e-4)


def test_a_micro_batch_of_another_size_changes_rounding_only(tmp_path: Path) -> None:
    """The loss is a mean over the global batch, however it is cut; dropout aside."""
    whole = weights_after(tmp_path / "a", MACHINE.model_copy(update={"micro_batch": 8}), **NO_DROP)
    parts = weights_after(tmp_path / "b", MACHINE.model_copy(update={"micro_batch": 2}), **NO_DROP)
    for name in whole:
        torch.testing.assert_close(whole[name], parts[name], rtol=1e-3, atol=1e-4)


NO_DROP = {"dropout": 0.0}


def test_bf16_keeps_float32_weights_close_to_those_of_fp32(tmp_path: Path) -> None:
    """Mixed precision rounds in the forward pass; what is published is the float32 master copy."""
    full = weights_after(tmp_path / "fp32", MACHINE, **NO_DROP, steps=4, epochs=None)
    half = weights_after(
        tmp_path / "bf16", MACHINE, **NO_DROP, steps=4, epochs=None, precision="bf16"
    )
    for name in full:
        assert half[name].dtype == torch.float32
        torch.testing.assert_close(half[name], full[name], rtol=0.1, atol=0.05)
    assert any(not torch.equal(half[n], half[n].to(torch.bfloat16).float()) for n in half)


def test_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    """`processes: 2` keeps the global batch, the order of examples and the dropout masks."""
    finish(in_a_process(tmp_path / "one", 1, 1))
    finish(in_a_process(tmp_path / "two", 2, 1))
    one, two = (load_file(tmp_path / name / "trained.safetensors") for name in ("one", "two"))
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("processes", "zero"), [(1, 1), (2, 2)])
def test_a_killed_training_goes_on_to_the_same_bits(
    tmp_path: Path, processes: int, zero: int
) -> None:
    """Killed in the middle of an epoch, with dropout and accumulation: as if nothing had been."""
    finish(in_a_process(tmp_path / "straight", processes, zero))
    killed = in_a_process(tmp_path / "killed", processes, zero, die_at=5)
    killed.communicate(timeout=180)
    assert killed.returncode != 0
    assert (tmp_path / "killed" / "zero" / "latest").exists()
    finish(in_a_process(tmp_path / "killed", processes, zero))
    names = ("straight", "killed")
    straight, resumed = (load_file(tmp_path / name / "trained.safetensors") for name in names)
    assert equal(straight, resumed)
    curves = [json.loads((tmp_path / name / "history.json").read_text())["loss"] for name in names]
    assert curves[0] == curves[1]


def test_the_best_weights_are_kept_and_patience_ends(tmp_path: Path) -> None:
    """`select: best` looks at validation alone: the weights of the best score, not the last."""
    scores = iter([10.0, 30.0, 20.0, 25.0, 5.0, 5.0, 5.0, 5.0])
    seen: list[dict[str, torch.Tensor]] = []

    def evaluate(net: torch.nn.Module) -> float:
        seen.append({n: p.detach().clone() for n, p in net.module.named_parameters()})
        return next(scores)

    job = a_job(select="best", evaluate_every=1, patience=2)
    job.evaluate = evaluate
    path, history = training.train(job, tmp_path, MACHINE, Observe(quiet=True))
    assert [score for _, score in history.validation] == [10.0, 30.0, 20.0, 25.0]
    assert equal(load_file(path), seen[1])


def test_a_loss_that_is_no_number_stops_with_a_mend(tmp_path: Path) -> None:
    """A diverged run must not become a checkpoint that looks like any other."""
    with pytest.raises(UserError, match=r"the loss is (nan|inf).*Mend: lower the learning rate"):
        weights_after(tmp_path, MACHINE, learning_rate=1e30)
    assert not (tmp_path / "trained.safetensors").exists()


@pytest.mark.parametrize("step", [0, 3, 9, 50])
def test_batches_run_through_all_rows_each_epoch(step: int) -> None:
    """Every row is seen once an epoch, also where batches straddle epochs."""
    places = [i for s in range(step, step + ROWS) for i in batches.batch_indices(ROWS, 8, 7, s)]
    start = step * 8
    first_whole = -start % ROWS
    epoch = places[first_whole : first_whole + ROWS]
    assert sorted(epoch) == list(range(ROWS))


def test_the_learning_rate_rises_and_falls_to_zero() -> None:
    """Linear warm-up over a tenth of the steps, then linear decay."""
    settings = Training(**{**TRAINING, "warmup": 0.1})
    rates = [training.learning_rate(settings, step, 100) for step in range(100)]
    assert max(rates) == pytest.approx(0.01)
    assert rates.index(max(rates)) in (9, 10)
    assert rates[0] == pytest.approx(0.001)
    assert rates[-1] == pytest.approx(0.01 / 90)


def _worker(folder: Path, processes: int, zero: int, die_at: int) -> None:
    """What `in_a_process` runs; dies by SIGKILL after `die_at` steps, past a saved state."""
    settings = {"processes": processes, "zero": zero, "threads": 1, "micro_batch": 2}
    machine = Machine(**settings, save_seconds=1e-9)
    training.SAVE_CHECK = 2
    update: Callable[..., float] = training._update

    def dying(engine: object, job: object, step: int, *rest: object) -> float:
        if die_at and step == die_at:
            os.kill(os.getpid(), 9)
        return update(engine, job, step, *rest)

    training._update = dying
    training.train(a_job(), folder, machine, Observe(quiet=True))


if __name__ == "__main__":
    _folder, _processes, _zero, _die_at = sys.argv[1:]
    if int(_processes) > 1 and launch.MEETING not in os.environ:
        sys.exit(launch.run_workers(int(_processes), [sys.executable, *sys.argv]))
    _worker(Path(_folder), int(_processes), int(_zero), int(_die_at))
