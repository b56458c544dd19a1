"""Predicted peaks against measured ones: on the CPU here, on a GPU as bench/gpu.py found them."""

import json
from pathlib import Path
from typing import Any

import pytest
import training_peak
from hypothesis import given
from hypothesis import strategies as st

from xstilts.core.machine import Machine
from xstilts.core.params import Adapter, Architecture, Training
from xstilts.model.published import ENCODERS
from xstilts.training.memory import Layout, Micro, Shape, needed

LARGE = Architecture(vocabulary=250_002, layers=24, hidden=1024, heads=16, feed_forward=4096)
USUAL = {"steps": 2, "batch": 32, "learning_rate": 1e-5}
NEAR = (0.7, 1.4)  # predicted over measured


def bytes_on(device: str, longest: int, machine: Machine, **training: Any) -> float:
    """What XLM-R Large is predicted to need."""
    own = Training(**USUAL, max_length=longest, **training)
    micro = Micro.largest(own, machine, device, [(longest, 1, False)])
    twice = machine.activation_checkpointing is True
    return needed(Shape.of_architecture(LARGE), own, micro, Layout.of(machine, own, device), twice)


@pytest.mark.parametrize(
    ("record", "longest", "machine", "precision"),
    [
        ({"what": "train", "task": "nli", "way": "kit"}, 128, {}, "bf16"),
        ({"what": "train", "task": "qa", "way": "kit"}, 384, {}, "bf16"),
        ({"way": "kit, micro-batch 8"}, 384, {"micro_batch": 8}, "bf16"),
        ({"what": "zero", "precision": "fp32", "stage": 0}, 128, {"zero": 0}, "fp32"),
        ({"what": "zero", "precision": "fp32", "stage": 1}, 128, {"zero": 1}, "fp32"),
        ({"what": "zero", "precision": "bf16", "stage": 2}, 128, {"zero": 2}, "bf16"),
    ],
)
def test_xlm_r_large_on_a_gpu_takes_about_what_is_predicted(
    root: Path, record: dict[str, Any], longest: int, machine: dict[str, Any], precision: str
) -> None:
    """As it was measured at one commit."""
    lines = (root / "bench/results/gpu.jsonl").read_text().splitlines()
    found = [told for told in map(json.loads, lines) if record.items() <= told.items()]
    measured = max(told["peak_gb"] for told in found)
    told = bytes_on("cuda", longest, Machine(**machine), precision=precision) / 1e9
    assert NEAR[0] < told / measured < NEAR[1]


WIDE = {"vocabulary": 60_000, "layers": 1, "hidden": 256, "heads": 4, "feed_forward": 512}
DEEP = {"vocabulary": 500, "layers": 8, "hidden": 256, "heads": 4, "feed_forward": 1024}


@pytest.mark.parametrize(
    ("shape", "machine", "training"),
    [
        (WIDE, {"zero": 0}, {"batch": 4, "max_length": 16}),
        (WIDE, {"zero": 1}, {"batch": 4, "max_length": 16}),
        (DEEP, {"micro_batch": 32}, {"batch": 32, "max_length": 96}),
        (
            DEEP,
            {"micro_batch": 32, "activation_checkpointing": True},
            {"batch": 32, "max_length": 96},
        ),
    ],
    ids=["weights", "weights, ZeRO 1", "activations", "activations, checkpointed"],
)
def test_a_training_on_the_cpu_takes_about_what_is_predicted(
    shape: dict[str, Any], machine: dict[str, Any], training: dict[str, Any]
) -> None:
    """In a process of its own, and without what that takes for its libraries."""
    found = training_peak.apart({"shape": shape, "machine": machine, "training": training})
    assert NEAR[0] < found["predicted"] / found["measured"] < NEAR[1], found


@given(
    st.sampled_from(["cpu", "cuda"]),
    st.sampled_from(["fp32", "bf16"]),
    st.integers(1, 3),
    st.integers(4, 512),
)
def test_what_is_said_to_save_memory_does(
    device: str, precision: str, zero: int, longest: int
) -> None:
    """What a person is told to try must not need more."""

    def least(**machine: Any) -> float:
        wanted = Machine(**{"zero": zero, **machine})
        return bytes_on(device, longest, wanted, precision=precision)

    usual = least()
    assert least(activation_checkpointing=True) <= usual
    assert least(micro_batch=1) <= max(usual, least(micro_batch=2))
    assert least(processes=2) < usual
    assert least(nodes=2) == least(processes=2)
    assert least(offload="optimizer") <= usual
    if device == "cuda":
        assert least(offload="optimizer") < usual
        assert least(zero=3, offload="parameters") < least(zero=3, offload="optimizer")


def test_what_is_not_trained_needs_neither_gradients_nor_moments() -> None:
    """Adapters, and a vocabulary that stays as it is."""
    machine = Machine(micro_batch=1)
    whole = bytes_on("cuda", 16, machine)
    frozen = bytes_on("cuda", 16, machine, freeze="embeddings")
    adapted = bytes_on("cuda", 16, machine, adapter=Adapter())
    assert adapted < frozen < whole
    assert adapted < 1.2 * 4 * Shape.of_architecture(LARGE).weights


def test_the_published_shape_of_xlm_r_large_is_found_from_its_size() -> None:
    """So that `plan` says what it will need before it is there."""
    found = Shape.of_published(ENCODERS["xlmr-large"])
    assert (found.layers, found.hidden, found.heads) == (24, 1024, 16)
    assert found.feed_forward == pytest.approx(4096, rel=0.02)
    assert found.vocabulary == 250_002
    own = Shape.of_architecture(LARGE).weights
    assert own == pytest.approx(found.weights, rel=0.005)
