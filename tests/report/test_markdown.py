"""Tables for a README say what the summary says, and survive what Markdown reads as its own."""

from __future__ import annotations

import re
from pathlib import Path

import fake_study
import pytest

from xstilts.core import paths
from xstilts.core.params import Params
from xstilts.core.progress import Observe
from xstilts.report import markdown
from xstilts.report.data import Results, load
from xstilts.results.scores import ALL
from xstilts.stages import aggregate

CLAIMS = """
- id: facts_help
  text: Facts | help on both targets.
  status: own
  source: a test
  check: {gain: {of: {task: facts}, target: [fact_qa, paraphrase], above: 0}}
- id: not_asked
  text: MNLI helps.
  status: own
  source: a test
  check: {gain: {of: {task: mnli}, above: 0}}
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A study with three seeds, and claims."""
    params: Params = fake_study.params({"facts": [1000, 16000]}, seeds=(1, 2, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("markdown"))
        fake_study.write(params, examples=100)
        Path("claims.yaml").write_text(CLAIMS)
        aggregate.run(params, "fake", Observe(quiet=True))
        return load(params, paths.aggregated("fake"))


def _rows(text: str) -> list[list[str]]:
    """Cells of a table; a bar that is escaped is none."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)[|]", line)[1:-1]] for line in lines]


def test_each_cell_is_that_of_the_summary(results: Results) -> None:
    """Score, gain and half its interval, to a tenth; the mean over targets is the last column."""
    text = markdown.scores(results)
    header, _, *rows = _rows(text)
    assert len({len(row) for row in [header, *rows]}) == 1
    assert header[-1] == "mean"
    for group, row in zip(results.groups, rows, strict=True):
        for target, said in zip(results.columns, row[2:], strict=True):
            language = "zero-shot" if target == ALL else results.headline(target)
            found = results.row(target, language, group["group"])
            assert found is not None
            numbers = [float(one.replace("−", "-")) for one in re.findall(r"[−]?[\d.]+", said)]
            wanted = [found["mean"]]
            if found["delta"] is not None:
                wanted += [found["delta"], (found["delta_high"] - found["delta_low"]) / 2]
            assert numbers == pytest.approx(wanted, abs=0.0501)
            bare = said.replace("**" + said.split("**")[1] + "**", "") if "**" in said else said
            assert bare.count("*") == bare.count(r"\*"), "a star would begin italics"
    assert "3 seeds" in text
    assert "95% interval" in text


def test_only_what_was_answered_is_shown(results: Results) -> None:
    """A bar in a claim's text ends no cell; what was not run stays in claims.yaml."""
    header, _, *rows = _rows(markdown.claims(results))
    assert [row[:2] for row in rows] == [[r"Facts \| help on both targets.", "reproduced"]]
    assert len(rows[0]) == len(header)
