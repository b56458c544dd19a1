"""A study as large as the paper's: figures, tables and terminal stay readable.

Run: python -m pytest tests/report/test_large.py
"""

from __future__ import annotations

import csv
import io
import re
import shutil
from itertools import combinations
from pathlib import Path

import fake_study
import matplotlib
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from rich.console import Console

from xstilts.commands.scores import print_table
from xstilts.core import paths
from xstilts.core.files import write_json
from xstilts.core.params import Params
from xstilts.core.progress import Observe
from xstilts.report import figure_panels, figure_size, page, style, table, tables
from xstilts.report.data import Results, load, size_text
from xstilts.stages import aggregate

QUIET = Observe(quiet=True)
PAIR = {
    "training": "squad_v1", "evaluation": "xquad", "language": "en", "rows": 1190, "exact": 2,
    "normalised": 1180, "same_id": 0, "shared_first_text": 1190, "allowed": "rows of its dev set",
}  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, root: Path) -> tuple[Params, Path]:
    """The study, aggregated, in a folder of its own."""
    folder = tmp_path_factory.mktemp("large")
    params = fake_study.large(seeds=(1,))
    shutil.copy(root / "references.yaml", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        fake_study.write(params, examples=12)
        aggregate.run(params, "fake", QUIET)
        overlap = {"pairs": [PAIR], "selection": [], "checked": 7, "training_rows": {}}
        write_json(paths.statistics("fake", "overlap"), overlap)
    return params, folder


@pytest.fixture
def results(study: tuple[Params, Path], monkeypatch: pytest.MonkeyPatch) -> Results:
    """What the report reads, with the study's folder as the working folder."""
    monkeypatch.chdir(study[1])
    return load(study[0], paths.aggregated("fake"))


def series(results: Results) -> list[tuple[str, str, str, str]]:
    return [one for one in results.series() if one[0] != "shuffled"]


def overlaps(canvas: Canvas) -> list[tuple[str, str]]:
    """Pairs of words of a figure that lie on each other by more than a hair."""
    with matplotlib.rc_context(style.STYLE):
        agg = FigureCanvasAgg(canvas)
        agg.draw()
        renderer = agg.get_renderer()
        words = [text for legend in canvas.legends for text in legend.get_texts()]
        for ax in canvas.axes:
            words += [ax.get_title(loc="left") and ax._left_title, *ax.texts] if ax.axison else []
            for axis in (ax.xaxis, ax.yaxis) if ax.axison else ():
                words += [axis.label, *(tick.label1 for tick in axis._update_ticks())]
        texts = [
            (text.get_text(), text.get_window_extent(renderer))
            for text in words
            if text and text.get_text()
        ]
    found = []
    for (one, a), (other, b) in combinations(texts, 2):
        wide = min(a.x1, b.x1) - max(a.x0, b.x0)
        tall = min(a.y1, b.y1) - max(a.y0, b.y0)
        if wide > 1 and tall > 0.3 * min(a.height, b.height):
            found.append((one, other))
    return found


def test_translated_data_have_a_figure_of_their_own(results: Results) -> None:
    """A curve over translated rows beside one over native rows would be read as one experiment."""
    found = {
        figure.title: {str(key.get_label()) for key in figure.keys}
        for figure in figure_size.size_figures(results, series(results))
    }
    same = {"no intermediate training", "shuffled labels (control)"}
    english = {f"{task} (en)" for task in (*fake_study.ENGLISH, "nine")}
    variants = {"mnli (en), mlm", "mnli (en), steps", "qqp (en), steps", "mnli (en), adapter"}
    assert found == {
        "English data": same | english | variants,
        "Data in other languages": same | {"indonli (id)", "korquad (ko)"},
        "Machine-translated data": same | {"xnli_translated (de)", "kor_nli (ko)"},
    }


def test_words_of_the_figures_do_not_lie_on_each_other(results: Results) -> None:
    """Keys are many, names are long, sizes are close, and some targets have forty languages."""
    for figure in page.build(results):
        assert overlaps(figure_panels.composed(figure)) == [], figure.name


def test_a_target_of_forty_languages_is_a_tall_panel(results: Results) -> None:
    """Each language has a row of its own, the source first, the zero-shot mean last."""
    figure = page.build(results)[-1]
    panels = {panel.title: panel for panel in figure.panels}
    heights = [panel.height for panel in figure.panels]
    assert heights == sorted(heights)
    ax = Canvas().subplots()
    panels["wikiann"].draw(ax)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == [*results.languages("wikiann"), "zero-shot"]
    assert names[0] == "en"
    assert panels["wikiann"].height > 0.15 * len(names)


def test_the_terminal_table_fits_and_shows_every_target(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings x targets in 100 columns; no table per target, and no cell cut."""
    stream = io.StringIO()
    print_table(results.params, Console(file=stream))
    lines = stream.getvalue().splitlines()
    assert max(len(line) for line in lines) <= 100
    assert len(lines) < 130
    assert "…" not in stream.getvalue()
    for words in (*results.targets, "mnli en, steps", "nine en, multi", "best per target"):
        assert words in stream.getvalue()
    published = stream.getvalue().split("X-STILTs as published")[1]
    assert len(re.findall(r"^ (?!─)\S.*\d *$", published, flags=re.M)) == 5  # none, three, best
    whole = next(
        row
        for row in results.benchmark
        if (row["group"], row["level"], row["run"]) == ("none", "all", "")
    )
    assert re.search(rf"none .* {whole['value']:.1f} *$", published, flags=re.M)


def test_the_page_has_published_scores_choices_and_leaks(results: Results) -> None:
    """Each with its source; what is recalled carries its mark."""
    built = tables.build(results)
    text = page.render(results, [], built)
    assert 'id="published"' in text
    recalled = re.search(r'title="recalled: [^"]*">[^<]*<span class="mark">\?</span>', text)
    assert recalled
    assert "rows of its dev set" in text
    assert "1,180" in text
    chosen = {row["target"]: row["group"] for row in results.best}
    for target, group in chosen.items():
        assert f">{target.replace('_', '_<wbr>')}</th>" in text
        assert group in text
    assert "CCGbank is licensed" in text


def test_claims_and_comparisons_have_their_place(results: Results) -> None:
    """They stand in the argument where there are any; without them no heading stands empty."""
    built = tables.build(results)
    assert 'id="claims"' not in page.render(results, [], built)
    rows = [
        [table.Entry(claim, head=True), table.Entry(verdict)]
        for claim, verdict in (("told", "reproduced"), ("asked in vain", "not run"))
    ]
    more = [
        table.Table(name, f"Title of {name}", "", ["claim", "verdict"], rows, [])
        for name in ("claims", "comparison-xtreme")
    ]
    text = page.render(results, [], built | {one.name: one for one in more})
    places = [
        text.index(words)
        for words in (
            'id="languages"', 'id="claims"', "Title of claims</h2>", ">told<", "1 claims of which",
            ">asked in vain<", 'id="published"',
            "Title of comparison-xtreme</h3>", 'id="data"',
        )
    ]  # fmt: skip
    assert places == sorted(places)


def test_scores_that_cannot_be_compared_are_folded(results: Results) -> None:
    """A reader who looks for what can be compared need not pass a screen of what cannot."""
    built = tables.build(results)
    assert "incomparable-x-stilts" in built
    text = page.render(results, [], built)
    title = built["incomparable-x-stilts"].title
    assert re.search(rf"<details><summary>{title}: \d+ scores, and why</summary>", text)


def test_a_study_may_quote_a_command(results: Results) -> None:
    """As its file does, between backticks; nothing else of it is taken for HTML."""
    assert page.prose("as `xstilts plan` <said> `") == "as <code>xstilts plan</code> &lt;said&gt; `"


def test_tables_of_published_scores_say_where_they_are_from(
    results: Results, tmp_path: Path
) -> None:
    """The CSV has every number with its source; a study's own row says how many seeds."""
    built = tables.build(results)
    for name in ("references", "benchmark-x-stilts", "best", "leaks", "slopes"):
        table.save(built[name], tmp_path)
        latex = (tmp_path / f"{name}.tex").read_text(encoding="utf-8")
        body = [line for line in latex.splitlines() if line.endswith(r"\\")]
        assert len({line.count(" & ") for line in body}) == 1
    with (tmp_path / "references.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) > 200
    assert all(row["source"] and row["status"] for row in rows)
    with (tmp_path / "benchmark-x-stilts.csv").open(encoding="utf-8") as stream:
        own = list(csv.DictReader(stream))
    assert {row["level"] for row in own} == {"task", "group", "all"}


def test_large_studies_have_a_column_of_slopes_per_target(results: Results) -> None:
    """A row per series and target would be a page long."""
    built = tables.build(results)["slopes"]
    assert list(built.header[4:]) == results.targets
    scaled = [one for one in series(results) if len(results.sizes(one)) > 1]
    assert len(built.rows) == len(scaled)
    assert built.rows[0][2].text == f"{size_text(1000)} to {size_text(100_000)}"
    assert len(built.records) == len(scaled) * len(results.targets)
