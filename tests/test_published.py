"""What is committed of finished studies agrees: lock, score rows, conclusions, verdicts, pages.

None of it is computed here anew from trainings: that is `dvc repro`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from pathlib import Path
from statistics import fmean, median
from types import ModuleType
from typing import Any

import projects
import pytest
import yaml

from xstilts.claims import answers
from xstilts.commands import power
from xstilts.commands.estimate import Estimate
from xstilts.core import design, paths
from xstilts.core.files import read_json, read_parquet
from xstilts.report.data import Results, load
from xstilts.results.scores import ALL
from xstilts.stages import aggregate

ROOT = Path(__file__).parents[1]
ENDING = ".metrics.json"
STUDIES = sorted(
    path.name.removesuffix(ENDING) for path in (ROOT / "results/aggregate").glob(f"*{ENDING}")
)


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture(params=STUDIES)
def results(request: pytest.FixtureRequest) -> Results:
    """A finished study, as it is committed."""
    params = design.load(request.param)
    return load(params, paths.aggregated(request.param))


def digest(path: Path) -> str:
    """DVC's hash of a file or folder."""
    if path.is_file():
        return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    names = sorted(one.relative_to(path).as_posix() for one in path.rglob("*") if one.is_file())
    listed = [{"md5": digest(path / name), "relpath": name} for name in names]
    whole = json.dumps(listed, sort_keys=True).encode()
    return hashlib.md5(whole, usedforsecurity=False).hexdigest() + ".dir"


def test_there_are_some() -> None:
    """Else all that follows would pass on nothing."""
    assert "demo" in STUDIES


