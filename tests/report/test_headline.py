"""What the words call the number that stands for a target: zero-shot only where it is."""

from __future__ import annotations

from pathlib import Path

import fake_study
import pytest

from xstilts.core import paths
from xstilts.core.files import read_json
from xstilts.core.params import Params
from xstilts.core.progress import Observe
from xstilts.report import main_table, page, plots, tables
from xstilts.report.data import Results, family_text, headline_text, load
from xstilts.report.notes import notes
from xstilts.report.words import answer
from xstilts.stages import aggregate


def aggregated(params: Params) -> Results:
    """The study's rows, from made-up scores."""
    fake_study.write(params, examples=60)
    aggregate.run(params, "fake", Observe(quiet=True))
    return load(params, paths.aggregated("fake"))


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("sizes", [[16_000], [1000, 16_000]], ids=["settings", "sizes"])
def test_the_source_language_is_not_called_zero_shot(sizes: list[int]) -> None:
    """Scored where it was fine-tuned, a target says nothing of transfer: no word may claim it."""
    results = aggregated(fake_study.params({"facts": sizes}, ["qaa"], seeds=(1, 2, 3)))
    assert headline_text(results) == "mean"
    built, drawn = tables.build(results), page.build(results)
    assert "raised scores in" in answer(results)[0]
    assert built["deltas"].caption.startswith("Mean minus that without intermediate training")
    assert "over all comparisons of means of the study" in built["deltas"].caption
    told = dict(notes(results))
    assert told.pop("Zero-shot").startswith("Nothing is: ")
    said = [*answer(results), *told.values(), main_table.latex(results)]
    said += [table.caption for table in built.values()]
    said += [figure.caption for figure in drawn]
    said += [panel.told for figure in drawn for panel in figure.panels]
    assert [text for text in said if "zero-shot" in text.lower()] == []


def test_its_conclusions_are_kept_all_the_same() -> None:
    """An empty file would leave `dvc metrics diff` and `xstilts verify` nothing to compare."""
    results = aggregated(fake_study.params({"facts": [1000]}, ["qaa"]))
    kept = read_json(paths.metrics_file("fake"))
    assert set(kept) == {"paraphrase", "fact_qa"}
    row = results.row("paraphrase", "mean", "facts-qaa-1000")
    assert row is not None
    assert kept["paraphrase"]["facts-qaa-1000"]["mean"] == pytest.approx(row["mean"], abs=1e-4)
    flat = read_json(paths.aggregated("fake") / "record.json")["metrics"]
    assert flat["fact_qa/none"] == kept["fact_qa"]["none"]["mean"]
    shown = plots.metrics(results)
    assert shown["fact_qa"]["none"]["score"] == round(kept["fact_qa"]["none"]["mean"], 2)


def test_of_both_sorts_the_words_are_those_that_fit_both() -> None:
    """One caption stands over all targets; a panel speaks of its own."""
    params = fake_study.params({"facts": [1000, 4000]}, ["qaa", "qab"])
    at_home = params.targets["fact_qa"].model_copy(update={"languages": ["qaa"]})
    params = params.model_copy(update={"targets": {**params.targets, "fact_qa": at_home}})
    results = aggregated(params)
    assert headline_text(results) == "score"
    assert main_table.what(results) == "Scores"
    assert "or over all comparisons of means" in family_text(results)
    caption = tables.build(results)["deltas"].caption
    assert caption.startswith("Score minus that without intermediate training")
    assert "has its score there instead" in dict(notes(results))["Zero-shot"]
    figure = page.build(results)[0]
    assert "or in its source where that is its only language" in figure.caption
    told = {panel.title: panel.told for panel in figure.panels}
    assert told["paraphrase"].startswith("Zero-shot mean without")
    assert told["fact_qa"].startswith("Mean without")
