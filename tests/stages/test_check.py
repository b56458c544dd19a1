"""`check`: training rows that are scored stop a study, unless it says why; all is told in git."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from xstilts import tasks
from xstilts.core import params as parameters
from xstilts.core.errors import UserError
from xstilts.core.files import write_parquet
from xstilts.core.progress import Observe
from xstilts.kinds.spec import KINDS
from xstilts.rows import leaks
from xstilts.rows.read import read_split
from xstilts.stages import check

QUIET = Observe(quiet=True)
NLI = [("Orla built the mill.", "A mill was built."), ("The bird sleeps.", "It is a heron.")]
NEW = [("The door is open.", "The door is shut."), ("It rains.", "It is dry.")]
MIRROR = os.environ.get("XSTILTS_MIRROR")
OUT = Path("statistics/s/overlap.json")
VERDICT = Path("data/check/s/verdict.json")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder is an empty project."""
    monkeypatch.chdir(tmp_path)


def rows(name: str, pairs: list[tuple[str, str]]) -> str:
    """A prepared file of sentence pairs; its path."""
    path = Path("data/prepare/s") / name
    made = [
        {"id": f"{path.parent.name}-{i}", "text_a": a, "text_b": b, "label": 0}
        for i, (a, b) in enumerate(pairs)
    ]
    write_parquet(path, pa.Table.from_pylist(made, schema=KINDS["classification"].schema))
    return str(path)


def spec(**given: Any) -> parameters.Check:
    empty: dict[str, Any] = {"allow": {}, "training": {}, "selection": {}, "evaluation": {}}
    return parameters.Check(**{**empty, **given})


def run(**given: Any) -> Any:
    made: Any = SimpleNamespace(study="s", check=spec(**given), targets={}, subsample={})
    return check.run(made, "s", QUIET)


def found() -> Any:
    return json.loads(OUT.read_text())


def test_a_clean_study_gets_a_verdict_that_never_changes() -> None:
    """Training depends on it: other counts must not train a model again."""
    train, test = rows("training/mnli/en.train.parquet", NLI), rows("x/en.test.parquet", NEW)
    run(training={"mnli": [train]}, evaluation={"xnli": [test]})
    first = VERDICT.read_bytes()
    assert found() == {
        "pairs": [],
        "selection": [],
        "checked": 1,
        "training_rows": {"mnli": 2},
        "unused": [],
    }
    shared = [*NEW, (NLI[0][0], "Quite new.")]
    made = run(
        training={"mnli": [train]},
        evaluation={"xnli": [rows("x/en.test.parquet", shared)]},
        allow={"mnli > xnli": "why not"},
    )
    assert VERDICT.read_bytes() == first
    assert [path.name for path in VERDICT.parent.iterdir()] == ["verdict.json"]
    assert found()["pairs"][0]["shared_first_text"] == 1
    assert found()["unused"] == ["mnli > xnli"]
    assert made["metrics"]["checked"] == 1.0
    assert json.loads(Path("statistics/s/check/record.json").read_text()) == made
    assert set(made["inputs"]) == {train, test}


def test_scored_rows_in_training_stop_the_study() -> None:
    """One line with the pair, the counts, an example and the mend; the counts are in a file."""
    VERDICT.parent.mkdir(parents=True)
    VERDICT.write_text("of an earlier run")
    train = rows("training/mnli/en.train.parquet", [*NLI, ("the DOOR is open", "The door is shut")])
    tests = [rows("xnli/en.test.parquet", NLI + NEW), rows("xnli/sw.test.parquet", NEW)]
    with pytest.raises(UserError) as caught:
        run(training={"mnli": [train]}, evaluation={"xnli": tests})
    message = str(caught.value)
    assert message.startswith(
        "training rows of mnli are scored: 3 of 4 rows of xnli in 'en' "
        "(exact 2, normalised 3, same id 0; e.g. id xnli-0); 1 more in statistics/s/overlap.json. "
    )
    assert (
        'Mend: leave that language or task out, or say `allow_overlap: {"mnli > xnli": why}` in '
        in message
    )
    assert "\n" not in message
    assert not VERDICT.exists()
    assert [(p["language"], p["normalised"]) for p in found()["pairs"]] == [("en", 3), ("sw", 1)]


def test_a_reason_lets_it_pass_and_is_told() -> None:
    """The reason stands beside the counts, for the reader of the report."""
    train, test = rows("training/mnli/en.train.parquet", NLI), rows("x/en.test.parquet", NLI)
    why = {"mnli > xnli": "a smoke test"}
    run(training={"mnli": [train]}, evaluation={"xnli": [test]}, allow=why)
    assert found()["pairs"] == [
        {
            "training": "mnli",
            "evaluation": "xnli",
            "language": "en",
            "rows": 2,
            "exact": 2,
            "normalised": 2,
            "same_id": 0,
            "shared_first_text": 2,
            "example": "x-0",
            "allowed": "a smoke test",
        }
    ]
    assert VERDICT.exists()


