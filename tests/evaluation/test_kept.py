"""Models that a study keeps: they answer as the stage did, and cost nothing where none is kept."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import transfer_project as project
from safetensors.torch import load_file, save_file
from transfer_project import LANGUAGES, STUDY, every_file, params, predictions, run, target

from xstilts.core import files, paths
from xstilts.core.errors import UserError
from xstilts.core.params import Adapter, Output, Training
from xstilts.evaluation import kept
from xstilts.evaluation import target as target_module
from xstilts.stages import transfer

KINDS = sorted(set(kept.ASKED) - {"generation"})  # of an encoder
MODELS = project.PREDICTED / "models"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: Any) -> Path:
    """A working folder with a base model."""
    return project.enter(tmp_path, monkeypatch, tokenizer)


def asked(kind: str) -> list[dict[str, Any]]:
    """What a person asks: the scored rows of both languages without what is right."""
    folder = paths.prepared(STUDY, "targets", kind)
    rows = [
        row
        for language in LANGUAGES
        for row in files.read_parquet(paths.rows(folder, language, "test")).to_pylist()
    ]
    return [{name: row[name] for name in kept.ASKED[kind]} for row in rows]


def said(kind: str, answer: dict[str, Any], labels: list[str]) -> Any:
    """An answer as predictions.parquet has it."""
    first = answer[next(iter(kept.ANSWERED[kind]))]
    return labels.index(first) if kind == "classification" else first


def check_answers(kind: str) -> list[dict[str, Any]]:
    """A kept model says what the stage predicted."""
    answers = kept.load(MODELS / kind)(asked(kind))
    labels = project._labels(kind)
    wanted = [json.loads(row["prediction"]) for row in predictions()]
    assert [said(kind, one, labels) for one in answers] == wanted
    return answers


@pytest.mark.parametrize("kind", KINDS)
def test_a_kept_model_answers_as_the_stage_did(kind: str) -> None:
    """In every language, with the tokenizer and the lengths of the stage."""
    done = run(params(target(kind, keep=True)))
    assert done["models"] == [kind]
    assert [path.name for path in Path(".state").iterdir()] == ["features"]
    answers = check_answers(kind)
    if kind == "classification":
        for one in answers:
            parts = one["probabilities"]
            assert sum(parts.values()) == pytest.approx(1)
            assert max(parts, key=parts.get) == one["label"]


@pytest.mark.parametrize(
    "changes",
    [
        {"layers": "attention"},
        {"adapter": Adapter(modules=["query", "value"])},
        {"freeze": "embeddings", "dropout": 0.1},
        {"precision": "bf16"},
    ],
    ids=str,
)
def test_however_it_was_trained(changes: dict[str, Any]) -> None:
    """What sits between encoder and head is kept, too; adapters are merged."""
    training = Training(**{**project.TRAINING, **changes})
    run(params(target("classification", keep=True, training=training)))
    check_answers("classification")


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize(
    "changes",
    [{}, {"adapter": Adapter(modules=["q", "v"])}, {"prompt": 3, "learning_rate": 1.0}],
    ids=["full", "adapter", "prompt"],
)
def test_a_kept_encoder_decoder_writes_as_the_stage_did(
    changes: dict[str, Any], beams: int, folder: Path, tokenizer: Any
) -> None:
    """By greedy search and by beams; soft prompts are kept beside it."""
    shutil.rmtree(paths.pretrained(STUDY))
    project.checkpoint(Path(tokenizer.name_or_path), decodes=True)
    output = Output(length=6, beams=beams)
    training = Training(**{**project.TRAINING, "output": output, **changes})
    run(params(target("generation", keep=True, training=training)))
    answers = check_answers("generation")
    assert all(one["answer"] for one in answers), "it is not silent"
    assert (MODELS / "generation" / kept.HEAD).exists() == ("prompt" in changes)
    (alone,) = kept.load(MODELS / "generation")([{"source": "tapika 42"}])
    assert list(alone) == ["answer"]
    if "prompt" in changes:  # without them it would write as it was before
        (MODELS / "generation" / kept.HEAD).unlink()
        with pytest.raises(UserError, match=r"head\.safetensors"):
            kept.load(MODELS / "generation")


def test_equal_work_gives_equal_bytes_and_nothing_else_changes() -> None:
    """Kept twice it is the same; without it, all other files are as they were, and no key more."""
    run(params(target("tagging", keep=True)))
    first = every_file()
    run(params(target("tagging", keep=True)))
    assert every_file() == first
    run(params(target("tagging")))
    plain = every_file()
    assert not [name for name in plain if name.startswith("models/")]
    assert "models" not in json.loads(plain.pop("record.json"))
    assert plain.items() <= first.items()
    assert "keep" not in target("tagging").model_dump()


def test_an_interruption_loses_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ended while languages are scored, or when all targets are: the same model comes out."""
    work = params(target("classification", keep=True))
    run(work)
    whole = every_file()
    for module, name, calls in ((target_module, "score_rows", 1), (transfer, "_write_scores", 0)):
        with monkeypatch.context() as patch:
            original = getattr(module, name)
            patch.setattr(module, name, project.killed_after(calls, original, []))
            with pytest.raises(project.Killed):
                run(work)
        run(work)
        assert every_file() == whole


