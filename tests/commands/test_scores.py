"""The terminal table: fits its width, shows the numbers of the summary."""

from __future__ import annotations

import io
import re
from pathlib import Path

import fake_study
import pytest
from rich.console import Console

from xstilts.commands.scores import print_table
from xstilts.core.params import Params
from xstilts.core.progress import Observe
from xstilts.stages import aggregate


@pytest.fixture
def params() -> Params:
    """A study's params."""
    return fake_study.params({"facts": [1000, 4000]})


@pytest.fixture
def study(params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """That study, aggregated in the working folder; returns its metrics."""
    monkeypatch.chdir(tmp_path)
    fake_study.write(params, examples=30)
    record = aggregate.run(params, "fake", Observe(quiet=True))
    metrics = record["metrics"]
    assert isinstance(metrics, dict)
    return metrics


@pytest.mark.parametrize("width", [80, 100, 200])
def test_it_fits(study: dict[str, float], params: Params, width: int) -> None:
    """At most 100 columns, fewer on a narrow terminal, and no cell cut with an ellipsis."""
    stream = io.StringIO()
    print_table(params, Console(file=stream, width=width, force_terminal=True, color_system=None))
    lines = stream.getvalue().splitlines()
    assert max(len(line) for line in lines) <= min(width, 100)
    assert "…" not in stream.getvalue()


def test_it_shows_the_summary(study: dict[str, float], params: Params) -> None:
    """Each zero-shot mean and each setting is there."""
    stream = io.StringIO()
    print_table(params, Console(file=stream))
    text = stream.getvalue()
    for name, value in study.items():
        if not name.startswith("all/"):
            assert re.search(rf"\b{value:.1f}(±| \d+–)", text)
    for words in ("paraphrase", "fact_qa", "facts qaa, shuffled", "Δ none", "qab"):
        assert words in text