def test_files_are_those_of_the_lock(results: Results) -> None:
    """Score rows, conclusions, verdicts and counts are what the stages wrote."""
    study = results.params.study
    lock = yaml.load(Path("dvc.lock").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    outs = {
        one["path"]: one["md5"]
        for name, stage in lock["stages"].items()
        if name.partition("@")[2].partition("/")[0] == study
        for one in stage["outs"]
    }
    wanted = [paths.aggregated(study), paths.metrics_file(study)]
    wanted += [paths.answers(study), paths.report_metrics(study)]
    wanted += [Path(path) for path in outs if path.startswith("statistics/")]
    assert {str(path): digest(path) for path in wanted} == {
        str(path): outs[str(path)] for path in wanted
    }
    runs = {name.rpartition("/")[2] for name in lock["stages"] if f"transfer@{study}/" in name}
    assert runs == set(results.params.transfer)


def test_each_cell_of_the_design_is_there_once(results: Results) -> None:
    """Every run, on every target, in each of its languages."""
    params = results.params
    found = {(row["run"], row["target"], row["language"]) for row in results.scores}
    assert found == {
        (run, name, language)
        for run in params.transfer
        for name, target in params.targets.items()
        for language in target.languages
    }


def test_means_are_those_of_the_rows(results: Results) -> None:
    """Of each language over seeds, counted here by other means."""
    values = defaultdict(list)
    for row in results.scores:
        values[
            row["target"], row["language"], row["metric"], results.setting_of_run[row["run"]]
        ] += [row["value"]]
    checked = 0
    for row in results.summary:
        known = values.get((row["target"], row["language"], row["metric"], row["group"]))
        if known and row["target"] != ALL:
            assert row["mean"] == pytest.approx(fmean(known), abs=1e-5)
            assert row["seeds"] == len(known)
            checked += 1
    assert checked >= len(results.groups)


def test_conclusions_are_those_of_the_summary(results: Results) -> None:
    """What `verify` compares, and a reader sees in a diff."""
    committed = read_json(paths.metrics_file(results.params.study))
    rows: list[Any] = read_parquet(
        paths.aggregated(results.params.study) / "summary.parquet"
    ).to_pylist()
    assert aggregate.conclusions(rows) == committed


def test_verdicts_are_those_of_the_rows(results: Results) -> None:
    """Asked anew, of claims.yaml as it is."""
    recorded = read_json(paths.answers(results.params.study))["claims"]
    now = {one.claim.id: json.loads(json.dumps(answers.to_json(one))) for one in results.answers}
    assert now == recorded


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    """docs/tables.py."""
    return projects.script(ROOT / "docs/tables.py")


def test_pages_show_what_xstilts_prints(tables: ModuleType) -> None:
    """A table that was typed, or printed before the last run, would be another number."""
    stale = [
        page.name
        for page in tables.pages()
        if tables.renewed(text := page.read_text(encoding="utf-8")) != text
    ]
    assert not stale, f"{stale}. Mend: python docs/tables.py"


def rows_of(page: str, names: set[str]) -> list[list[str]]:
    """Cells of the rows of a page's tables that begin with one of these names."""
    cells = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return [row for row in cells if row[0] in names]


def section(page: str, title: str) -> str:
    """What stands below a heading of a page, to the next; without a heading the whole page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    if not title:
        return text
    found = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    assert found, f"{page} has no part {title}"
    return found


def test_the_rates_of_the_real_encoder_are_those_of_the_records() -> None:
    """docs/real.md says what each rate of `real-rates` brought, and `real` takes the best."""
    page = section("docs/real.md", "The rates")
    runs = ("none-s1", "ocnli-zh-1000-s1")
    records = [read_json(paths.transferred("real-rates", run) / "record.json") for run in runs]
    usual, targets = yaml.safe_load((ROOT / "studies/real.yaml").read_text()), {}
    for name, target in usual["targets"].items():
        own = target.get("training", {})
        targets[name] = own.get("learning_rate", usual["training"]["learning_rate"])
    told = rows_of(page, {"xnli", "tydiqa", "udpos_2_7", "wikiann"})
    assert len(told) == 4
    for target, rates, *brought, taken in told:
        tried = [float(rate) for rate in rates.split(",")]
        names = [f"{target}.validation.rate_{rate:g}" for rate in tried]
        found = [[record["metrics"][name] for name in names] for record in records]
        assert [[f"{value:.1f}" for value in one] for one in found] == [
            [value.strip() for value in one.split(",")] for one in brought
        ]
        means = [fmean(values) for values in zip(*found, strict=True)]
        assert tried[means.index(max(means))] == float(taken) == targets[target]


SIGNED = r"([+\u2212]\d+\.\d) \((\u2212?\d+\.\d) to (\u2212?\d+\.\d)\)"


LOOKS = ("real", "real-again")
REAL = [  # page, heading ("": all of it), studies whose gains it tells, how many at least
    ("docs/real.md", "", LOOKS, 16),
    ("docs/real.md", "What the first look says", LOOKS[:1], 8),
    ("docs/real.md", "What the second look says", LOOKS[1:], 8),
    ("README.md", "What a real encoder says", LOOKS, 2),
]


@pytest.mark.parametrize(("page", "title", "studies", "least"), REAL)
def test_what_is_told_of_the_real_encoder_was_found(
    page: str, title: str, studies: tuple[str, ...], least: int
) -> None:
    """Each gain with its interval is one of the summary's."""
    names = ("delta", "delta_low", "delta_high")
    found = {
        tuple(f"{row[name]:.1f}" for name in names)
        for study in studies
        for row in read_parquet(paths.aggregated(study) / "summary.parquet").to_pylist()
        if row["delta_low"] is not None
    }
    plain = str.maketrans({"\u2212": "-", "+": None})
    gains = set(re.findall(SIGNED, " ".join(section(page, title).split())))
    assert len(gains) >= least
    assert {tuple(word.translate(plain) for word in gain) for gain in gains} <= found


def test_what_the_real_encoder_took_is_what_was_recorded() -> None:
    """docs/real.md: seconds of a stage on CPU and GPU, and its outputs' bytes."""
    lock = yaml.load(Path("dvc.lock").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    told = rows_of(section("docs/real.md", "What it took"), {"intermediate", "transfer"})
    assert len(told) == 2
    for word, runs, *rest in told:
        seconds, sizes = [], []
        for study in LOOKS:
            folder = paths.provenance(study, word, "any").parent
            times = [read_json(path)["seconds"] for path in folder.glob("*.json")]
            assert len(times) == int(runs)
            seconds.append(f"{median(times):,.0f} ({min(times):,.0f} to {max(times):,.0f})")
            sizes += [
                sum(one["size"] for one in stage["outs"]) / 1e6
                for name, stage in lock["stages"].items()
                if name.startswith(f"{word}@{study}/")
            ]
        assert rest == [*seconds, f"{median(sizes):.1f}"]


def test_what_the_real_encoder_can_tell_is_what_plan_says() -> None:
    """docs/real.md: the spread of finished runs, and the gain that can be told from none."""
    columns: list[list[str]] = []
    for study in LOOKS:
        loaded = design.load(study)
        found, _ = power.table(loaded, Estimate(loaded, None), None)
        assert found is not None
        target, _, spread, _, gain = (
            [str(one) for one in column.cells] for column in found.columns
        )
        columns += [[one.partition(" ")[0] for one in spread], gain]
    told = rows_of(section("docs/real.md", "What it can tell"), set(target))
    assert told == [list(row) for row in zip(target, *columns, strict=True)]


WAYS = {  # how docs/generation.md tells of the variants that have no rate of their own
    "adapters, rank 4": "adapter",
    "8 soft prompts": "prompt",
}


def test_the_effect_of_the_rate_is_told_as_it_was_found() -> None:
    """docs/generation.md: F1 and right language, of the trained language and of the others."""
    page = (ROOT / "docs/generation.md").read_text(encoding="utf-8")
    rows = read_parquet(paths.aggregated("generation-demo") / "scores.parquet").to_pylist()
    found: dict[tuple[str, str, bool], list[float]] = defaultdict(list)
    for row in rows:
        found[row["variant"], row["metric"], row["language"] == "qaa"].append(row["value"])
    told = rows_of(page, {"all weights", *WAYS})
    assert len(told) == 7
    for way, rate, *values in told:
        variant = WAYS.get(way, "" if rate == "1e-4" else f"lr-{float(rate):.0e}")
        asked = [(name, own) for name in ("f1", "right_language") for own in (True, False)]
        assert values == [f"{fmean(found[variant, *one]):.1f}" for one in asked]
