"""`xstilts show`: every name that a person may type, every stage, any width, and what is not there.

The small study after fetch and prepare, with a made-up result of one transfer run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xstilts.commands import graph
from xstilts.commands.show import find, run, words
from xstilts.core import design, files, flow, paths
from xstilts.core.errors import UserError
from xstilts.records import provenance, store, tracking
from xstilts.results.scores import ScoreRow, to_json

RUN = "world_qa-qaa-40-s1"
LANGUAGES = ["qaa", "qab", "qac", "qad", "qae"]
Show = Callable[..., str]


def score(language: str, metric: str = "accuracy", **more: Any) -> ScoreRow:
    """A score of the made-up run."""
    row = {
        "study": "small", "run": RUN, "method": "single", "variant": "", "task": "world_qa",
        "source_language": "qaa", "size": 40, "seed": 1, "target": "world_classes",
        "language": language, "metric": metric, "main": metric == "accuracy", "value": 61.04,
        "n": 40, "chance": 25.0, "collapsed": language == "qae", "protocol": "x-stilts",
        "data_sha": "d" * 64, "model_sha": "m" * 64, **more,
    }  # fmt: skip
    return ScoreRow(**row)


def write_run(key: str = RUN) -> tuple[dict[str, Any], Path]:
    """A finished transfer run."""
    folder = paths.transferred("small", key)
    rows = [score(one, expected=60.0) for one in LANGUAGES]
    rows += [score(one, "f1") for one in LANGUAGES]
    files.write_json(folder / "scores.json", to_json(rows))
    rows_read = "data/prepare/small/targets/world_classes/qaa.test.parquet"
    record = {
        "stage": "transfer", "key": key, "study": "small", "params": {"seed": 1},
        "inputs": {
            rows_read: "ab" * 32,
            f"models/intermediate/small/{key}/model.safetensors": "cd" * 32,
            "references.yaml": "ef" * 32,
        },
        "metrics": {"world_classes.qaa": 61.0},
        "curves": {"world_classes.loss": [[1, 1.5], [20, 0.25]]},
        "artifacts": [],
    }  # fmt: skip
    files.write_json(folder / "record.json", record)
    provenance.write("small", "transfer", key, 0.0, 3725.0, "0" * 32, "1", {"threads": 1}, "9" * 64)
    return record, folder


@pytest.fixture
def made(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project as the working folder, with the run."""
    for name in ("MLFLOW_TRACKING_URI", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    write_run()
    return prepared


@pytest.fixture
def show(made: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Show:
    """show("none-s1", width=80): what it prints."""

    def printed(*names: str, width: int = 100, as_json: bool = False) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        run.show(names, as_json)
        return capsys.readouterr().out

    return printed


@pytest.mark.parametrize("width", [50, 80, 140])
def test_it_fits_and_cuts_nothing(show: Show, width: int) -> None:
    """A path or a hash with an ellipsis cannot be copied."""
    text = show(RUN, width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert not [line for line in text.splitlines() if line != line.rstrip()]
    assert (("ab" * 32) in text) == (width == 140)
    assert ("ab" * 6) in text
    for language in LANGUAGES:
        assert re.search(rf"\b{language}\b", text)


def test_it_says_what_the_run_was_and_what_came_out(show: Show) -> None:
    """What a reader of the report asks next of a number."""
    text = show(RUN)
    for told in (
        f"transfer@small/{RUN}\n", "one intermediate task\n", "world_qa: World QA",
        "qaa: World A (source)", "40 rows", "1 epoch, batch 8, learning rate 0.001",
        "XLM-R from scratch: 1 layer of 16", "world_bitext: scored as it is, layer 1",
        "accuracy, fine-tuned in qaa, x-stilts; guessing", "1.5 to 0.25 in 20 updates",
        "prepare@small/world_classes  data/prepare/small/targets/world_classes/\n",
        f"intermediate@small/{RUN}  models/intermediate/small/{RUN}/\n",
        "no stage: files of the repository", "cdcdcdcdcdcd  model.safetensors  not here",
        f"results/transfer/small/{RUN}/\n", "scores.json", "1970-01-01 00:00:00 UTC, 1 h 2 min",
        "sha256 999999999999\n",
    ):  # fmt: skip
        assert told in text, told
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.split()}
    assert rows["accuracy"] == ["61.0"] * 5 + ["61.0†"]  # zero-shot, then each language
    assert rows["expected"] == ["60.0"] * 6
    assert rows["f1"] == ["61.0"] * 5
    assert "all predictions are of one class" in text


@pytest.mark.parametrize(
    "names",
    [
        (RUN,), (f"small/{RUN}",), (f"transfer@small/{RUN}",), (f"transfer@{RUN}",),
        ("transfer", RUN), ("transfer", f"small/{RUN}"),
    ],
)  # fmt: skip
def test_a_run_has_many_names(show: Show, names: tuple[str, ...]) -> None:
    """As the report, DVC, the folders and the verbs of stages write it."""
    assert show(*names).startswith(f"transfer@small/{RUN}\n")


def test_every_made_stage_can_be_shown(show: Show) -> None:
    """And a key without a stage is enough where no transfer run has it."""
    assert show("fetch@world--nouns").startswith("fetch@small/world--nouns\n")
    assert show("world--nouns").startswith("fetch@small/world--nouns\n")
    text = show("prepare", "world_qa")
    assert "fetch@small/world--nouns  data/fetch/small/world--nouns/" in text
    assert "statistics/small/world_qa.json" in text
    assert "its provenance is not here" in text


def test_words_of_every_stage(made: Path) -> None:
    """No stage, method or shape of a study is without words."""
    loaded = design.load()
    for word in flow.WORDS:
        for key in graph.keys(loaded, word):
            told = words.setting(loaded, word, key)
            assert told
            assert all(told.values())


def test_json_has_all_of_it(show: Show) -> None:
    """For a script: whole hashes, bytes, every score."""
    found = json.loads(show(RUN, as_json=True, width=40))
    assert found["run"] == f"transfer@small/{RUN}"
    assert [one["language"] for one in found["scores"][0]["languages"]] == LANGUAGES
    assert found["scores"][0]["zero-shot"] == pytest.approx(61.04)
    assert {one["sha256"] for one in found["inputs"]} == {"ab" * 32, "cd" * 32, "ef" * 32}
    sizes = {one["path"]: one["bytes"] for one in found["outputs"]}
    assert sizes == {path: Path(path).stat().st_size for path in sizes}
    assert len(sizes) == 2
    assert found["provenance"]["seconds"] == 3725.0
    assert found["mlflow"] == {"run_id": "0" * 32, "experiment_id": "1", "in_store": False}


def test_without_a_name_it_lists_all(show: Show) -> None:
    """What can be asked for, and what is made of it."""
    lines = show().splitlines()
    states = dict(line.split(maxsplit=1) for line in lines[:-1])
    assert states[RUN] == "made"
    assert states["none-s1"] == "not made"
    assert states["prepare@world_qa"] == "made"
    listed = json.loads(show(as_json=True))
    assert lines[-1] == f"{sum(one['made'] for one in listed)} of {len(listed)} made"


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("world_qa-qaa-40-s2",), f"no run 'world_qa-qaa-40-s2'. Mend: the nearest are {RUN}"),
        (("zzz",), "`xstilts show` without a name lists all"),
        (("subsample@world_qa",), "no subsample run 'world_qa'. Mend: the nearest are subsample@"),
        (("none-s1",), "transfer@small/none-s1 is not made yet (results/transfer/small/none-s1"),
        (("none-s1",), "Mend: `dvc repro transfer@small/none-s1`"),
        (("pretrain",), "Mend: `dvc repro pretrain@small`"),
        (("aggregate@small",), "Mend: `dvc repro aggregate@small`"),
        (("other/none-s1",), "the study other is not compiled"),
        (("",), "no run ''"),
    ],
)
def test_what_is_not_there_is_told(show: Show, names: tuple[str, ...], says: str) -> None:
    """In one line, with what to type."""
    with pytest.raises(UserError) as told:
        show(*names)
    assert says in str(told.value)
    assert "\n" not in str(told.value)


