"""The report stage on a made-up study: equal bytes, nothing from outside, right numbers."""

from __future__ import annotations

import csv
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import fake_study
import pytest

from xstilts.core import paths
from xstilts.core.errors import UserError
from xstilts.core.files import read_json, sha256_file, write_json
from xstilts.core.params import Params
from xstilts.core.progress import Observe
from xstilts.stages import aggregate, report

QUIET = Observe(quiet=True)
REPORT = Path("report/fake")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Params, Path]:
    """A study with its aggregate and its report; the folder is the project root."""
    root = tmp_path_factory.mktemp("study")
    params = fake_study.params()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        fake_study.write(params, examples=100)
        aggregate.run(params, "fake", QUIET)
        report.run(params, "fake", QUIET)
    return params, root


@pytest.fixture
def made(study: tuple[Params, Path], monkeypatch: pytest.MonkeyPatch) -> Params:
    """The same, with its root as the working folder."""
    monkeypatch.chdir(study[1])
    return study[0]


class Page(HTMLParser):
    """Collects ids, links, what a browser would load, and tags left open."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "srcset", "data", "poster") or (tag == "link" and name == "href"):
                self.loads.append(value or "")
            elif tag == "a" and name == "href":
                self.links.append(value or "")
            elif name == "xlink:href" and not (value or "").startswith("#"):
                self.loads.append(value or "")
            elif name == "id":
                self.ids.append(value or "")
        if tag not in ("meta", "br", "wbr"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page() -> tuple[str, Page]:
    text = (REPORT / "index.html").read_text(encoding="utf-8")
    parsed = Page()
    parsed.feed(text)
    return text, parsed


def _files() -> list[Path]:
    return sorted(path for path in REPORT.rglob("*") if path.is_file())


def test_equal_work_gives_equal_bytes(made: Params) -> None:
    """The report is a DVC output: a second rendering must not look like a change."""
    files = [*_files(), paths.report_metrics("fake")]
    before = {path: sha256_file(path) for path in files}
    report.run(made, "fake", QUIET)
    after = [*_files(), paths.report_metrics("fake")]
    assert {path: sha256_file(path) for path in after} == before
    assert {path.suffix for path in files} >= {
        ".html",
        ".svg",
        ".pdf",
        ".png",
        ".csv",
        ".tex",
        ".json",
    }


def test_page_loads_nothing_from_outside(made: Params) -> None:
    """It is read years later, by mail, on a machine without a network."""
    text, parsed = page()
    assert parsed.loads == []
    assert "<script" not in text
    assert "@import" not in text
    assert re.findall(r"url\((?!#)[^)]*\)", text) == []
    assert "javascript" not in text.lower()
    outside = [link for link in parsed.links if "//" in link]
    assert all(link.startswith("http://127.0.0.1:5000/#/") for link in outside)


def test_page_is_well_formed(made: Params) -> None:
    """All tags closed; no id twice, as figures share one page; links to files lead to files."""
    _, parsed = page()
    assert parsed.open == []
    assert len(parsed.ids) == len(set(parsed.ids))
    for link in parsed.links:
        if link.startswith("#"):
            assert link[1:] in parsed.ids
        elif "//" not in link and not link.startswith("../../provenance/fake/runs.html"):
            assert (REPORT / link).is_file()


def test_nothing_of_the_place_or_time_is_on_the_page(made: Params) -> None:
    """Such things differ between equal runs."""
    text, _ = page()
    assert str(Path.cwd()) not in text
    assert not re.search(r"\b20[2-9]\d-\d\d-\d\d", text)


def test_delta_table_repeats_the_summary(made: Params) -> None:
    """The CSV has the summary's numbers; the page shows them rounded, with their mark."""
    with (REPORT / "tables/deltas.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    row = next(r for r in rows if (r["group"], r["target"]) == ("facts-qaa-16000", "paraphrase"))
    assert row["language"] == "zero-shot"
    text, _ = page()
    assert f">+{float(row['delta']):.1f}<" in text
    assert len(rows) == 7 * 3  # groups x (targets and their mean)


def test_every_run_is_listed_with_its_hashes(made: Params) -> None:
    """A number in the report is traced to the run that made it."""
    text, parsed = page()
    for run in made.transfer:
        assert run in parsed.ids
        assert f"../../provenance/fake/runs.html#{run}" in parsed.links
        assert sha256_file(Path(f"results/transfer/fake/{run}/scores.json")) in text


def test_every_setting_leads_to_its_runs(made: Params) -> None:
    """From a row of the gains, and from a point of a figure, to the runs behind it."""
    text, parsed = page()
    gains = text[text.index('id="gain"') : text.index('id="languages"')]
    figures = text[text.index('id="size"') : text.index('id="gain"')]
    runs = text[text.index('id="setting-facts-qaa-4000"') :]
    runs = runs[: runs.index("</tbody>")]
    assert 'href="#setting-facts-qaa-4000"' in gains
    assert 'href="#setting-facts-qaa-4000"' in figures
    for seed in (1, 2):
        assert f'id="facts-qaa-4000-s{seed}"' in runs
    settings = {link for link in parsed.links if link.startswith("#setting-")}
    assert len(settings) == 7  # with `none` and the control


def test_the_page_is_read_without_eyes_and_without_a_mouse(made: Params) -> None:
    """Every drawing has words or is hidden; what scrolls can be reached; one can skip ahead."""
    text, parsed = page()
    for tag in re.findall(r"<svg[^>]*>", text):
        named = re.search(r'role="img" aria-labelledby="([^"]+)" aria-describedby="([^"]+)"', tag)
        assert 'aria-hidden="true"' in tag or named
        if named:
            assert set(named.groups()) <= set(parsed.ids)
    scrolled = re.findall(r'<div class="scroll"[^>]*>', text)
    assert scrolled
    assert all('tabindex="0" role="region" aria-label="' in tag for tag in scrolled)
    assert parsed.links[0] == "#answer"
    levels = [int(level) for level in re.findall(r"<h([1-6])", text)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_all_that_is_made_can_be_reached(made: Params) -> None:
    """A figure or a table for a paper is of no use to a reader who does not know of it."""
    _, parsed = page()
    files = {str(p.relative_to(REPORT)) for p in _files() if p.parent.name in ("figures", "tables")}
    unlinked = files - set(parsed.links)
    assert {Path(name).stem for name in unlinked} == {"leaks"} & {Path(n).stem for n in unlinked}


def test_rows_and_licences_are_on_the_page(made: Params) -> None:
    """Which rows were learnt from and scored, where they are from and under which licence."""
    path = paths.statistics("fake", "paraphrase")
    splits = {"test": {"qaa": {"rows": 1200, "dropped": 3}, "qab": {"rows": 800, "dropped": 0}}}
    told = {"task": "paraphrase", "dataset": "o/n", "revision": "f" * 40, "licence": "CC-BY-4.0"}
    write_json(path, {**told, "splits": splits})
    try:
        report.run(made, "fake", QUIET)
        text, _ = page()
        assert str(path) in read_json(REPORT / "record.json")["inputs"]
        data = text[text.index('id="data"') : text.index('id="method"')]
        for words in ("2,000", "CC-BY-4.0", "o/n", "f" * 12, ">target<", ">3<"):
            assert words in data
    finally:
        path.unlink()
        report.run(made, "fake", QUIET)


def test_collapsed_run_is_listed_and_marked(made: Params) -> None:
    """The one collapsed cell of the made-up study is named, and its mean carries a dagger."""
    text, _ = page()
    collapsed = text[text.index('id="collapsed"') : text.index('id="runs"')]
    assert "order-qaa-1000-s2" in collapsed
    assert "1 of 140 cells" in collapsed
    assert "†" in text[text.index('id="gain"') : text.index('id="languages"')]


def test_a_study_without_a_leak_check_says_so(made: Params) -> None:
    """Silence would be read as "no leaks"; made-up targets have no published scores beside."""
    text, parsed = page()
    leaks = text[text.index('id="data"') : text.index('id="method"')]
    assert "was not checked for this study" in leaks
    assert "published" not in parsed.ids
    inputs = read_json(REPORT / "record.json")["inputs"]
    curves = {f"results/transfer/fake/{run}/record.json" for run in made.transfer}
    assert set(inputs) - curves == {
        f"results/aggregate/fake/{name}"
        for name in (
            "benchmark.parquet", "best.parquet", "contrasts.parquet", "questions.parquet",
            "record.json", "scores.parquet", "slopes.parquet", "summary.parquet",
        )
    }  # fmt: skip


def test_a_clean_leak_check_is_told_and_recorded(made: Params) -> None:
    """How many pairs were compared says what "none" is worth."""
    path = paths.statistics("fake", "overlap")
    clean = {"pairs": [], "selection": [], "checked": 1234, "training_rows": {}}
    write_json(path, clean)
    try:
        report.run(made, "fake", QUIET)
        assert "1,234 pairs" in page()[0]
        assert "none has a row in common" in page()[0]
        assert str(path) in read_json(REPORT / "record.json")["inputs"]
    finally:
        path.unlink()
        report.run(made, "fake", QUIET)


def test_latex_is_balanced_and_escaped(made: Params) -> None:
    """An underscore in a target's name stops LaTeX."""
    tables = [path for path in (REPORT / "tables").glob("*.tex") if path.stem != "main"]
    assert tables
    for path in tables:  # tests/report/test_main_table.py looks at the main one
        lines = path.read_text(encoding="utf-8").splitlines()
        body = [line for line in lines if line.endswith(r"\\")]
        assert len({line.count(" & ") for line in body}) == 1
        assert not re.search(r"(?<!\\)_", "\n".join(body))
        assert lines[-1] == r"\end{tabular}"


def test_plots_are_rows_for_dvc(made: Params) -> None:
    """`dvc plots show` takes a list of objects, with x, y and the name of a line."""
    rows = read_json(REPORT / "plots/scaling.json")
    assert set(rows[0]) >= {"series", "target", "language", "task", "size", "mean"}
    keys = [(row["series"], row["size"]) for row in rows]
    assert len(keys) == len(set(keys))
    assert all(row["size"] > 0 for row in rows)
    assert {row["target"] for row in read_json(REPORT / "plots/deltas.json")} >= set(made.targets)


def test_a_missing_aggregate_is_named(made: Params, tmp_path: Path) -> None:
    """The stage must say what to run first, and not leave half a report."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        with pytest.raises(UserError, match=r"results/aggregate/fake/scores\.parquet is missing"):
            report.run(made, "fake", QUIET)
        assert not REPORT.exists()
