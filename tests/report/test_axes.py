"""Settings beside `none` that are no intermediate task: variants of fine-tuning, and rates."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import fake_study
import pytest
from matplotlib.figure import Figure
from rich.console import Console

from xstilts.commands.scores import print_table
from xstilts.core import paths
from xstilts.core.files import read_json, write_json
from xstilts.core.params import Params, Training, Variant
from xstilts.core.progress import Observe
from xstilts.report import layers, page, rates, tables
from xstilts.report.data import Results, load
from xstilts.report.table import latex
from xstilts.results.scores import Group
from xstilts.stages import aggregate, report

QUIET = Observe(quiet=True)
USUAL = fake_study.TRAINING
WAYS = {
    "layers": {"layers": "attention"},
    "lr-1e-05": {"learning_rate": 1e-5},
    "lr-1e-04": {"learning_rate": 1e-4},
}
WEIGHTS = {"qaa": [0.2, 0.8], "qab": [0.5, 0.5], "qac": [0.1, 0.9]}


def study() -> Params:
    """Two targets, `paraphrase` in three more ways; `facts` before them at two rates."""
    params = fake_study.params({"facts": [1000]}, languages=list(WEIGHTS))
    ways = {
        name: Variant(training=Training(**{**USUAL, **changed})) for name, changed in WAYS.items()
    }
    params.targets["paraphrase"] = params.targets["paraphrase"].model_copy(
        update={"variants": ways}
    )
    bare = params.transfer["none-s1"]
    for seed in (1, 2):
        for name in WAYS:
            changed = {"variant": name, "seed": seed}
            params.transfer[f"none-s{seed}-{name}"] = bare.model_copy(update=changed)
        first = f"facts-qaa-1000-s{seed}"
        for section in (params.transfer, params.intermediate):
            one: Any = section[first]
            section[f"{first}-lr-1e-02"] = one.model_copy(update={"variant": "lr-1e-02"})
        spec = params.intermediate[f"{first}-lr-1e-02"]
        training = spec.training.model_copy(update={"learning_rate": 1e-2})
        params.intermediate[f"{first}-lr-1e-02"] = spec.model_copy(update={"training": training})
    return params


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, root: Path) -> tuple[Params, Path]:
    """The study, aggregated, with weights of layers in its records."""
    folder, params = tmp_path_factory.mktemp("axes"), study()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "references.yaml").write_bytes((root / "references.yaml").read_bytes())
        fake_study.write(params, examples=50)
        for seed in (1, 2):
            path = paths.transferred("fake", f"none-s{seed}-layers") / "record.json"
            write_json(path, {**read_json(path), "layers": {"paraphrase": WEIGHTS}})
        aggregate.run(params, "fake", QUIET)
    return params, folder


@pytest.fixture
def results(made: tuple[Params, Path], monkeypatch: pytest.MonkeyPatch) -> Results:
    """What the report reads, in its folder."""
    monkeypatch.chdir(made[1])
    return load(made[0], paths.aggregated("fake"))


def test_gains_are_counted_from_fine_tuning_as_usual(results: Results) -> None:
    """`none` alone is the baseline: a variant of it is a setting like any other."""
    row = results.row("paraphrase", "zero-shot", "none-layers")
    usual = results.row("paraphrase", "zero-shot", "none")
    assert row is not None
    assert usual is not None
    assert usual["delta"] is None
    assert row["delta"] == pytest.approx(row["mean"] - usual["mean"], abs=1e-5)
    assert row["p_holm"] is not None
    assert results.row("fact_qa", "zero-shot", "none-layers") is None
    assert results.row("all", "zero-shot", "none-layers") is None
    assert Group("none", "none", "none", 0, "layers").label == "none-layers"
    asked = {row["subject"] for row in results.questions if row["question"] == "transfer gap"}
    assert "none-layers" in asked


def test_rates_are_told_for_the_source_and_for_the_others(results: Results) -> None:
    """Every rate that a series has, with the usual one among them, and no other way to train."""
    rows = rates.points(results)
    found = {(row["target"], row["series"], row["rate"]): row["group"] for row in rows}
    assert found == {
        ("paraphrase", "none", 1e-5): "none-lr-1e-05",
        ("paraphrase", "none", 1e-4): "none-lr-1e-04",
        ("paraphrase", "none", 1e-3): "none",
        **{
            (target, "facts-qaa-1000", rate): f"facts-qaa-1000{tail}"
            for target in ("paraphrase", "fact_qa")
            for rate, tail in ((1e-3, ""), (1e-2, "-lr-1e-02"))
        },
    }
    for row in rows:
        for side, language in (("source", "qaa"), ("others", "zero-shot")):
            cell = results.row(row["target"], language, row["group"])
            assert cell is not None
            assert (row[side], row[f"{side}_low"]) == (cell["mean"], cell["low"])
        assert row["gap"] == pytest.approx(row["source"] - row["others"], abs=1e-5)


def test_the_highest_rate_of_each_side_is_named(results: Results) -> None:
    """A rate chosen on source-language rows may not be the best for the others."""
    (table,) = rates.build(results)
    own = [row for row in table.records if (row["target"], row["series"]) == ("paraphrase", "none")]
    source, others = (max(own, key=lambda row: row[side])["rate"] for side in ("source", "others"))
    wanted = f"paraphrase, none: highest in qaa at {source:g} and in the others at {others:g}."
    assert wanted in table.caption


def test_layers_are_told_by_language(results: Results) -> None:
    """Mean over seeds; the others apart from the source language, where the head was trained."""
    rows = layers.points(results)
    assert len(rows) == 6
    assert {row["seeds"] for row in rows} == {2}
    weights = {(row["language"], row["layer"]): row["weight"] for row in rows}
    assert weights["qac", 2] == 0.9
    (table,) = layers.build(results)
    texts = [[entry.text for entry in row] for row in table.rows]
    assert texts == [
        ["paraphrase", "none-layers", "qaa", "20.0", "80.0"],
        ["paraphrase", "none-layers", "others", "30.0", "70.0"],
    ]


def test_other_studies_have_no_such_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    """An empty table would be a question that nobody asked."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "references.yaml").write_bytes((root / "references.yaml").read_bytes())
    params = fake_study.params()
    fake_study.write(params, examples=20)
    aggregate.run(params, "fake", QUIET)
    built = tables.build(load(params, paths.aggregated("fake")))
    assert not {"rates", "layers"} & built.keys()


