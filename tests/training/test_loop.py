"""The training loop: the same numbers as plain torch, whatever the machine's layout."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import training_jobs as jobs
from safetensors.torch import load_file
from training_jobs import equal, trained
from transformers import AutoConfig, AutoModel

from xstilts.core.errors import UserError
from xstilts.core.machine import Machine
from xstilts.core.params import Training
from xstilts.training import batches, engine, loop, predict, schedule

MACHINE = Machine(threads=1, micro_batch=4, zero=1)


def on(**changes: Any) -> Machine:
    """The usual machine, changed."""
    return MACHINE.model_copy(update=changes)


def test_the_update_is_that_of_plain_torch(tmp_path: Path) -> None:
    """DeepSpeed scales losses over micro-batches and workers; a wrong factor trains, but badly."""
    ours, _ = trained(tmp_path / "a", MACHINE, dropout=0.0)
    run = jobs.a_run(tmp_path, MACHINE, dropout=0.0)
    model, (head,) = run.build(), run.data
    decayed = [p for n, p in model.named_parameters() if not _plain(n)]
    rest = [p for n, p in model.named_parameters() if _plain(n)]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=0.01, eps=1e-8)
    steps = len(run.schedule)
    for step in range(steps):
        order = batches.batch_indices(jobs.ROWS, 8, 1, step)
        batch = [head.features[i] for i in order]
        packed = batches.collate(batch, head.kind, 1, torch.device("cpu"))
        loss = head.kind.loss(model(packed), batch) / 8
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = schedule.learning_rate(run.spec.training, step, steps)
        optimizer.step()
    for name, value in model.named_parameters():
        torch.testing.assert_close(ours[name], value.detach(), rtol=1e-4, atol=1e-5)


def _plain(name: str) -> bool:
    return name.endswith("bias") or "LayerNorm" in name


SMALL = {
    "mt5": {"d_kv": 4, "d_ff": 32, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2},
    "mbart": dict.fromkeys(("encoder_layers", "decoder_layers"), 1) | {"pad_token_id": 1},
    "m2m_100": dict.fromkeys(("encoder_layers", "decoder_layers"), 1) | {"pad_token_id": 1},
    "modernbert": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    | {"pad_token_id": 1},
    "deberta-v2": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2},
}


@pytest.mark.parametrize("name", SMALL)
def test_no_norm_and_no_bias_is_decayed(name: str) -> None:
    """Each architecture has norms of its own; who goes by torch's class misses mT5's."""
    size = {"vocab_size": 50, "d_model": 16, **SMALL[name]}
    model = AutoModel.from_config(AutoConfig.for_model(name, **size))
    decayed, plain = (group["params"] for group in engine._groups(model, 0.1))
    names = {id(one): known for known, one in model.named_parameters()}
    bare = re.compile(r"norm|bias$", re.IGNORECASE)
    assert {names[id(one)] for one in plain} == set(filter(bare.search, names.values()))
    assert decayed


@pytest.mark.parametrize("job", ["single", "mix", "attention", "adapter"])
def test_the_zero_stage_decides_no_result(tmp_path: Path, job: str) -> None:
    """ZeRO is hardware: losses and weights agree to rounding (stages clip in different orders).

    In a mix each update leaves heads out, which stage 3 alone would train otherwise.
    """
    weights, history = trained(tmp_path / "0", on(zero=0), job)
    for zero in (1, 2, 3):
        other, found = trained(tmp_path / str(zero), on(zero=zero), job)
        assert found.loss.keys() == history.loss.keys()
        for name, points in history.loss.items():
            assert found.loss[name] == [
                [step, pytest.approx(mean, rel=2e-6)] for step, mean in points
            ]
        assert other.keys() == weights.keys()
        for name, value in weights.items():
            torch.testing.assert_close(other[name], value, rtol=1e-3, atol=5e-4)


def test_a_micro_batch_of_another_size_changes_rounding_only(tmp_path: Path) -> None:
    """The loss is a mean over the global batch, however it is cut; dropout aside."""
    whole, _ = trained(tmp_path / "a", on(micro_batch=8), dropout=0.0)
    parts, _ = trained(tmp_path / "b", on(micro_batch=2), dropout=0.0)
    for name in whole:
        torch.testing.assert_close(whole[name], parts[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("zero", [0, 1, 2, 3])
def test_bf16_keeps_float32_weights_close_to_those_of_fp32(tmp_path: Path, zero: int) -> None:
    """Mixed precision rounds in the forward pass; what is published is the float32 master copy."""
    short = {"dropout": 0.0, "steps": 4, "epochs": None}
    full, _ = trained(tmp_path / "fp32", on(zero=zero), **short)
    half, _ = trained(tmp_path / "bf16", on(zero=zero), **short, precision="bf16")
    for name in full:
        assert half[name].dtype == torch.float32
        torch.testing.assert_close(half[name], full[name], rtol=0.1, atol=0.05)
    assert any(not torch.equal(half[n], half[n].to(torch.bfloat16).float()) for n in half)


def test_frozen_weights_are_not_in_the_file(tmp_path: Path) -> None:
    """In bf16 only rounded copies of them are at hand, never to be passed on."""
    weights, _ = trained(tmp_path, MACHINE, "adapter", precision="bf16", steps=2, epochs=None)
    assert weights
    assert all("lora" in name or name.startswith("heads") for name in weights)
    net = jobs.model("adapter", 0.0)
    loop.load_weights(net, tmp_path / loop.TRAINED)
    with pytest.raises(UserError, match=r"of another model .*Mend: delete it"):
        loop.load_weights(jobs.model("single", 0.0), tmp_path / loop.TRAINED)


def test_the_best_weights_are_kept_and_patience_ends(tmp_path: Path) -> None:
    """`select: best` looks at validation alone: the weights of the best score, not the last."""
    scores = iter([10.0, 30.0, 20.0, 25.0, 5.0, 5.0, 5.0, 5.0])
    seen: list[dict[str, torch.Tensor]] = []

    def evaluate(net: Any) -> float:
        seen.append({n: p.detach().clone() for n, p in net.module.named_parameters()})
        return next(scores)

    best = {"select": "best", "evaluate_every": 1, "patience": 2}
    path, history = loop.train(jobs.a_run(tmp_path, MACHINE, score=evaluate, **best))
    assert [score for _, score in history.validation] == [10.0, 30.0, 20.0, 25.0]
    assert equal(load_file(path), seen[1])


def test_a_kill_after_the_last_update_does_not_lose_the_best_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resumed training scores no higher, and so has no second chance to write them."""
    monkeypatch.setattr(loop, "SAVE_CHECK", 1)
    monkeypatch.setattr(loop, "LOOK", float("inf"))  # however slow this machine is
    scores = iter(range(100, 0, -1))  # the first is the best
    best = {"select": "best", "evaluate_every": 1, "patience": 99}
    machine = on(**jobs.EVER)
    run = jobs.a_run(tmp_path, machine, score=lambda net: float(next(scores)), **best)
    write = loop.files.write_json

    def killed(path: Path, value: Any) -> None:
        if path.name == "history.json":
            raise KeyboardInterrupt
        write(path, value)

    with monkeypatch.context() as patch:
        patch.setattr(loop.files, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            loop.train(run)
    first = load_file(tmp_path / loop.TRAINED)
    path, _ = loop.train(jobs.a_run(tmp_path, machine, score=lambda net: 0.0, **best))
    assert equal(load_file(path), first)


def test_a_loss_that_is_no_number_stops_with_a_mend(tmp_path: Path) -> None:
    """A diverged run must not become a checkpoint that looks like any other."""
    with pytest.raises(UserError, match=r"the loss is (nan|inf).*Mend: lower the learning rate"):
        trained(tmp_path, MACHINE, learning_rate=1e30)
    assert not (tmp_path / loop.TRAINED).exists()


def test_losses_are_read_only_when_they_are_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To read one keeps the host waiting for a GPU; their curve is the mean of all all the same."""
    monkeypatch.setattr(loop, "LOG_POINTS", 2)
    monkeypatch.setattr(loop, "SAVE_CHECK", 5)
    monkeypatch.setattr(loop, "LOOK", float("inf"))  # however slow this machine is
    read, made = [], []
    note, update = loop._note, loop._update
    monkeypatch.setattr(loop, "_note", lambda *run: read.append(run[1].step) or note(*run))
    monkeypatch.setattr(loop, "_update", lambda *run: made.append(update(*run)) or made[-1])
    _, history = trained(tmp_path, MACHINE, steps=12, epochs=None)
    assert read == [5, 6, 10, 12]
    each = [float(loss) for loss in made]
    assert history.loss == {"loss": [[6, sum(each[:6]) / 6], [12, sum(each[6:]) / 6]]}
    assert not history.recent


@pytest.mark.parametrize("lost", [1, 5, 6, 7, 12])
def test_nothing_is_written_after_a_loss_that_is_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    """It is read some updates late: a state of after it would be gone on from, and be believed."""
    monkeypatch.setattr(loop, "LOG_POINTS", 1)
    monkeypatch.setattr(loop, "SAVE_CHECK", 3)
    monkeypatch.setattr(loop, "LOOK", float("inf"))  # however slow this machine is
    update = loop._update

    def losing(run: Any, engine: Any, step: int, batch: Any) -> torch.Tensor:
        return update(run, engine, step, batch) * (torch.nan if step + 1 >= lost else 1.0)

    monkeypatch.setattr(loop, "_update", losing)
    scored: list[Any] = []
    best = {"select": "best", "evaluate_every": 4, "steps": 12, "epochs": None}
    run = jobs.a_run(
        tmp_path,
        on(save_seconds=1e-9, save_share=1),
        score=lambda net: scored.append(net) or 1.0,
        **best,
    )
    with pytest.raises(loop.Diverged, match=rf"the loss is nan at step {lost}\. Mend: lower"):
        loop.train(run)
    last = (lost - 1) // 3 * 3
    kept = [path.name for path in tmp_path.glob("zero/step*")]
    assert len(kept) == (last > 0)
    assert {*kept} <= {f"step{step}" for step in range(3, last + 1, 3)}  # one may be on its way
    assert len(scored) == (lost - 1) // 4
    assert not (tmp_path / loop.TRAINED).exists()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_weights_that_are_no_number_are_not_written(tmp_path: Path, precision: str) -> None:
    """The loss of the last update is that of the weights before it."""
    last = {"steps": 1, "epochs": None, "precision": precision}
    with pytest.raises(loop.Diverged, match=r"is no number after the last update\. Mend"):
        trained(tmp_path, MACHINE, learning_rate=1e39, **last)
    assert not (tmp_path / loop.TRAINED).exists()


def test_a_gpu_takes_more_tokens_at_a_time() -> None:
    """It waits for its orders where they are few; what is asked for holds on both."""
    settings = Training(**{**jobs.TRAINING, "batch": 32, "max_length": 384})
    counts = [engine.accumulation(settings, Machine(), 1, 1, where) for where in ("cpu", "cuda")]
    assert counts == [8, 1]
    assert engine.accumulation(settings, on(micro_batch=8), 1, 1, "cuda") == 4


def test_predictions_on_a_gpu_round_no_finer_than_the_training_did() -> None:
    """TF32 for what bf16 trained, and only there; afterwards all is as before."""
    rounding = torch.get_float32_matmul_precision
    before = rounding()
    for precision, where, wanted in (
        ("bf16", "cuda", "high"),
        ("fp32", "cuda", before),
        ("bf16", "cpu", before),
    ):
        with predict._products(precision, torch.device(where)):
            assert rounding() == wanted
        assert rounding() == before


def test_each_part_of_a_mix_has_a_curve(tmp_path: Path) -> None:
    """A mix whose mean loss falls may hide a part that learns nothing."""
    _, history = trained(tmp_path, MACHINE, "mix")
    parts = jobs.a_run(tmp_path, MACHINE, "mix").schedule.parts
    steps = {
        name: [int(i) + 1 for i in (parts == part).nonzero()[0]]
        for part, name in enumerate(("parity", "tags", "text"))
    }
    for name, taken in steps.items():
        assert [step for step, _ in history.curves()[f"loss.{name}"]] == taken
    means = {step: mean for name in steps for step, mean in history.loss[f"loss.{name}"]}
    assert history.loss["loss"] == [[step, means[step]] for step in sorted(means)]
    assert history.losses()["loss.text"] == history.loss["loss.text"][-1][1]


@pytest.mark.parametrize("step", [0, 3, 9, 50])
def test_batches_run_through_all_rows_each_epoch(step: int) -> None:
    """Every row is seen once an epoch, also where batches straddle epochs."""
    rows = jobs.ROWS
    places = [i for s in range(step, step + rows) for i in batches.batch_indices(rows, 8, 7, s)]
    first_whole = -step * 8 % rows
    epoch = places[first_whole : first_whole + rows]
    assert sorted(epoch) == list(range(rows))


def test_the_learning_rate_rises_and_falls_to_zero() -> None:
    """Linear warm-up over a tenth of the steps, then linear decay."""
    settings = Training(**{**jobs.TRAINING, "warmup": 0.1})
    rates = [schedule.learning_rate(settings, step, 100) for step in range(100)]
    assert max(rates) == pytest.approx(0.01)
    assert rates.index(max(rates)) in (9, 10)
    assert rates[0] == pytest.approx(0.001)
    assert rates[-1] == pytest.approx(0.01 / 90)


def test_warm_up_in_steps_is_the_same_however_long_the_training_is() -> None:
    """XTREME's questions warm up over 500 updates; TyDiQA's few hardly come to the rate itself."""
    settings = Training(**{**jobs.TRAINING, "warmup_steps": 50})
    for steps in (100, 1000):
        rates = [schedule.learning_rate(settings, step, steps) for step in range(steps)]
        assert rates[:50] == pytest.approx([0.01 * (step + 1) / 50 for step in range(50)])
        assert rates[-1] == pytest.approx(0.01 / (steps - 50))
    assert schedule.learning_rate(settings, 39, 40) == pytest.approx(0.008)
    level = Training(**{**jobs.TRAINING, "warmup": 0})
    assert schedule.learning_rate(level, 0, 40) == 0.01


def test_a_training_that_stops_is_the_head_of_a_longer_one(tmp_path: Path) -> None:
    """The checkpoint of an update: its rate falls towards the end of the whole budget."""
    seen: list[dict[str, torch.Tensor]] = []

    def evaluate(net: Any) -> float:
        seen.append({n: p.detach().clone() for n, p in net.module.named_parameters()})
        return 0.0

    watch = {"select": "best", "evaluate_every": 1, "patience": None}
    loop.train(jobs.a_run(tmp_path / "whole", MACHINE, score=evaluate, **watch))
    assert len(seen) == 8, "without patience nothing ends it early"
    path, history = loop.train(jobs.a_run(tmp_path / "head", MACHINE, stop=3))
    assert history.step == 3
    assert history.loss["loss"][-1][0] == 3
    assert equal(load_file(path), seen[2])


def test_a_stop_after_the_end_is_refused(tmp_path: Path) -> None:
    """How many updates some epochs are is known only here."""
    budget = {"steps": None, "epochs": 1, "stop": 10_000}
    with pytest.raises(UserError, match=r"`stop: 10000` is more than the \d+ updates.*Mend"):
        loop.train(jobs.a_run(tmp_path, MACHINE, **budget))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("batch", "micro", "workers", "unit", "count"),
    [(32, 8, 1, 1, 4), (32, 8, 2, 4, 2), (24, 5, 2, 1, 3), (16, 2, 2, 4, 2), (12, 8, 1, 4, 3)],
)
def test_examples_that_belong_together_stay_in_one_micro_batch(
    batch: int, micro: int, workers: int, unit: int, count: int
) -> None:
    """Accumulation counts groups; a micro-batch smaller than a group takes one group."""
    settings = Training(**{**jobs.TRAINING, "batch": batch})
    found = engine.accumulation(settings, on(micro_batch=micro), workers, unit)
    assert found == count
    assert batch % (found * workers * unit) == 0


def test_a_group_that_would_be_cut_is_refused() -> None:
    """12 queries on 2 processes are 6 each, which are no groups of 4."""
    settings = Training(**{**jobs.TRAINING, "batch": 12})
    with pytest.raises(UserError, match=r"6 examples, and they belong together by 4\. Mend"):
        engine.accumulation(settings, MACHINE, 2, 4)


def test_a_head_without_rows_is_named(tmp_path: Path) -> None:
    """Of nine tasks, the one whose file is empty."""
    run = jobs.a_run(tmp_path, MACHINE, "mix")
    run.data[1].features.clear()
    with pytest.raises(UserError, match=r"nothing to train on in tags\. Mend"):
        loop.train(run)


def test_a_mix_has_the_steps_that_its_proportions_say(tmp_path: Path) -> None:
    """20 and 12 rows under a cap of 16, 3 epochs of 8: 6 + 5 steps, enlarged by a quarter."""
    run = jobs.a_run(tmp_path, MACHINE, "mix")
    assert len(run.schedule) == schedule.total_steps(
        Training(**jobs.TRAINING), [20, 12, 15], [None, None, 0.25], run.spec.mixing
    )
    assert len(run.schedule) == 15


@pytest.mark.parametrize(
    ("seconds", "looks"), [(0.01, []), (0.4, [3, 6]), (2.0, [1, 2, 3, 4, 5, 6])]
)
def test_the_clock_is_looked_at_by_time_where_updates_take_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, looks: list[int]
) -> None:
    """Twenty updates of seconds each would be more than a kill may lose."""
    now, seen, update = [0.0], [], loop._update

    def slow(run: Any, lanes: Any, step: int, batch: Any) -> torch.Tensor:
        now[0] += seconds
        return update(run, lanes, step, batch)

    def due(states: Any) -> bool:
        seen.append(round(now[0] / seconds))
        return False

    monkeypatch.setattr(loop, "_update", slow)
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(loop.state.States, "due", due)
    trained(tmp_path, on(save_seconds=4), steps=7, epochs=None)
    assert seen == looks
