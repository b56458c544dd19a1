"""What `xstilts plan` says of power: from finished runs, as given, or not at all."""

from __future__ import annotations

import fake_study
import pytest
from rich.console import Console

from xstilts.commands import power
from xstilts.commands.estimate import Estimate
from xstilts.core.params import Params
from xstilts.core.progress import Observe
from xstilts.stages import aggregate


def told(params: Params, seed_sd: float | None = None) -> tuple[str, str]:
    """The table as text, and the sentence below it."""
    estimate = Estimate(params)
    estimate.counted = lambda file: 100  # type: ignore[method-assign]  # nothing is prepared here
    table, rest = power.table(params, estimate, seed_sd)
    console = Console(width=100)
    with console.capture() as captured:
        console.print(table)
    return captured.get(), rest


def test_finished_runs_tell_the_spread(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any run it is assumed and says so; then runs tell it; a number given wins.

    What examples add is told once the runs are aggregated.
    """
    monkeypatch.chdir(tmp_path)
    params = fake_study.params()
    assert "1.0 (assumed)" in told(params)[0]
    fake_study.write(params, examples=20)
    text, rest = told(params)
    assert "1.0 (assumed)" not in text
    assert text.count("(assumed)") == len(params.targets)
    assert f"of {len(params.transfer)} finished runs" in text
    assert "2 seeds a setting" in rest
    targets = len(params.targets) + 1
    settings = len(params.transfer) // 2 - 1
    assert f"over {settings * targets} comparisons" in rest
    assert "7.0 (as given)" in told(params, 7.0)[0]
    aggregate.run(params, "fake", Observe(quiet=True))
    text, _ = told(params)
    assert "assumed" not in text
    assert text.count(f"(of {settings} gains)") == len(params.targets)


def test_what_cannot_be_told_is_said(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One seed everywhere tests nothing, and without `none` there is no gain."""
    monkeypatch.chdir(tmp_path)
    assert "no setting has two seeds" in told(fake_study.params(seeds=(1,)))[1]
    params = fake_study.params()
    bare = {name: run for name, run in params.transfer.items() if run.method != "none"}
    assert "no runs without" in told(params.model_copy(update={"transfer": bare}))[1]
