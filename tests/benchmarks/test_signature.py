"""Signatures: two scores share a table only if rows, scorer and benchmark are the same.

Run: python -m pytest tests/benchmarks/test_signature.py
"""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import fake_study
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.benchmarks import aggregates, protocols, references, signature
from xstilts.benchmarks.protocols import PROTOCOLS
from xstilts.benchmarks.signature import SCORERS, Signature
from xstilts.core.errors import UserError
from xstilts.core.params import Target
from xstilts.metrics import METRICS
from xstilts.results.scores import ScoreRow

ROW = ScoreRow(
    study="s", run="none-s1", method="none", variant="", task="none", source_language="none",
    size=0, seed=1, target="xnli", language="en", metric="accuracy", main=True, value=50.0, n=10,
    chance=33.3, collapsed=False, protocol="xtreme", data_sha="d", model_sha="m",
)  # fmt: skip
SIGNATURES = st.builds(
    Signature,
    task=st.sampled_from(["xnli", "bucc"]),
    benchmark=st.sampled_from(["xtreme", "xtreme-r"]),
    rows=st.sampled_from(signature.EVALUATION),
    scorer=st.sampled_from(sorted(SCORERS)),
)


def target(protocol: str, name: str, **changes: object) -> Target:
    """A study's target as its protocol has it, with changes."""
    spec = fake_study.official_target(protocols.get(protocol), name)
    return Target(**(spec | changes))


@given(one=SIGNATURES, other=SIGNATURES)
def test_what_differs_is_named_and_nothing_else(one: Signature, other: Signature) -> None:
    """No words for equal signatures, which is what lets two numbers into one table."""
    words = one.unlike(other)
    assert (words == "") == (one == other)
    for field in fields(one):
        same = getattr(one, field.name) == getattr(other, field.name)
        assert (f"{field.name} {getattr(one, field.name)}, not" in words) != same


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_every_task_has_a_scorer_that_is_explained(protocol: protocols.Protocol) -> None:
    """A name without words in a table of numbers set apart would tell nobody why."""
    for task in protocol.languages:
        ours = signature.own(target(protocol.name, task))
        theirs = signature.published(protocol, task, "test")
        assert {ours.scorer, theirs.scorer} <= SCORERS.keys()
        assert ours.rows == theirs.rows == "test"
        assert (ours == theirs) == (task not in protocol.published)


def test_every_metric_of_a_target_has_a_scorer() -> None:
    """A metric that joins METRICS must say which published scorer and version it is."""
    states = {"retrieval_accuracy", "mining_f1"}
    for metric in METRICS:
        pooled = protocols.Retrieval(14, "mean") if metric in states else None
        assert signature._scorer(metric, pooled) in SCORERS


@pytest.mark.parametrize(
    ("task", "split", "rows"),
    [
        ("xnli", "test", "test"),
        ("xnli", "validation", "validation"),
        ("tydiqa", "validation", "test"),  # the dev questions, as in the papers
        ("xquad", "validation", "test"),
        ("tatoeba", "validation", "test"),  # jiant calls its only rows so
        ("mlqa", "validation", "validation"),
        ("bucc", "validation", "validation"),
        ("lareqa", "test", "test"),
    ],
)
def test_rows_are_named_by_what_they_are(task: str, split: str, rows: str) -> None:
    """A source's name for a split says nothing: TyDiQA's "validation" is what everybody reports."""
    assert signature.rows(task, split) == rows


def test_bucc_of_todays_script_is_not_the_published_one() -> None:
    """The script has taken the first token since October 2021, the published numbers the mean."""
    published = signature.published(protocols.get("xtreme"), "bucc", "test")
    todays = signature.own(target("xtreme", "bucc"))
    assert published.unlike(todays) == "scorer margin/mean, not margin/cls"
    for ours in (target("xtreme", "bucc", pooling="mean"), target("x-stilts", "bucc")):
        assert signature.own(ours) == published


def test_xtreme_and_xtreme_r_are_two_benchmarks() -> None:
    """Tatoeba has five languages more in the second; X-STILTs scores the tasks of the first."""
    one, other, stilts = (signature.own(target(name, "tatoeba")) for name in PROTOCOLS)
    assert one.unlike(other) == "benchmark xtreme, not xtreme-r"
    assert one == stilts


@given(
    change=st.sampled_from([{"protocol": "x-stilts"}, {"data_sha": "e"}, {"metric": "f1"}]),
    odd=st.sets(st.integers(1, 5), min_size=1, max_size=4),
)
def test_runs_that_are_scored_unlike_are_refused_by_name(
    change: dict[str, str], odd: set[int]
) -> None:
    """Scores of an older protocol, or of other rows, lie about until someone deletes them."""
    scores = [replace(ROW, run=f"none-s{seed}", seed=seed) for seed in range(1, 6)]
    signature.check(scores)
    scores = [replace(row, **change) if row.seed in odd else row for row in scores]  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"xnli in en are of 2 kinds.*Mend: ") as error:
        aggregates.rows("s", scores)
    groups = str(error.value).split("Mend")[0].split("; ")
    names = [{int(seed) for seed in range(1, 6) if f"none-s{seed}" in part} for part in groups]
    assert odd in names
    assert {1, 2, 3, 4, 5} - odd in names


def test_languages_of_one_target_have_rows_of_their_own() -> None:
    """Each language has a file; only the runs must agree."""
    scores = [replace(ROW, language=one, data_sha=one) for one in ("en", "de", "fr")]
    signature.check(scores)


def test_a_mean_joins_no_test_and_validation_rows() -> None:
    """BUCC on validation pairs, as jiant has it, beside Tatoeba's test pairs: no group score."""
    official = protocols.get("x-stilts")
    targets = {name: target("x-stilts", name) for name in official.languages}
    targets["bucc"] = target("x-stilts", "bucc", split="validation")
    names = {"bucc": "task", "retrieval": "group", "qa": "group", "all": "all"}
    same = {"protocol": "x-stilts", "value": 1.0, "sd": 0.1, "missing": ""}
    rows = [same | {"level": level, "name": name} for name, level in names.items()]
    bucc, retrieval, qa, whole = aggregates.unmixed(rows, targets)
    assert (bucc, qa) == (rows[0], rows[2])
    assert retrieval["value"] is retrieval["sd"] is whole["value"] is None
    assert retrieval["missing"] == "bucc on validation rows; tatoeba on test rows"
    assert [row["value"] for row in aggregates.unmixed(rows[1:], {"xnli": targets["xnli"]})]


def test_an_entry_s_own_scorer_counts(root: Path) -> None:
    """LAReQA's README has the whole ranking, XTREME-R's Tatoeba an encoder that had seen SQuAD."""
    unlike = {
        (entry.system, task): one.unlike(signature.own(target("xtreme-r", task)))
        for entry in references.load(root / "references.yaml")
        if entry.protocol == "xtreme-r"
        for task, one in references.signatures(entry).items()
    }
    assert unlike["mBERT, X-X", "lareqa"] == "scorer map, not map@20"
    assert unlike["XLM-R Large", "tatoeba"] == "scorer cosine/mean/squad_v1, not cosine/mean"
    assert unlike["XLM-R Large", "lareqa"] == unlike["mBERT, X-X", "tatoeba"] == ""


def test_scores_of_fewer_rows_are_not_those_of_all() -> None:
    """A thousand rows of XNLI beside a published score of 5,010."""
    whole, some = target("xtreme-r", "xnli"), target("xtreme-r", "xnli", score_limit=1000)
    assert signature.own(some).unlike(signature.own(whole)) == (
        "rows test (1,000 of a language), not test"
    )
