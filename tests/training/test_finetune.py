"""Fine-tuning: mixes, sweeps, selection, trainings that go on under the same heads."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
import training_encoders as encoders
from safetensors.torch import load_file
from training_jobs import QUIET

from xstilts.core import passes
from xstilts.core.errors import UserError
from xstilts.core.files import write_parquet
from xstilts.core.machine import Machine
from xstilts.core.params import Mixing, Part, Training
from xstilts.model import tokenizer
from xstilts.training import finetune as finetune_module
from xstilts.training import loop
from xstilts.training.engine import Setup, Workers
from xstilts.training.finetune import FineTuned, finetune
from xstilts.training.loop import TrainingSpec

WORDS = encoders.WORDS
PAIRS = [  # the first word decides; neighbours in the list differ in it
    {"id": f"{i}-{j}", "text_a": f"{WORDS[i]} {WORDS[j]}", "text_b": None, "label": i % 2}
    for j in range(len(WORDS))
    for i in range(len(WORDS))
]
TAGGED = [
    {"id": str(i), "tokens": [word, other], "tags": [i % 2, 1]}
    for i, (word, other) in enumerate(pairwise(WORDS))
]
TEXT = [{"id": str(i), "text": " ".join(WORDS[i:]), "pair": None} for i in range(6)]
TAGS = {"kind": "tagging", "labels": ["O", "NOUN"], "metric": "tag_accuracy"}
Train = Callable[..., FineTuned]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small XLM-R."""
    return encoders.checkpoint("xlm-roberta", tmp_path_factory.mktemp("xlmr"))


