"""The intermediate stage: from a subset or a mix to an encoder, and no more than that."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
import torch
import training_encoders as encoders
from safetensors.torch import load_file

from xstilts.core.errors import UserError
from xstilts.core.files import write_parquet
from xstilts.core.params import Intermediate
from xstilts.core.progress import Observe
from xstilts.kinds.spec import KINDS
from xstilts.model import checkpoint
from xstilts.stages import intermediate

QUIET = Observe(quiet=True)
OUT = Path("models/intermediate/s/run")
BASE = Path("models/pretrain/s")
WORDS = encoders.WORDS
ROWS: dict[str, list[dict[str, Any]]] = {
    "classification": [
        {"id": str(i), "text_a": word, "text_b": "42", "label": i % 2}
        for i, word in enumerate(WORDS * 2)
    ],
    "span": [
        {
            "id": str(i),
            "context": f"tapika {word} nemoti",
            "question": "kasuro ?",
            "answers": [{"text": word, "start": 7}],
        }
        for i, word in enumerate(WORDS)
    ],
    "mlm": [
        {"id": str(i), "text": f"{word} tapika 42", "pair": None} for i, word in enumerate(WORDS)
    ],
}
METRICS = {"classification": "accuracy", "span": "qa", "mlm": "accuracy"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with a base model and rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XSTILTS_PROCESSES", "1")
    encoders.checkpoint("xlm-roberta", BASE)
    for kind, rows in ROWS.items():
        write_parquet(
            Path(f"{kind}.parquet"), pa.Table.from_pylist(rows, schema=KINDS[kind].schema)
        )


def part(rows_kind: str, **changes: Any) -> dict[str, Any]:
    """A part of a run."""
    return {
        **{"task": rows_kind, "kind": rows_kind, "rows_kind": rows_kind, "labels": ["a", "b"]},
        **{"metric": METRICS[rows_kind], "language": "en", "rows": f"{rows_kind}.parquet"},
        **{"max_length": 24, "stride": 4, **changes},
    }


def run(*parts: dict[str, Any], method: str = "single", seed: int = 1, **training: Any) -> Any:
    """Run the stage; its record."""
    spec = Intermediate(
        **{"method": method, "task": "t", "language": "en", "size": 16, "seed": seed},
        **{"rows": "-", "watch": "-", "parts": list(parts), "checkpoint": str(BASE)},
        mixing={} if len(parts) > 1 else None,
        training={"steps": 4, "batch": 4, "learning_rate": 0.01, **training},
    )
    made: Any = SimpleNamespace(study="s", intermediate={"run": spec})
    return intermediate.run(made, "run", QUIET)


def weights() -> dict[str, torch.Tensor]:
    """What the stage wrote."""
    return load_file(OUT / "model.safetensors")


def test_only_the_encoder_is_kept(tmp_path: Path) -> None:
    """Phang et al. 2020, section 2: the head stays behind; equal runs give equal bytes."""
    done = run(part("classification"))
    assert weights().keys() == checkpoint.load_encoder(BASE).state_dict().keys()
    assert sorted(path.name for path in OUT.iterdir()) == [
        "config.json",
        "model.safetensors",
        "record.json",
    ]
    assert json.loads((OUT / "record.json").read_text()) == done
    assert {name: done["metrics"][name] for name in ("rows", "steps", "learning_rate")} == {
        "rows": 16.0,
        "steps": 4.0,
        "learning_rate": 0.01,
    }
    assert set(done["inputs"]) == {
        "classification.parquet",
        str(BASE / "model.safetensors"),
        str(BASE / "tokenizer.json"),
    }
    assert [path.name for path in Path(".state").iterdir()] == ["features"]
    before = {path.name: path.read_bytes() for path in OUT.iterdir()}
    shutil.rmtree(OUT)
    run(part("classification"))
    assert {path.name: path.read_bytes() for path in OUT.iterdir()} == before


def test_the_control_learns_from_shuffled_labels() -> None:
    """The same rows, labels that say nothing; each seed shuffles anew."""
    rows = {
        (method, seed): [
            row["label"]
            for row in intermediate.part_rows(
                Intermediate.model_construct(method=method, seed=seed),
                intermediate.Part(**part("classification")),
            )
        ]
        for method, seed in (("single", 1), ("shuffled", 1), ("shuffled", 2))
    }
    single, first, second = rows.values()
    assert sorted(single) == sorted(first) == sorted(second)
    assert len({tuple(labels) for labels in rows.values()}) == 3
    run(part("classification"))
    straight = weights()
    run(part("classification"), method="shuffled")
    assert any(not torch.equal(straight[name], value) for name, value in weights().items())


def test_a_mix_of_tasks_and_text_gives_one_encoder() -> None:
    """Tasks of any kind beside masked language modelling, which reads rows of any kind as text."""
    done = run(
        part("classification"),
        part("span"),
        part("span", task="text", kind="mlm", share=0.3),
        method="multi",
        steps=12,
    )
    assert weights().keys() == checkpoint.load_encoder(BASE).state_dict().keys()
    metrics = done["metrics"]
    assert metrics["rows"] == 24, "text that comes along is no row of the tasks"
    assert {name: value for name, value in metrics.items() if name.startswith("rows.")} == {
        "rows.classification": 16.0,
        "rows.span": 8.0,
        "rows.text": 9.0,  # a question and eight contexts
    }
    assert set(done["curves"]) == {
        f"loss{name}" for name in ("", ".classification", ".span", ".text")
    }
    assert metrics["loss.text"] == done["curves"]["loss.text"][-1][1]


def test_masked_language_modelling_goes_on_alone() -> None:
    """The paper's other way to use more text: no task at all."""
    done = run(part("mlm"), method="mlm")
    assert done["metrics"]["rows"] == 8
    assert weights().keys() == checkpoint.load_encoder(BASE).state_dict().keys()


def test_a_sweep_tells_what_it_tried() -> None:
    """So that a reader of the record sees how the rate was chosen."""
    write_parquet(
        Path("v.parquet"),
        pa.Table.from_pylist(ROWS["classification"][:4], schema=KINDS["classification"].schema),
    )
    done = run(part("classification", validation="v.parquet"), sweep=[0.01, 0.001])
    metrics = done["metrics"]
    tried = {rate: metrics[f"validation.rate_{rate:g}"] for rate in (0.01, 0.001)}
    assert metrics["validation"] == max(tried.values()) == tried[metrics["learning_rate"]]
    assert "v.parquet" in done["inputs"]


def test_a_checkpoint_without_a_language_head_cannot_go_on_with_text() -> None:
    """Said before anything is trained."""
    encoders.checkpoint("xlm-roberta", BASE, head=False)
    with pytest.raises(UserError, match=r"has no language-modelling head.*Mend"):
        run(part("mlm"), method="mlm")
    assert not OUT.exists()