def test_a_persons_mistake_is_exit_code_2(made: Path, refused: Callable[..., str]) -> None:
    """Through the real command line; nothing is written."""
    refused(lambda: None, "show nune-s1", "the nearest are none-s1")
    broken = paths.transferred("small", RUN) / "scores.json"
    refused(lambda: broken.write_text("{"), f"show {RUN}", "is not valid JSON")


def test_a_run_of_a_large_study_is_named_with_its_file(
    made: Path, study: dict[str, Any], save: Callable[..., None]
) -> None:
    """`dvc repro` finds it by no other name."""
    from xstilts.commands import use

    study["intermediate"][0]["seeds"] = list(range(1, 80))
    save(study)
    use.use("small")
    path = "pipelines/small/world_qa-qaa-s7/dvc.yaml"
    for word, key in (("transfer", "world_qa-qaa-40-s7"), ("subsample", "world_qa-qaa-s7")):
        with pytest.raises(UserError, match=f"`dvc repro {path}:{word}@small/{key}`"):
            find.folder(find.find([word, key]))
        assert f"small/{key}:" in Path(path).read_text()


def test_the_mlflow_run_is_found_in_the_store_and_the_store_is_not_touched(
    made: Path, show: Show
) -> None:
    """A run that `track sync` made has another id than the provenance tells."""
    record, _ = write_run()
    assert store.run_of(record) is None
    assert not Path("mlruns").exists()
    tracking.sync("small")
    before = files.sha256_file(Path("mlruns/mlflow.db"))
    found = store.run_of(record)
    assert found is not None
    assert f"run {found[0]}; `xstilts ui` shows it" in show(RUN)
    assert store.run_of({**record, "params": {}}) is None
    assert files.sha256_file(Path("mlruns/mlflow.db")) == before


@pytest.mark.parametrize("uri", ["http://user:secret@127.0.0.1:9", "sqlite:///nothing.db"])
def test_a_server_is_not_asked(
    made: Path, show: Show, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    """It may be slow or gone; its address may hold a password."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    text = show(RUN)
    assert "when it ran; not in the store here" in text
    assert "secret" not in text