@pytest.fixture(scope="module")
def validation(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Rows that choose."""
    path = tmp_path_factory.mktemp("rows") / "validation.parquet"
    write_parquet(path, pa.Table.from_pylist(PAIRS[:20]))
    return str(path)


def part(**changes: Any) -> Part:
    """Classification, changed."""
    usual = {
        **{"task": "order", "kind": "classification", "labels": ["a", "b"], "metric": "accuracy"},
        **{"language": "en", "rows": "-", "max_length": 16, "stride": 4},
    }
    kind = {"rows_kind": changes.get("kind", "classification")}
    return Part(**{**usual, **kind, **changes})


@pytest.fixture
def train(folder: Path, tmp_path: Path) -> Train:
    """train(parts, rows, **training): fine-tune in a state folder of the test."""

    def run(
        parts: list[Part],
        rows: Any = None,
        start: Any = folder,
        state: str = "state",
        machine: dict[str, Any] | None = None,
        **changes: Any,
    ) -> FineTuned:
        budget = {"batch": 8, "learning_rate": 0.01, "max_length": 16, **changes}
        budget = budget if "epochs" in budget else {"steps": 4, **budget}
        settings = Machine(**{"threads": 1, "micro_batch": 4, **(machine or {})})
        setup = Setup(tokenizer.load(folder), settings, Workers.start(settings), QUIET)
        mixing = Mixing() if len(parts) > 1 else None
        spec = TrainingSpec("test", Training(**budget), 1, parts, mixing)
        return finetune(start, spec, rows or [PAIRS], tmp_path / state, setup)

    return run


def weights(net: torch.nn.Module) -> dict[str, torch.Tensor]:
    """All weights by name."""
    return dict(net.state_dict())


def same(one: torch.nn.Module, two: torch.nn.Module) -> bool:
    """Bit-equal."""
    left, right = weights(one), weights(two)
    return left.keys() == right.keys() and all(torch.equal(left[n], right[n]) for n in left)


@pytest.mark.parametrize("zero", [1, 3])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_comes_back_is_whole_and_float32(
    train: Train, tmp_path: Path, zero: int, precision: str
) -> None:
    """ZeRO cuts the trained model and bf16 rounds it: neither may reach a checkpoint."""
    trained = train([part()], precision=precision, machine={"zero": zero})
    kept = load_file(tmp_path / "state" / loop.TRAINED)
    found = weights(trained.model)
    assert kept.keys() <= found.keys()
    assert all(torch.equal(found[name], value) for name, value in kept.items())
    assert {value.dtype for value in found.values() if value.is_floating_point()} == {torch.float32}
    again = train([part()], precision=precision, machine={"zero": zero})
    assert same(again.model, trained.model), "finished, so it is read"
    assert trained.validation is None
    assert trained.tried == {}


def test_a_mix_has_a_head_for_each_part_and_a_mean_validation(
    train: Train, folder: Path, tmp_path: Path, validation: str
) -> None:
    """Text has no main value; each task counts once, whatever its rows."""
    path = tmp_path / "tags.parquet"
    write_parquet(path, pa.Table.from_pylist(TAGGED))
    parts = [
        part(validation=validation),
        part(task="tags", validation=str(path), **TAGS),
        part(task="text", kind="mlm", share=0.3),
    ]
    trained = train(parts, [PAIRS, TAGGED, TEXT], epochs=3.0)
    assert len(trained.model.heads) == 3
    assert set(trained.history.loss) == {"loss", "loss.order", "loss.tags", "loss.text"}
    assert trained.history.step == 39  # (24 + 3) / 0.7
    spec = TrainingSpec("test", Training(steps=1, batch=8, learning_rate=1), 1, parts)
    settings = Machine(threads=1)
    setup = Setup(tokenizer.load(folder), settings, Workers.start(settings), QUIET)
    alone = []
    for number in (0, 1):
        kept = [one.model_copy(update={"validation": None}) for one in parts]
        kept[number] = parts[number]
        score = finetune_module._validation(replace(spec, parts=kept), setup)
        assert score is not None
        alone.append(score(trained.model))
    assert trained.validation == pytest.approx(sum(alone) / 2)


def test_the_best_rate_of_a_sweep_wins_and_the_others_leave_no_weights(
    train: Train, tmp_path: Path, validation: str
) -> None:
    """The choice is made on source-language validation rows, and what was tried is told."""
    rates = [0.03, 1e-6, 1e30]
    swept = train([part(validation=validation)], sweep=rates, epochs=8.0)
    assert set(swept.tried) == set(rates)
    assert swept.tried[1e30] == 0, "its loss is no number, which ends no sweep"
    assert swept.learning_rate == max(swept.tried, key=lambda rate: swept.tried[rate]) == 0.03
    assert swept.validation == swept.tried[0.03]
    kept = [path.parent.name for path in (tmp_path / "state").rglob(loop.TRAINED)]
    assert kept == ["rate-0.03"]
    alone = train([part(validation=validation)], learning_rate=0.03, epochs=8.0, state="alone")
    assert same(alone.model, swept.model), "each rate starts from the same weights"
    assert alone.history == swept.history


def test_of_equal_rates_the_smallest_wins(
    train: Train, validation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the order in the study; a rate that was scored is not trained again."""
    seen: list[float] = []
    monkeypatch.setattr(
        finetune_module, "_validation", lambda *_: lambda net: seen.append(1.0) or 50.0
    )
    first = train([part(validation=validation)], sweep=[0.02, 0.001, 0.01])
    assert first.learning_rate == 0.001
    scored = len(seen)
    monkeypatch.setattr(loop, "_update", None)
    again = train([part(validation=validation)], sweep=[0.02, 0.001, 0.01])
    assert (again.learning_rate, again.tried) == (first.learning_rate, first.tried)
    assert len(seen) == scored + 1


def test_a_sweep_that_only_diverges_says_so(train: Train, validation: str) -> None:
    """There is nothing to choose from."""
    with pytest.raises(loop.Diverged, match=r"at every rate of the sweep.*Mend: sweep smaller"):
        train([part(validation=validation)], sweep=[1e30, 1e31])


@pytest.mark.parametrize("changes", [{"select": "best"}, {"sweep": [0.1, 0.2]}])
def test_nothing_is_selected_without_validation_rows(train: Train, changes: Any) -> None:
    """Else a run that asks for the best would silently get the last."""
    with pytest.raises(UserError, match=r"no validation rows to select on\. Mend"):
        train([part()], **changes)


@pytest.mark.parametrize("zero", [0, 3])
def test_the_best_of_a_training_is_kept(
    train: Train, validation: str, zero: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scored in many forward passes while the weights are cut over the workers."""
    monkeypatch.setitem(passes.SCORED_TOKENS, "cpu", 20)
    trained = train(
        [part(validation=validation)],
        select="best",
        evaluate_every=1,
        learning_rate=0.05,
        machine={"zero": zero},
    )
    assert trained.validation == max(score for _, score in trained.history.validation)


@pytest.mark.parametrize(("rows", "sets", "read"), [(3, 1, 3), (3, 2, 6), ("all", 1, 20)])
def test_as_many_validation_rows_choose_as_are_asked_for(
    train: Train, validation: str, rows: Any, sets: int, read: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a task that joins others each has as many; the scripts of XTREME take all."""
    seen = []
    measure = finetune_module.metrics.METRICS["accuracy"]

    def score(predictions: list[Any], gold: list[Any], language: str) -> dict[str, float]:
        seen.append(len(gold))
        return measure.score(predictions, gold, language)

    patched = replace(measure, score=score)
    monkeypatch.setitem(finetune_module.metrics.METRICS, "accuracy", patched)
    train([part(validation=validation, validation_sets=sets)], evaluate_rows=rows)
    assert set(seen) == {read}


def test_questions_are_chosen_by_the_mean_of_f1_and_exact_match() -> None:
    """As jiant chooses; by F1 alone another update may win. Other metrics choose by themselves."""
    for name, metric in finetune_module.metrics.METRICS.items():
        questions = name in ("squad_f1", "mlqa_f1", "answer_f1", "answer_f1_mlqa")
        assert metric.selects == (("f1", "exact_match") if questions else (metric.main,))


def test_a_training_goes_on_under_the_same_head(train: Train) -> None:
    """Social IQa, then COPA: the head is not made anew, and the first model stays as it was."""
    first = train([part()])
    before = {name: value.clone() for name, value in weights(first.model).items()}
    second = train([part()], start=first.model, state="second", learning_rate=1e-7, steps=1)
    assert all(torch.equal(before[name], value) for name, value in weights(first.model).items())
    assert not same(first.model, second.model)
    for name, value in weights(second.model).items():
        torch.testing.assert_close(value, before[name], atol=1e-5, rtol=1e-4)
    for changes, what in (({"dropout": 0.2}, "dropout"), ({"layers": "attention"}, "layers")):
        with pytest.raises(UserError, match=rf"asks for other `{what}` than the one before\. Mend"):
            train([part()], start=first.model, state=what, **changes)


def test_adapters_go_on_from_a_model_whose_adapters_are_merged(train: Train) -> None:
    """What comes back is plain, so a second training puts adapters of its own on it."""
    adapter = {"adapter": {"rank": 2}}
    first = train([part()], **adapter)
    second = train([part()], start=first.model, state="second", **adapter)
    assert weights(second.model).keys() == weights(first.model).keys()
    name = next(name for name in weights(first.model) if name.endswith("query.weight"))
    assert not torch.equal(weights(first.model)[name], weights(second.model)[name])
    frozen = next(name for name in weights(first.model) if name.endswith("key.weight"))
    assert torch.equal(weights(first.model)[frozen], weights(second.model)[frozen])


@pytest.mark.parametrize("kind", ["classification", "span", "tagging", "multiple_choice", "mlm"])
def test_a_part_without_rows_is_named(train: Train, kind: str) -> None:
    """A carve of a mirror may leave a task nothing."""
    parts = [part(), part(task="empty", kind=kind)]
    with pytest.raises(UserError, match=r"nothing to train on in empty\. Mend"):
        train(parts, [PAIRS, []])


def test_fresh_heads_depend_on_the_seed_alone(folder: Path) -> None:
    """Attention over layers is made after the heads, which then start as without it."""
    spec = TrainingSpec("test", Training(steps=1, batch=8, learning_rate=1), 3, [part()])
    net = finetune_module._fresh(folder, spec)
    attention = replace(spec, training=spec.training.model_copy(update={"layers": "attention"}))
    assert same(net.heads[0], finetune_module._fresh(folder, spec).heads[0])
    assert same(net.heads[0], finetune_module._fresh(folder, attention).heads[0])
    assert not same(net.heads[0], finetune_module._fresh(folder, replace(spec, seed=4)).heads[0])


def test_a_row_whose_words_do_not_hold_its_answer_is_not_taught(folder: Path) -> None:
    """The published scripts leave it out of training, and answer it all the same."""
    held = {"text": WORDS[1], "start": len(WORDS[0]) + 1}
    context = f"{WORDS[0]} {WORDS[1]}"
    lost = {"text": f"{WORDS[0]} {WORDS[1]}", "start": 0}
    rows = [
        {"id": "1", "context": context, "question": WORDS[2], "answers": [held]},
        {"id": "2", "context": context.replace(" ", "\u00a0"), "question": "x", "answers": [lost]},
    ]
    alone = Workers(0, 1, torch.device("cpu"))
    setup = Setup(tokenizer.load(folder), Machine(), alone, QUIET)
    data = finetune_module._head_data(part(kind="span", labels=[]), rows, setup)
    assert [feature["row"] for feature in data.features] == [0]
