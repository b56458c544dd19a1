"""Pools, thresholds and gold: what retrieval, mining and ranking predict from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transfer_project as project
from transfer_project import LANGUAGES, killed_after, params, predictions, run, target

from xstilts.core import files, paths
from xstilts.core.errors import UserError
from xstilts.core.params import Target, Training
from xstilts.evaluation import predictors


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: Any) -> Path:
    """A working folder with a base model."""
    return project.enter(tmp_path, monkeypatch, tokenizer)


def test_a_block_of_the_pool_is_embedded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool of a million candidates goes on where it was, and holds the same vectors."""
    run(params(target("ranking")))
    straight = predictions()
    monkeypatch.setattr(predictors, "BLOCK", 3)  # 8 candidates a language: blocks of 3, 3 and 2
    original = predictors._candidates
    first: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr(predictors, "_candidates", killed_after(2, original, first))
        with pytest.raises(project.Killed):
            run(params(target("ranking")))
    rest: list[Any] = []
    monkeypatch.setattr(predictors, "_candidates", killed_after(9, original, rest))
    run(params(target("ranking")))
    assert [[row["id"] for row in block] for block in first + rest] == [
        [f"{language}-r{n}" for n in part]
        for language in LANGUAGES
        for part in ((0, 1, 2), (3, 4, 5), (6, 7))
    ]
    assert predictions() == straight


def test_a_ranking_is_that_of_all_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool holds the candidates of all languages, in order, whatever its blocks."""
    made: dict[str, Any] = {}
    original = predictors.top

    def spy(queries: Any, pool: Any, k: int) -> Any:
        made.setdefault("pool", np.array(pool))
        made.setdefault("queries", queries)
        return original(queries, pool, k)

    monkeypatch.setattr(predictors, "top", spy)
    run(params(target("ranking")))
    names = [f"{language}-r{n}" for language in LANGUAGES for n in range(8)]
    assert made["pool"].shape == (len(names), 16)
    np.testing.assert_allclose(np.linalg.norm(made["pool"], axis=1), 1, rtol=1e-5)
    order = np.argsort(-(made["queries"] @ made["pool"].T), axis=1, kind="stable")
    wanted = [[names[i] for i in row] for row in order]
    found = [json.loads(row["prediction"]) for row in predictions() if row["language"] == "qaa"]
    assert found == wanted


def test_a_ranker_finds_what_it_was_trained_on() -> None:
    """Were queries and positives crossed anywhere on the way, nothing else would tell."""
    given = {"steps": 150, "batch": 8, "negatives": 8, "learning_rate": 5e-4}
    training = Training(**{**project.TRAINING, **given})
    spec = target("ranking", training=training, languages=["qaa"], candidates=["qaa"])
    assert spec.train_rows is not None
    learnt = [
        {**row, "positive_pair": None, "relevant": [f"qaa-r{n}"]}
        for n, row in enumerate(files.read_parquet(Path(spec.train_rows)).to_pylist())
    ]
    pool = [
        {**row, "text": one["positive"], "pair": None}
        for row, one in zip(project.candidate_rows("qaa", 30), learnt, strict=True)
    ]
    folder = Path(spec.rows)
    for name, rows in (("train", learnt), ("test", learnt), ("candidates", pool)):
        project.write(folder / f"qaa.{name}.parquet", "ranking", rows)
    assert run(params(spec))["metrics"]["ranking.qaa"] == 100


def with_gold(kind: str, language: str, split: str, gold: Callable[[int], list[str]]) -> Target:
    """A target whose gold of one file is another."""
    spec = target(kind)
    path = paths.rows(Path(spec.rows), language, split)
    rows = files.read_parquet(path).to_pylist()
    name = "gold" if kind == "mining" else "relevant"
    changed = [{**row, name: gold(n)} for n, row in enumerate(rows)]
    project.write(path, kind, changed)
    return spec


def test_the_threshold_of_mining_comes_from_validation_rows() -> None:
    """Gold pairs of the scored rows may not decide what is predicted in them."""
    run(params(target("mining")))
    straight = [row["prediction"] for row in predictions()]
    run(params(with_gold("mining", "qaa", "test", lambda n: ["e1"] * (n == 5))))
    assert [row["prediction"] for row in predictions()] == straight
    run(params(with_gold("mining", "qaa", "validation", lambda n: ["e0"] * (n == 0))))
    assert [row["prediction"] for row in predictions()] != straight


@pytest.mark.parametrize(
    ("kind", "split", "gold", "says"),
    [
        ("mining", "test", lambda n: [], "qab.test.parquet has no gold at all"),
        ("mining", "validation", lambda n: [], "mining in qab: the validation rows hold no pair"),
        ("ranking", "test", lambda n: [], "relevant to query r0 and 7 more"),
        ("ranking", "test", lambda n: ["lost"] if n == 2 else ["qaa-r1"], "to query r2 and 0 more"),
    ],
)
def test_a_cell_without_gold_is_refused(
    kind: str, split: str, gold: Callable[[int], list[str]], says: str
) -> None:
    """It would be 0 by construction, and nobody would ask why."""
    with pytest.raises(UserError, match=rf"{says}.*Mend: "):
        run(params(with_gold(kind, "qab", split, gold)))


def test_a_candidate_in_two_files_is_refused() -> None:
    """It would take two places in every ranking, and lower every score a little."""
    spec = target("ranking")
    pool = project.candidate_rows("qaa", 30)
    project.write(paths.rows(Path(spec.rows), "qab", "candidates"), "ranking", pool)
    with pytest.raises(UserError, match=r"ranking: 8 candidates .* another one has.*Mend: "):
        run(params(spec))


@pytest.mark.parametrize("kind", ["classification", "retrieval", "mining"])
def test_a_file_without_rows_is_refused(kind: str) -> None:
    """No rows, no score."""
    spec = target(kind)
    project.write(paths.rows(Path(spec.rows), "qab", "test"), kind, [])
    with pytest.raises(UserError, match=r"qab\.test\.parquet has no rows.*Mend: "):
        run(params(spec))


def test_some_rows_of_each_language_are_scored_and_the_same_ones() -> None:
    """Translations stay together, and the order is that of the file."""
    spec = target("classification")
    every = {one: predictors.read_rows(spec, one) for one in LANGUAGES}
    few = spec.model_copy(update={"score_limit": 3})
    some = {one: predictors.read_rows(few, one) for one in LANGUAGES}
    places = {one: [every[one].index(row) for row in some[one]] for one in LANGUAGES}
    first, second = places.values()
    assert first == second == sorted(first)
    assert len(first) == 3
    assert first != [0, 1, 2], "files are in an order of their own"
    assert len(predictors.read_rows(few, "qaa", "validation")) == len(every["qaa"])
    more = spec.model_copy(update={"score_limit": 10_000})
    assert predictors.read_rows(more, "qaa") == every["qaa"]
