"""The table for a paper: LaTeX that compiles, numbers of the summary, the same as CSV."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import fake_study
import pytest

from xstilts.commands import scores
from xstilts.core import paths
from xstilts.core.params import Params
from xstilts.core.progress import Observe
from xstilts.report import main_table, markdown, table, tables
from xstilts.report.data import Results, load, spread
from xstilts.report.figure_panels import Figure, Panel, save
from xstilts.stages import aggregate

ROOT = Path(__file__).parents[2]
QUIET = Observe(quiet=True)
PAGE = (
    r"\documentclass{article}\usepackage{booktabs}\usepackage[a4paper,margin=2.5cm]{geometry}"
    "\n\\begin{document}\n%s\n\\end{document}\n"
)


def aggregated(study: Params, folder: Path) -> Results:
    """The aggregate of a made-up study."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        shutil.copy(ROOT / "references.yaml", folder)
        fake_study.write(study, examples=30)
        aggregate.run(study, "fake", QUIET)
        return load(study, paths.aggregated("fake"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Two targets, two tasks, a control, a collapsed run."""
    return aggregated(fake_study.params(), tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """All targets of XTREME, every method."""
    return aggregated(fake_study.large(), tmp_path_factory.mktemp("large"))


@pytest.fixture(params=["small", "large"])
def results(request: pytest.FixtureRequest) -> Results:
    """Either."""
    found: Results = request.getfixturevalue(request.param)
    return found


def width(line: str) -> int:
    """Columns that a line of a tabular fills."""
    spans = [int(count) for count in re.findall(r"\\multicolumn\{(\d+)\}", line)]
    return len(re.split(r"(?<!\\)&", line)) + sum(spans) - len(spans)


def check(text: str) -> None:
    """What LaTeX would refuse: bytes, braces, environments, signs, columns of a line."""
    assert text.isascii()
    plain = re.sub(r"(?m)(?<!\\)%.*$", "", text).replace(r"\\", "\n")
    bare = re.sub(r"\\[{}&%#_$]", "", plain)
    depth = 0
    for sign in bare:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0
    assert bare.count("$") % 2 == 0
    outside = re.sub(r"\$[^$]*\$", "", bare)
    assert not re.search(r"[#_^~<>|]", re.sub(r"\\label\{[^}]*\}", "", outside))
    begun = re.findall(r"\\begin\{([a-z*]+)\}", text)
    assert begun == re.findall(r"\\end\{([a-z*]+)\}", text)[::-1]
    (shape,) = re.findall(r"\\begin\{tabular\}\{([lrc]+)\}", text)
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    lines = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert lines
    assert {width(line) for line in lines} == {len(shape)}


def test_every_table_is_sound_latex(results: Results) -> None:
    """It is pasted into a paper the night before a deadline."""
    check(main_table.latex(results))
    for one in tables.build(results).values():
        check(table.latex(one))


def test_a_column_that_says_nothing_is_left_out() -> None:
    """Of methods, where all are alike."""
    rows = [[table.Entry("a"), table.Entry(""), table.Entry("1")]]
    made = table.Table("x", "x", "", ["task", "method", "slope"], rows, []).filled()
    assert list(made.header) == ["task", "slope"]
    assert [[entry.text for entry in row] for row in made.rows] == [["a", "1"]]
    none = table.Table("x", "x", "", ["task"], [], [])
    assert none.filled() == none


def test_special_signs_are_escaped() -> None:
    """A task or language may be called anything."""
    signs = "a_b & 5% #1 {x} ~^\\ $ <→> |±×† “q” – …"
    entry = table.Entry(signs, signs)
    check(table.latex(table.Table("x", "x", "", [signs], [[entry]], [])))
    assert table.tex(r"\{") == r"\textbackslash{}\{"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no TeX here")
def test_it_compiles_and_fits_the_page(results: Results, tmp_path: Path) -> None:
    """By a real TeX, where there is one."""
    short = [one for one in tables.build(results).values() if len(one.rows) <= 100]
    texts = [main_table.latex(results), *map(table.latex, short)]
    (tmp_path / "main.tex").write_text(PAGE % texts[0])
    (tmp_path / "all.tex").write_text(PAGE % "\n\\clearpage\n".join(texts))
    for name in ("main", "all"):
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"{name}.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:]
        if name == "main" and len(results.targets) < main_table.FEW:
            assert r"Overfull \hbox" not in done.stdout


def test_it_has_the_numbers_of_the_summary(small: Results) -> None:
    """Rounded; the best setting is bold, the control never; a collapsed run is marked."""
    text = main_table.latex(small)
    for target in small.targets:
        for group in small.groups:
            row = small.row(target, "zero-shot", group["group"])
            assert row is not None
            width = re.escape(table.tex(spread(row)))
            assert re.search(rf"{row['mean']:.1f}\D.*scriptsize {width}}}", text)
    assert text.count(r"\textbf") == len(small.columns)
    assert not [line for line in text.splitlines() if "shuffled" in line and "textbf" in line]
    assert r"$^{\dagger}$" in text
    assert r"95\% interval" in text


@pytest.mark.parametrize(("low", "high"), [(0.0, 100.0), (0.0, 93.4), (26.1, 100.0)])
def test_half_of_an_interval_that_was_cut_is_not_printed(
    small: Results, low: float, high: float
) -> None:
    """63.0 of two seeds at 51.3 and 74.7 stood there as "± 50.0", which says 13 to 113.

    The half that was computed is 148, or one that the bound which is left tells alone.
    """
    target = small.targets[0]
    wide = {"mean": 63.0, "low": low, "high": high}
    summary = [
        row | wide
        if (row["target"], row["language"], row["method"]) == (target, "zero-shot", "shuffled")
        else row
        for row in small.summary
    ]
    results = replace(small, summary=summary)
    (line,) = [line for line in main_table.latex(results).splitlines() if "shuffled" in line]
    assert f"63.0 {{\\scriptsize {low:.1f}--{high:.1f}}}" in line
    assert "interval (the whole interval where 0 or 100 cuts it)" in main_table.latex(results)
    stream = io.StringIO()
    for width in (80, 100):
        scores.Console(file=stream, width=width).print(scores.target_table(results, target, width))
    assert f"63.0 {low:.0f}–{high:.0f}" in stream.getvalue()
    assert "…" not in stream.getvalue()


def test_the_caption_says_of_cuts_only_where_there_are_some(small: Results) -> None:
    """A sentence on what no cell shows would be looked for in vain."""
    whole = [row | {"low": 40.0, "high": 60.0} for row in small.summary]
    assert "cuts" not in main_table.latex(replace(small, summary=whole))


def test_the_csv_has_a_row_a_setting(results: Results) -> None:
    """In full precision; what is not tested is empty."""
    rows = list(csv.DictReader(io.StringIO(main_table.as_csv(results))))
    assert [row["setting"] for row in rows] == [group["group"] for group in results.groups]
    target = results.targets[0]
    for row in rows:
        found = results.row(target, results.headline(target), row["setting"])
        assert found is not None
        assert float(row[f"{target}.mean"]) == found["mean"]
        assert row[f"{target}.delta"] == ("" if found["delta"] is None else str(found["delta"]))


def test_the_command_prints_either(
    small: Results,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`xstilts scores --latex > table.tex`: nothing but the table."""
    monkeypatch.setattr(scores.design, "load", lambda study: small.params)
    monkeypatch.setattr(scores, "load", lambda params, folder: small)
    scores.show_scores(None, ["latex"])
    assert capsys.readouterr().out == main_table.latex(small)
    scores.show_scores(None, ["csv"])
    assert capsys.readouterr().out == main_table.as_csv(small)
    scores.show_scores(None, ["markdown"])
    assert capsys.readouterr().out == markdown.scores(small)


def test_two_forms_at_once_are_refused(project: Path, refused: Callable[..., str]) -> None:
    """Through the command line."""
    refused(lambda: None, "scores --latex --csv", "--latex and --csv are forms of one table")


def test_a_figure_is_saved_for_papers_too(tmp_path: Path) -> None:
    """SVG, PDF and PNG, with the same bytes each time and no date or program in them."""
    panel = Panel("−1 → ü", "", lambda ax: ax.plot([1, 2]))
    for folder in ("a", "b"):
        save(Figure("x", "x", "", [panel]), tmp_path / folder)
    for name in ("x.svg", "x.pdf", "x.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    pdf = (tmp_path / "a/x.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    for word in (b"CreationDate", b"Producer", b"/Creator"):
        assert word not in pdf