def test_a_reason_is_for_one_pair() -> None:
    """Another task with the same rows still stops the study."""
    train, test = rows("training/mnli/en.train.parquet", NLI), rows("x/en.test.parquet", NLI)
    with pytest.raises(UserError, match="training rows of snli are scored"):
        run(
            training={"mnli": [train], "snli": [train]},
            evaluation={"xnli": [test]},
            allow={"mnli > xnli": "a smoke test"},
        )


def test_a_targets_own_training_rows_reach_that_target_only() -> None:
    """A tagger's sentences may be named in another target's test rows: no model meets both."""
    train, test = rows("targets/a/en.train.parquet", NLI), rows("b/en.test.parquet", NLI)
    given = spec(training={"a": [train]}, evaluation={"a": [test], "b": [test]})
    target = SimpleNamespace(train_rows=train, before=[])
    subset = SimpleNamespace(subsets=[SimpleNamespace(rows=[train])])
    for grid, expected in (
        ({}, {"a": None, "b": leaks.APART}),
        ({"a": subset}, {"a": None, "b": None}),
    ):
        made: Any = SimpleNamespace(targets={"a": target}, subsample=grid)
        found = leaks.compare(given, leaks.reached(made), QUIET)["pairs"]
        assert {pair["evaluation"]: pair["allowed"] for pair in found} == expected
        assert {pair["exact"] for pair in found} == {2}


def test_rows_that_choose_a_model_are_only_reported() -> None:
    """SQuAD's development rows, which choose a rate, hold XQuAD's English rows."""
    train, test = rows("training/mnli/en.train.parquet", NLI), rows("x/en.test.parquet", NEW)
    run(training={"mnli": [train]}, selection={"mnli": [test]}, evaluation={"xnli": [test]})
    (pair,) = found()["selection"]
    assert (pair["training"], pair["exact"], pair["allowed"]) == ("mnli", 2, None)
    assert found()["pairs"] == []


def test_candidates_are_not_scored() -> None:
    """The pool of a ranking is read by every system; its million texts need no comparison."""
    train = rows("training/mnli/en.train.parquet", NLI)
    run(training={"mnli": [train]}, evaluation={"x": [rows("x/en.candidates.parquet", NLI)]})
    assert found()["checked"] == 0


def test_equal_rows_give_equal_bytes() -> None:
    """overlap.json and the record are in git and in dvc.lock."""
    train, test = rows("training/mnli/en.train.parquet", NLI), rows("x/en.test.parquet", NEW)
    outs = (OUT, VERDICT, Path("statistics/s/check/record.json"))
    seen = []
    for training in ({"a": [train], "b": [train]}, {"b": [train], "a": [train]}):
        run(training=training, evaluation={"xnli": [test]})
        seen.append([path.read_bytes() for path in outs[:2]])
    assert seen[0] == seen[1]


def test_a_missing_or_corrupt_file_is_named() -> None:
    """No verdict without having looked at every row."""
    train = rows("training/mnli/en.train.parquet", NLI)
    with pytest.raises(UserError, match=r"en\.test\.parquet is missing"):
        run(training={"mnli": [train]}, evaluation={"xnli": ["x/en.test.parquet"]})
    Path("en.test.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(UserError, match=r"en\.test\.parquet is corrupt"):
        run(training={"mnli": [train]}, evaluation={"xnli": ["en.test.parquet"]})
    assert not VERDICT.exists()


def test_an_empty_check_passes() -> None:
    """A study of retrieval targets alone trains on nothing."""
    assert run()["metrics"]["checked"] == 0.0
    assert VERDICT.exists()


def _prepared(name: str, language: str, split: str, url: str | None = None) -> str:
    """Real rows of a task through its own reader, written as prepared rows."""
    assert MIRROR
    task: Any = tasks.load(name)
    folder = Path(MIRROR) / "datasets" / task.dataset
    path = Path("data") / name / f"{language}.{split}.parquet"
    read = read_split(task, folder, language, split)  # type: ignore[arg-type]
    write_parquet(path, read.table(task.kind))
    return str(path)


@pytest.mark.skipif(MIRROR is None, reason="XSTILTS_MIRROR names no mirror of real rows")
def test_known_leaks_of_published_data_are_found() -> None:
    """The mirror's SQuAD rows are XQuAD's; its MNLI rows are XNLI's validation rows, not its test.

    In languages other than English only SQuAD's ids tell.
    """
    train = {"squad_v1": [_prepared("squad_v1", "en", "train")]}
    train["mnli"] = [_prepared("mnli", "en", "train")]
    scored = {
        "xquad": [_prepared("xquad", code, "validation") for code in ("en", "ru")],
        "xnli": [_prepared("xnli", "en", "test")],
    }
    made = leaks.compare(spec(training=train, evaluation=scored), {}, QUIET)
    pairs = {(p["training"], p["evaluation"], p["language"]): p for p in made["pairs"]}
    english, russian = pairs["squad_v1", "xquad", "en"], pairs["squad_v1", "xquad", "ru"]
    assert english["exact"] + english["same_id"] > english["rows"]
    assert (russian["exact"], russian["same_id"]) == (0, english["same_id"])
    assert pairs.get(("mnli", "xnli", "en"), {}).get("exact", 0) == 0