def test_what_is_left_out_may_be_left_out() -> None:
    """A single sentence has no second text, whether it is said so or not."""
    run(params(target("classification", keep=True)))
    ask = kept.load(MODELS / "classification")
    rows = [{"text_a": "tapika 42"}, {"text_a": "tapika 42", "text_b": None}]
    first, second = ask([*rows])
    assert first == second
    assert ask([]) == []


@pytest.mark.parametrize(
    ("kind", "row", "says"),
    [
        ("classification", {}, "row 1: `text_a` is no text. Mend: give a text"),
        ("classification", {"text_a": 3}, "`text_a` is no text"),
        ("classification", {"text_a": "a", "text_b": 3}, "`text_b` is no text"),
        ("tagging", {"tokens": "a b"}, "`tokens` is no list of texts"),
        ("tagging", {"tokens": [1]}, "`tokens` is no list of texts"),
        ("multiple_choice", {"context": "a", "choices": []}, "`choices` is no list of texts"),
        ("span", {"context": "a"}, "`question` is no text"),
    ],
)
def test_a_wrong_row_is_named(kind: str, row: dict[str, Any], says: str) -> None:
    """One line that says which row and column."""
    run(params(target(kind, keep=True)))
    with pytest.raises(UserError, match=says):
        kept.load(MODELS / kind)([asked(kind)[0], row])


def spoil(name: str) -> None:
    """Break one file of a kept model."""
    path = MODELS / "tagging" / name
    path.chmod(0o644)
    if name == kept.HEAD:
        weights = load_file(path)
        save_file({"other": next(iter(weights.values()))}, path)
    else:
        path.write_bytes(b"broken")


@pytest.mark.parametrize("name", [kept.FACTS, kept.HEAD, "model.safetensors", "tokenizer.json"])
def test_a_broken_folder_is_refused(name: str) -> None:
    """One line, whatever part of it is broken."""
    run(params(target("tagging", keep=True)))
    spoil(name)
    with pytest.raises(UserError, match="Mend"):
        kept.load(MODELS / "tagging")


def test_answers_need_neither_deepspeed_nor_mlflow() -> None:
    """What trains is not what serves."""
    run(params(target("classification", keep=True)))
    code = f"""
import sys
from pathlib import Path
from xstilts.evaluation import kept
print(kept.load(Path({str(MODELS / "classification")!r}))([{{"text_a": "tapika"}}]))
assert not {{"deepspeed", "mlflow", "dvc"}} & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ}, capture_output=True, text=True, check=True
    )
    assert "label" in done.stdout
