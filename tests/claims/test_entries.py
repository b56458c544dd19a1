"""claims.yaml: strict, whole, and every message names the entry and the field."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from xstilts.claims import entries
from xstilts.core.errors import UserError
from xstilts.records.tracking_view import VERDICTS

GOOD: dict[str, Any] = {
    "id": "mnli_helps",
    "text": "MNLI helps wherever it is asked.",
    "status": "own",
    "source": "a test",
    "check": {"gain": {"of": {"task": "mnli", "language": "en"}, "above": 0}},
}
GAIN = GOOD["check"]["gain"]


def load(folder: Path, *claims: Any) -> list[entries.Claim]:
    """Claims that were written to a file."""
    path = folder / "claims.yaml"
    path.write_text(yaml.safe_dump(list(claims)))
    return entries.load(path)


def test_the_committed_file_is_read(root: Path) -> None:
    """Its claims are asked in every report; those of the papers are linked and marked."""
    claims = entries.load(root / "claims.yaml")
    published = [claim for claim in claims if claim.status != "own"]
    assert {claim.url is not None for claim in published} == {True}
    assert all(claim.studies for claim in claims if claim.expect)
    demo = [claim.expect for claim in entries.asked_of(claims, "demo") if claim.expect]
    assert demo.count("reproduced") >= 4
    assert demo.count("not reproduced") >= 2
    assert not any(claim.expect for claim in entries.asked_of(claims, "paper"))


def test_one_set_of_verdicts() -> None:
    """The tags of MLflow filter by the same words."""
    assert get_args(entries.Verdict) == VERDICTS


def test_a_name_stands_for_a_list_of_one(tmp_path: Path) -> None:
    """`task: mnli` is how people write it."""
    (claim,) = load(tmp_path, GOOD)
    assert claim.check.gain is not None
    assert claim.check.gain.of.task == ("mnli",)
    assert claim.check.gain.target == ("all",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"check": {"gain": {**GAIN, "abov": 1}}}, "check.gain.abov: unknown key"),
        ({"check": {"gain": {"of": {"task": "mnli"}}}}, "check.gain: neither `above` nor `below`"),
        ({"check": {"gain": {**GAIN, "below": -1}}}, "check.gain: no number is above 0 and below"),
        ({"check": {"gain": {**GAIN, "rule": "some"}}}, "check.gain.rule: "),
        ({"check": {"gain": {**GAIN, "minus": {}}}}, "check.gain.minus: names nothing"),
        ({"check": {"gain": GAIN, "outside": "no"}}, "check: give exactly one of score, gain"),
        ({"check": {}}, "check: give exactly one of"),
        ({"check": {"slope": {"of": {"size": 10}, "above": 0}}}, "check: a slope is over all"),
        ({"check": {"setup": {"encoder": "xlmr-huge"}}}, "check.setup: unknown encoder 'xlmr-h"),
        ({"check": {"setup": {"tasks": ["mnli"]}}}, "check.setup: `tasks` and `language` go"),
        ({"check": {"outside": "why not"}, "published": 1.0}, "`published` has no measured"),
        ({"status": "verified"}, "`url` is missing"),
        ({"expect": "yes"}, "expect: "),
        ({"id": "Has Blanks"}, "id: "),
        ({"text": None}, "text: "),
    ],
)
def test_a_bad_entry_is_named(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    """Who wrote forty entries must not search for the wrong one."""
    with pytest.raises(UserError) as told:
        load(tmp_path, {**GOOD, "id": "first"}, {**GOOD, **change})
    name = change.get("id", GOOD["id"])
    assert f"entry 2 ({name}): " in str(told.value)
    assert words in str(told.value)
    assert "Mend: " in str(told.value)


def test_an_id_is_given_once(tmp_path: Path) -> None:
    """It is a tag in MLflow, where the second would replace the first."""
    with pytest.raises(UserError, match="the id mnli_helps occurs twice"):
        load(tmp_path, GOOD, GOOD)


def test_a_file_that_is_no_list(tmp_path: Path) -> None:
    """A claim without its dash is the likeliest slip."""
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump(GOOD))
    with pytest.raises(UserError, match="begin each with `- id"):
        entries.load(path)
