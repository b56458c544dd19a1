"""`xstilts claims`: fits its width, says the verdicts, and calls old answers stale."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake_study
import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from xstilts import cli
from xstilts.claims.entries import Claim
from xstilts.commands import claims
from xstilts.core import design, paths
from xstilts.core.files import read_json, read_parquet, write_parquet
from xstilts.core.params import Params
from xstilts.core.progress import Observe
from xstilts.report.data import Results, load
from xstilts.stages import aggregate, report

QUIET = Observe(quiet=True)
FACTS = {"task": "facts", "language": "qaa"}
ENTRY = {"status": "own", "source": "a test"}
ENTRIES: list[dict[str, Any]] = [
    {"id": "facts_help", "text": "Facts help by a number that somebody published.",
     "published": 50.0, "check": {"gain": {"of": FACTS, "above": 2}}, "expect": "reproduced"},
    {"id": "labels_are_idle", "text": "Shuffled labels help by more than 10 points.",
     "expect": "reproduced",
     "check": {"gain": {"of": {**FACTS, "method": "shuffled"}, "above": 10}}},
    {"id": "slopes_differ", "text": "More facts help more than more rows of order do.",
     "check": {"slope": {"of": FACTS, "minus": {"task": "order"}, "above": 0}}},
    {"id": "mnli_helps", "text": "MNLI helps in this study, too.",
     "check": {"gain": {"of": {"task": "mnli"}, "above": 0}}},
    {"id": "elsewhere", "text": "This is asked of another study alone.", "studies": ["other"],
     "check": {"gain": {"of": FACTS, "above": 0}}},
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with its aggregate, claims and report."""
    root = tmp_path_factory.mktemp("claims")
    params = fake_study.params(seeds=(1, 2, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        Path("claims.yaml").write_text(yaml.safe_dump([ENTRY | one for one in ENTRIES]))
        fake_study.write(params, examples=200)
        aggregate.run(params, "fake", QUIET)
        report.run(params, "fake", QUIET)
    return root


@pytest.fixture
def study(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """The same in a working folder that a test may spoil, and in use."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    params = fake_study.params(seeds=(1, 2, 3))
    monkeypatch.setattr(design, "load", lambda study=None: params)
    return params


def printed(results: Results, width: int = 120) -> str:
    """What people see."""
    stream = io.StringIO()
    recorded = read_json(paths.answers("fake"))["claims"]
    console = Console(file=stream, width=width, force_terminal=True, color_system=None)
    claims.print_claims(results, recorded, console)
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 120, 200])
def test_it_fits(width: int, study: Params) -> None:
    """No cell is cut with an ellipsis, and no line is folded by the terminal."""
    text = printed(load(study, paths.aggregated("fake")), width)
    assert max(len(line) for line in text.splitlines()) <= min(width, claims.WIDTH)
    assert "…" not in text


def test_it_tells_verdicts_numbers_and_what_is_missing(study: Params) -> None:
    """Also a verdict that is not the expected one, and a published number outside ours."""
    results = load(study, paths.aggregated("fake"))
    text = printed(results)
    verdicts = {one.claim.id: one.verdict for one in results.answers}
    assert verdicts == {
        "facts_help": "reproduced",
        "labels_are_idle": "not reproduced",
        "slopes_differ": "reproduced",
        "mnli_helps": "not run",
    }
    first = results.answers[0].found
    assert first is not None
    for words in (
        *("as expected", "expected reproduced", "outside", "per tenfold rows", "not run: 1"),
        *(f"+{first.value:.1f}", f"{first.low:.1f} to {first.high:.1f}", "mnli (any language)"),
    ):
        assert words in text
    assert "elsewhere" not in text
    assert "stale" not in text


def test_what_was_answered_from_other_rows_is_stale(study: Params) -> None:
    """The report is older than the aggregate, or than the claim."""
    file = paths.aggregated("fake") / "summary.parquet"
    table = read_parquet(file)
    rows = [
        row | {"delta": row["delta"] + 1} if row["group"] == "facts-qaa-16000" else row
        for row in table.to_pylist()
    ]
    write_parquet(file, table.from_pylist(rows, schema=table.schema))
    results = load(study, paths.aggregated("fake"))
    said: Claim = results.claims[2].model_copy(update={"note": "as we say now"})
    changed = [*results.claims[:2], said, results.claims[3]]
    found = claims.as_list(
        replace(results, claims=changed), read_json(paths.answers("fake"))["claims"]
    )
    assert [one["stale"] for one in found] == [
        *("stale: answered from other rows", "", "stale: the claim was another", ""),
    ]
    assert "answered from other rows" in printed(results)


def test_json_is_for_scripts(study: Params) -> None:
    """Exit code 0 whatever the verdicts are; without a report nothing is recorded."""
    paths.answers("fake").unlink()
    done = CliRunner().invoke(cli.app, ["claims", "--json"])
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert [one["id"] for one in found] == [one["id"] for one in ENTRIES[:4]]
    assert {one["stale"] for one in found} == {"not in the report"}
    assert found[0]["published_within"] is False
    assert found[0]["numbers"][0]["says"] == "agrees"
    plain = CliRunner().invoke(cli.app, ["claims"])
    assert plain.exit_code == 0
    assert "recorded no answers yet" in plain.stdout
