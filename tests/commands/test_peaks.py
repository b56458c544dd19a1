"""What `xstilts plan` says of memory: a prediction for each phase, and what was measured."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xstilts.commands import peaks
from xstilts.commands.peaks import PROCESS, Peaks
from xstilts.core import design, paths
from xstilts.core.files import write_json
from xstilts.core.machine import Machine
from xstilts.core.params import Params
from xstilts.study.compiler import compile_study
from xstilts.study.schema import Study

CPU, GPU = Machine(device="cpu"), Machine(device="cuda")


@pytest.fixture
def published(on_hub: Callable[..., dict[str, Any]]) -> Params:
    """The small study with XLM-R Large, in the length that windows of questions have."""
    study = on_hub()
    study["pretrain"] = {"encoder": "xlmr-large"}
    study["training"] |= {"max_length": 384, "batch": 32}
    return Params.model_validate(compile_study(Study.model_validate(study), "s"))


def test_each_phase_is_told_with_what_was_measured(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user decides by it where to run; the largest run of a phase counts."""
    monkeypatch.setattr(peaks.memory, "available", lambda: 12_000_000_000)
    for run, most in (("a", 700_000_000), ("b", 900_000_000), ("old", None)):
        told = {"peak_bytes": {"process": most, "gpu": 1}} if most else {"seconds": 1.0}
        write_json(paths.provenance("small", "intermediate", run), told)
    (project / "provenance/small/intermediate/broken.json").write_text("{")
    said = Peaks(design.load(), CPU).line()
    assert said.startswith("Predicted peak memory of a process, on the CPU: pretrain 0.7 GB (not ")
    assert "intermediate 0.7 GB (measured 0.9 GB)" in said
    assert "transfer 0.7 GB (not measured yet). Free here: 12.0 GB." in said
    assert Peaks(design.load(), GPU).measured("intermediate") == 1


def test_a_small_study_takes_little_more_than_its_process(project: Path) -> None:
    """16 hidden units: libraries are all that it needs memory for."""
    found = Peaks(design.load(), CPU)
    for word in ("pretrain", "intermediate", "transfer"):
        assert PROCESS < found.predicted(word) < 1.1 * PROCESS


def test_an_imported_checkpoint_is_as_its_config_says(project: Path) -> None:
    """Before, its size alone is known; and a folder that is being written is no checkpoint yet."""
    folder = paths.pretrained("small")
    before = Peaks(design.load(), CPU).shape
    write_json(
        folder / "config.json",
        {
            **{"model_type": "modernbert", "num_hidden_layers": 3, "hidden_size": 32},
            **{"intermediate_size": 64, "num_attention_heads": 4, "vocab_size": 99},
        },
    )
    assert Peaks(design.load(), CPU).shape == before
    write_json(folder / "record.json", {"metrics": {"parameters": 1234.0}})
    shape = Peaks(design.load(), CPU).shape
    assert shape is not None
    assert (shape.family, shape.layers, shape.weights) == ("modernbert", 3, 1234)


def test_what_checkpointing_and_offload_would_save_is_told(published: Params) -> None:
    """Where it is worth telling, and where the machine leaves it to need."""
    found = Peaks(published, GPU)
    assert "with activation checkpointing; not measured yet" in found.line()
    assert "Free here" not in found.line()
    always = GPU.model_copy(update={"activation_checkpointing": True})
    assert "with activation checkpointing" not in Peaks(published, always).line()
    assert Peaks(published, always).predicted("transfer", True) < found.predicted("transfer")
    moved = GPU.model_copy(update={"offload": "optimizer"})
    assert Peaks(published, moved).predicted("transfer") < found.predicted("transfer")


def test_a_model_of_which_nothing_is_known_has_no_prediction(
    on_hub: Callable[..., dict[str, Any]],
) -> None:
    """The plan still prints."""
    loaded = Params.model_validate(compile_study(Study.model_validate(on_hub()), "s"))
    assert Peaks(loaded, GPU).line() == "The shape of org/name is not known, so its memory is not."
