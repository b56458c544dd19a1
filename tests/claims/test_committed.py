"""The committed claims fit the committed studies: what is asked of a study finds its rows there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from xstilts.claims import answers, entries
from xstilts.commands import use
from xstilts.core.params import Params
from xstilts.core.strict import parse
from xstilts.results.scores import ALL, ZERO_SHOT, Group
from xstilts.tasks import ccg

GENERATION = {"mbart_near_mt5"}  # others are asked of the studies of generation alone
LAYERS = {"layers_xnli", "layers_paws_x", "layers_ner", "layers_pos"}


@dataclass(frozen=True)
class Run:
    """A study of which every cell is there, each 10 points above none and sure to a point."""

    params: Params
    summary: list[dict[str, Any]]
    slopes: list[dict[str, Any]]
    contrasts: Sequence[dict[str, Any]] = ()


@pytest.fixture
def finished(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Makes such a study of a committed study file, with the licensed task at hand."""
    monkeypatch.chdir(root)
    for (member,) in ccg.MEMBERS.values():
        (tmp_path / member).write_text("a word\tN N\n")
    monkeypatch.setenv("XSTILTS_CCG", str(tmp_path))

    def make(name: str) -> Run:
        params = parse(Params, use.compiled(name), name, "mend the study")
        groups = {
            Group(one.method, one.task, one.source_language, _size(one.size), one.variant)
            for one in params.transfer.values()
        }
        groups |= {Group("best", "best", "best", 0)} if params.aggregate.best_per_target else set()
        targets = [*params.targets, ALL]
        cell = {"language": ZERO_SHOT, "seeds": 3, "expected": None}
        numbers = {"mean": 60.0, "low": 59.0, "high": 61.0}
        gains = {"delta": 10.0, "delta_low": 9.0, "delta_high": 11.0}
        slope = {"slope": 2.0, "low": 1.0, "high": 3.0}
        summary = [
            {**vars(group), "group": group.label, "target": target, **cell, **numbers, **gains}
            for group in groups
            for target in targets
        ]
        series = {(g.method, g.task, g.source_language, g.variant) for g in groups if g.size}
        names = ("method", "task", "source_language", "variant")
        slopes = [
            {**dict(zip(names, key, strict=True)), "target": target, **cell, **slope}
            for key in series
            for target in targets
        ]
        return Run(params, summary, slopes)

    return make


def _size(size: int | str) -> int:
    return size if isinstance(size, int) else 300_000


def not_run(study: Run) -> dict[str, str]:
    """Claims that lack a row, and which."""
    claims = entries.asked_of(entries.load(), study.params.study)
    found = answers.answer_all(claims, study)
    return {one.claim.id: one.reason for one in found if one.verdict == "not run"}


def test_the_paper_answers_every_claim_of_the_paper(finished: Any) -> None:
    """A task or target that is spelt otherwise in a claim would be `not run` for ever."""
    source = "Phang et al. 2020"
    lacking = not_run(finished("paper"))
    own = {one.id for one in entries.load() if one.source.startswith((source, "Guide to X-STILTs"))}
    assert len(own) >= 20
    assert own & set(lacking) == set(), lacking


def test_the_scaling_study_answers_every_open_question(finished: Any) -> None:
    """It was made for them; of the papers' claims it has other targets, or no such training."""
    lacking = not_run(finished("scaling"))
    question = {one.id for one in entries.load() if one.source == "open question"}
    assert len(question) >= 8
    assert question & set(lacking) == set(), lacking
    assert set(lacking) >= GENERATION | LAYERS | {"squad_mean", "nine_tasks"}
    assert lacking["squad_mean"] == "the study lacks target paws_x, target bucc"
