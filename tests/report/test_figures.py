"""Figures: labels do not overlap, SVGs fit the page, odd studies still draw."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import fake_study
import pytest

from xstilts.core import paths
from xstilts.core.params import Params
from xstilts.core.progress import Observe
from xstilts.report import page, style
from xstilts.report.data import Results, load
from xstilts.report.figure_lines import spread
from xstilts.stages import aggregate


def test_labels_are_spread_and_stay_inside() -> None:
    """Ten lines may end at one height; each name must still be legible."""
    rng = random.Random(1)
    for _ in range(50):
        values = sorted(rng.uniform(0, 30) for _ in range(8))
        places = spread(values, 6.0, 0.0, 100.0)
        gaps = [after - before for before, after in pairwise(places)]
        assert min(gaps) >= 6.0 - 1e-9
        assert places[0] >= 3.0 - 1e-9
        assert places[-1] <= 97.0 + 1e-9


def test_labels_with_room_stay_where_their_lines_end() -> None:
    """A label is moved only where it must be."""
    assert spread([10.0, 50.0, 90.0], 6.0, 0.0, 100.0) == [10.0, 50.0, 90.0]
    assert spread([49.0, 51.0], 6.0, 0.0, 100.0) == [47.0, 53.0]
    assert spread([], 6.0, 0.0, 100.0) == []


def aggregated(params: Params) -> Results:
    fake_study.write(params, examples=30)
    aggregate.run(params, "fake", Observe(quiet=True))
    return load(params, paths.aggregated("fake"))


@pytest.mark.parametrize(
    ("tasks", "languages", "expected"),
    [
        ({"facts": [1000]}, ["qaa"], {"scaling"}),
        ({"facts": [1000, 4000]}, ["qab", "qac"], {"scaling"}),
        ({"facts": [1000, 4000]}, [f"l{i}" for i in range(12)], {"scaling"}),
    ],
    ids=["one language, one size", "no source language", "many languages"],
)
def test_odd_studies_draw(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tasks: dict[str, list[int]],
    languages: list[str],
    expected: set[str],
) -> None:
    """A single point, no source language, or more languages than colours must not stop a report."""
    monkeypatch.chdir(tmp_path)
    drawn = page.build(aggregated(fake_study.params(tasks, languages, (1,))))
    assert {figure.name for figure in drawn} == expected | {
        "languages-paraphrase", "languages-fact_qa",
    }  # fmt: skip
    for figure in drawn:
        svg = style.save(figure, tmp_path / "out")
        assert "<svg" in svg
        assert (tmp_path / "out" / f"{figure.name}.png").stat().st_size > 5000


def test_inline_svg_takes_the_colours_and_ids_of_the_page() -> None:
    """Two figures in one page must not share ids, and ink must turn light on a dark page."""
    svg = (
        '<?xml version="1.0"?><!DOCTYPE svg><svg width="9pt" viewBox="0 0 9 9"><metadata>x'
        '</metadata><g id="patch_1"><path id="m1" style="fill: #1b1f24"/>'
        '<use xlink:href="#m1" clip-path="url(#m1)"/></g></svg>'
    )
    text = style.inline(svg, "one", "a label")
    assert text.startswith("<svg ")
    assert 'id="one-m1"' in text
    assert 'xlink:href="#one-m1" clip-path="url(#one-m1)"' in text
    assert "var(--ink)" in text
    assert 'aria-label="a label"' in text
    for gone in ("patch_1", "#1b1f24", "metadata", "DOCTYPE", "9pt"):
        assert gone not in text