def test_the_report_has_them_as_files(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    """CSV and LaTeX as all tables; on the terminal, too, a variant is told from `none`."""
    report.run(results.params, "fake", QUIET)
    folder = paths.report("fake") / "tables"
    for name, count in (("rates", 7), ("layers", 6)):
        with (folder / f"{name}.csv").open(encoding="utf-8") as file:
            assert len(list(csv.DictReader(file))) == count
        assert (folder / f"{name}.tex").exists()
    assert "none &  & layers" in (folder / "main.tex").read_text(encoding="utf-8")
    print_table(results.params, Console(width=120))
    assert "none, layers" in capsys.readouterr().out


def test_each_variant_of_none_is_told_by_its_name(results: Results) -> None:
    """Rows of one name cannot be told apart; of them only the one without a variant is a score."""
    table = tables.build(results)["deltas"]
    heads = [row[0].text for row in table.rows]
    assert [head for head in heads if head.startswith("none")] == [
        "none", *(f"none, {name}" for name in sorted(WAYS)),
    ]  # fmt: skip
    assert "none, layers &" in latex(table)
    assert "“none”, without a variant, is the score itself" in table.caption
    drawn = {figure.name: figure for figure in page.build(results)}
    ax = Figure().subplots()
    drawn["settings"].panels[0].draw(ax)
    assert "none, layers" in [label.get_text() for label in ax.get_yticklabels()]


def test_both_are_drawn_with_their_numbers_in_words(results: Results) -> None:
    """A panel for each target and series; who cannot see it reads the same numbers."""
    drawn = {figure.name: figure for figure in page.build(results)}
    rows = rates.points(results)
    panels = {panel.title: panel.told for panel in drawn["rates"].panels}
    assert len(panels) == len({(row["target"], row["series"]) for row in rows})
    best = next(row for row in rows if row["target"] == "paraphrase" and row["series"] == "none")
    assert f"source language {best['source']:.1f}" in panels["paraphrase"]
    (panel,) = drawn["layers"].panels
    assert "source language: layer 1 20.0%, layer 2 80.0%" in panel.told
    assert "other languages: layer 1 30.0%, layer 2 70.0%" in panel.told
    text = page.render(results, list(drawn.values()), tables.build(results))
    assert "Score by learning rate" in text
    assert 'href="tables/layers.csv"' in text
