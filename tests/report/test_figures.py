"""Figures: marks can be told apart, SVGs fit the page, odd studies still draw."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import fake_study
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from xstilts.core import paths
from xstilts.core.params import Params
from xstilts.core.progress import Observe
from xstilts.report import figure_panels, figure_size, order, page, style, tables
from xstilts.report.data import Results, load
from xstilts.stages import aggregate


def aggregated(params: Params) -> Results:
    fake_study.write(params, examples=30)
    aggregate.run(params, "fake", Observe(quiet=True))
    return load(params, paths.aggregated("fake"))


@pytest.fixture
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("tasks", "languages", "key"),
    [
        ({"facts": [1000]}, ["qaa"], "settings"),
        ({"facts": [1000, 4000]}, ["qab", "qac"], "size"),
        ({"facts": [1000, 4000]}, [f"l{i}" for i in range(12)], "size"),
    ],
    ids=["one language, one size", "no source language", "many languages"],
)
@pytest.mark.usefixtures("_folder")
def test_odd_studies_draw(tasks: dict[str, list[int]], languages: list[str], key: str) -> None:
    """A single point, no source language, or one seed must not stop a report."""
    drawn = page.build(aggregated(fake_study.params(tasks, languages, (1,))))
    assert [figure.name for figure in drawn] == [key, "languages"]
    for figure in drawn:
        figure_panels.save(figure, Path("out"))
        for suffix in figure_panels.SUFFIXES:
            assert Path("out", f"{figure.name}.{suffix}").stat().st_size > 3000
        for panel in figure_panels.page_panels(figure):
            assert re.search(r'<svg[^>]* role="img" aria-labelledby', panel)


@pytest.mark.usefixtures("_folder")
def test_a_huge_interval_does_not_flatten_its_panel() -> None:
    """Two seeds that differ much: their interval runs out of the panel, and the caption says so."""
    results = aggregated(fake_study.params({"facts": [1000, 4000]}, None, (1, 2)))
    usual = page.build(results)[0]
    before = figure_panels.composed(usual).axes[0].get_ylim()
    assert "goes on" not in usual.caption
    target = results.targets[0]
    rows = results.summary
    own = [r for r in rows if (r["target"], r["language"]) == (target, results.headline(target))]
    row = next(row for row in own if row["size"] == 4000)
    row["delta_low"], row["delta_high"] = -160.0, 133.0
    cut = page.build(results)[0]
    low, high = figure_panels.composed(cut).axes[0].get_ylim()
    assert high - low < 2 * (before[1] - before[0])
    assert low < row["mean"] < high
    assert "goes on" in cut.caption


@pytest.mark.parametrize(
    ("sizes", "named"),
    [
        ([1000, 3000, 7266, 9900, 10_330], ["1K", "3K", "10.3K"]),
        ([100, 300, 1200], ["100", "300", "1.2K"]),
        ([1000, 10_000, 100_000], ["1K", "10K", "100K"]),
    ],
)
@pytest.mark.usefixtures("_folder")
def test_words_of_close_sizes_do_not_run_together(sizes: list[int], named: list[str]) -> None:
    """A size whose words have no room keeps its tick."""
    figure = page.build(aggregated(fake_study.params({"facts": sizes}, None, (1,))))[0]
    canvas = figure_panels.composed(figure)
    agg = FigureCanvasAgg(canvas)
    agg.draw()
    ax = canvas.axes[0]
    labels = ax.get_xticklabels()
    assert sorted(label.get_text() for label in labels) == sorted(named)
    assert len(ax.get_xticks()) + len(ax.get_xticks(minor=True)) == len(sizes)
    boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: box.x0)
    for one, two in pairwise(boxes):
        assert two.x0 - one.x1 > 0.3 * one.height


@pytest.mark.usefixtures("_folder")
def test_each_target_has_a_panel_that_says_its_numbers() -> None:
    """Who cannot see a figure gets its numbers; a point leads to the runs that made it."""
    results = aggregated(fake_study.params())
    key = page.build(results)[0]
    assert [panel.title for panel in key.panels] == results.targets
    for panel, svg in zip(key.panels, figure_panels.page_panels(key), strict=True):
        row = results.row(panel.title, "zero-shot", "facts-qaa-16000")
        assert row is not None
        assert f"{row['mean']:.1f} at 16K" in panel.told
        assert f"{panel.told}</desc>" in svg
        assert 'tabindex="-1" xlink:href="#setting-facts-qaa-16000"' in svg


@pytest.mark.usefixtures("_folder")
def test_intervals_at_the_score_are_those_of_the_difference() -> None:
    """Paired: one that does not reach the line of `none` differs from it."""
    results = aggregated(fake_study.params())
    row = results.row("paraphrase", "zero-shot", "facts-qaa-16000")
    none = results.baseline("paraphrase", "zero-shot")
    assert row is not None
    assert none is not None
    ends = tuple(none["mean"] + row[name] for name in ("delta_low", "delta_high"))
    assert figure_size._interval(row) == pytest.approx(ends)
    assert figure_size._interval({**row, "delta_low": None}) is None
    alone = dict.fromkeys(("delta", "delta_low", "delta_high"))
    assert figure_size._interval({**row, **alone}) == (row["low"], row["high"])
    counted = figure_size._interval({**row, "expected": 50.0})
    assert counted == (row["low"], row["high"])


@pytest.mark.usefixtures("_folder")
def test_a_study_without_a_baseline_draws_scores() -> None:
    """There is nothing to gain over: axes and caption say score, and no line of `none` is drawn."""
    study = fake_study.params()
    runs = {name: spec for name, spec in study.transfer.items() if spec.method != "none"}
    results = aggregated(study.model_copy(update={"transfer": runs}))
    size, languages = page.build(results)
    assert "no intermediate training" not in size.caption
    assert languages.caption.startswith("Score in every language")
    assert all("without" not in panel.told for panel in size.panels)
    assert len(list(figure_panels.page_panels(size))) == len(results.targets)
    page.render(results, [size, languages], tables.build(results))


def test_series_differ_in_more_than_colour() -> None:
    """A print without colour, and eyes that see few, tell them by shape; variants by dashes."""
    many = [("single", f"t{number}", "en", "") for number in range(16)]
    found = [(look.colour, look.shape) for look in figure_size.looks(many).values()]
    assert len(set(found)) == 16
    assert len({shape for _, shape in found[:8]}) == 8
    plain, steps = figure_size.looks([many[0], (*many[0][:3], "steps")]).values()
    assert (plain.colour, plain.shape) == (steps.colour, steps.shape)
    assert plain.dashes != steps.dashes


def test_languages_stand_by_distance_from_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """The source first, unknown distances last, and those by code."""
    assert order.order(["tr", "en", "de"], "en") == ["en", "de", "tr"]
    assert order.order(["qae", "qac", "qaa", "qab"], "qaa") == ["qaa", "qab", "qac", "qae"]
    assert order.order(["zz", "yy", "en"], "en") == ["en", "yy", "zz"]
    away = {"fr": 0.2, "de": 0.1, "aa": None}
    monkeypatch.setattr(order, "distance", lambda source, language: away.get(language))
    assert order.order(["aa", "fr", "en", "de"], "en") == ["en", "de", "fr", "aa"]


def test_inline_svg_takes_the_colours_and_ids_of_the_page() -> None:
    """Two figures in one page must not share ids, and ink must turn light on a dark page."""
    svg = (
        '<?xml version="1.0"?><!DOCTYPE svg><svg width="9pt" viewBox="0 0 9 9"><metadata>x'
        '</metadata><g id="patch_1"><path id="m1" style="fill: #1b1f24"/>'
        '<use xlink:href="#m1" clip-path="url(#m1)"/></g></svg>'
    )
    text = style.inline(svg, "one", "a <title>", "told")
    assert text.startswith("<svg ")
    assert 'id="one-m1"' in text
    assert 'xlink:href="#one-m1" clip-path="url(#one-m1)"' in text
    assert "var(--ink)" in text
    assert '<title id="one-title">a &lt;title&gt;</title><desc id="one-told">told</desc>' in text
    assert 'aria-hidden="true"' in style.inline(svg, "two")
    for gone in ("patch_1", "#1b1f24", "metadata", "DOCTYPE", "9pt"):
        assert gone not in text
