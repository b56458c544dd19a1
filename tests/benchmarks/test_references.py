"""references.yaml: every number has its place, and the numbers fit each other."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import yaml

from xstilts.benchmarks import protocols, references
from xstilts.benchmarks.references import Reference
from xstilts.core.errors import UserError

ENTRY = {
    "system": "A", "protocol": "xtreme", "split": "test", "way": "zero-shot",
    "status": "verified", "source": "a paper", "url": "https://arxiv.org/abs/2005.13013",
    "scores": {"xnli": 80.0},
}  # fmt: skip


@pytest.fixture(scope="module")
def entries(root: Path) -> list[Reference]:
    return references.load(root / "references.yaml")


def test_every_number_has_a_source_a_status_and_a_legal_place(entries: list[Reference]) -> None:
    """Loading refuses unknown tasks; here every entry is looked at once more, by hand."""
    for entry in entries:
        protocol = protocols.PROTOCOLS[entry.protocol]
        assert entry.source
        assert entry.status in ("verified", "recalled", "derived")
        assert entry.url or entry.status == "derived"
        assert set(entry.scores) | set(entry.languages) <= set(protocol.languages)
        assert set(entry.groups) <= set(protocol.groups)
        assert list(references.flat(entry))
    assert {entry.status for entry in entries} == {"verified", "recalled", "derived"}
    assert {entry.protocol for entry in entries} == set(protocols.PROTOCOLS)


def test_the_mean_over_languages_is_the_score_that_is_given(entries: list[Reference]) -> None:
    """A slip in one of a hundred copied numbers shows here."""
    checked = 0
    for entry in entries:
        for task, by_language in entry.languages.items():
            official = protocols.PROTOCOLS[entry.protocol].languages[task]
            assert set(by_language) == set(official), (entry.system, task)
            stated = entry.scores[task]
            pairs = (
                [([v[m] for v in by_language.values()], stated[m]) for m in stated]  # type: ignore[index,union-attr]
                if isinstance(stated, dict)
                else [(list(by_language.values()), stated)]
            )
            for values, mean in pairs:
                assert fmean(values) == pytest.approx(mean, abs=0.06), (entry.system, task)
                checked += 1
    assert checked >= 5


def test_differences_are_those_of_the_scores(entries: list[Reference]) -> None:
    """What is called derived follows from what is quoted."""
    quoted = {
        entry.system: entry.scores
        for entry in reversed(entries)
        if entry.source.startswith("RemBERT")
    }
    (derived,) = [e for e in entries if e.difference_to and e.status == "derived"]
    for task, value in derived.scores.items():
        names = list(value) if isinstance(value, dict) else [None]
        for name in names:
            ours, theirs, difference = (
                part if name is None else part[name]
                for part in (quoted["X-STILTs"][task], quoted["XLM-R Large"][task], value)
            )
            assert ours - theirs == pytest.approx(difference, abs=1e-9), (task, name)


def test_each_counterpart_is_the_same_experiment(entries: list[Reference]) -> None:
    """X-STILTs' best is our best; who fine-tuned an encoder of ours alone is our `none`."""
    found = {(entry.system, str(entry.setting), entry.encoder) for entry in entries}
    assert ("XLM-R Large", "none", "xlmr-large") in found
    assert ("mBERT", "none", "mbert") in found
    assert ("mBERT", "None", None) in found  # translate-train
    for entry in entries:
        if entry.setting is not None:
            assert entry.way.startswith(("zero-shot", "no intermediate training"))
            assert (entry.setting == "best") == ("best intermediate" in entry.way)


def test_a_comparable_score_of_qa_is_the_mean_of_its_two_values(entries: list[Reference]) -> None:
    """F1 alone is another number than the protocol's, and must not stand beside it."""
    both = Reference.model_validate(
        {**ENTRY, "scores": {"mlqa": {"f1": 70.0, "exact_match": 50.0}}}
    )
    assert references.score(both, "task", "mlqa") == 60.0
    one = Reference.model_validate({**ENTRY, "scores": {"mlqa": {"f1": 70.0}}})
    assert references.score(one, "task", "mlqa") is None
    assert references.score(one, "task", "xnli") is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, "colour: unknown key"),
        ({"protocol": "glue"}, "unknown protocol 'glue'"),
        ({"scores": {"xcopa": 70.0}}, "xtreme has no task 'xcopa'"),
        ({"groups": {"fun": 70.0}}, "xtreme has no group 'fun'"),
        ({"scores": {"xnli": 101.0}}, "xnli: 101.0 is not within 0 and 100"),
        ({"scores": {"xnli": -1.0}}, "xnli: -1.0 is not within 0 and 100"),
        ({"languages": {"xnli": {"fi": 70.0}}}, "xnli has no language 'fi'"),
        ({"status": "sure"}, "status: Input should be 'verified'"),
        ({"url": None}, "`url` is missing"),
        ({"url": None, "status": "derived"}, "`note` is missing"),
        ({"scores": {}}, "has no number"),
        ({"setting": "none"}, "`setting` and `encoder` go together"),
        ({"encoder": "mbert"}, "`setting` and `encoder` go together"),
        ({"setting": "worst", "encoder": "mbert"}, r"setting.*Input should be 'none' or 'best'"),
        ({"setting": "none", "encoder": "gpt"}, "there is no encoder 'gpt'"),
        ({"setting": {"task": "mnli"}, "encoder": "mbert"}, "should be 'none' or 'best'"),
        ({"setting": {"task": "x", "language": "en"}, "encoder": "mbert"}, "no task 'x'"),
        ({"setting": {"task": "mnli", "language": "de"}, "encoder": "mbert"}, "rows in 'de'"),
        ({"setting": "none", "encoder": "mbert", "difference_to": "A"}, "none` is a score"),
        ({"setting": "best", "encoder": "mbert", "difference_to": "A"}, "no entry with `setting:"),
        ({"scorers": {"xnli": "seqeval"}}, "there is no scorer 'seqeval'"),
        ({"scorers": {"xcopa": "accuracy"}}, "xtreme has no task 'xcopa'"),
        ({"cautions": {"xcopa": "mind it"}}, "xtreme has no task 'xcopa'"),
    ],
)
def test_a_bad_entry_is_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    """A number in the wrong place would stand beside a study's own."""
    path = tmp_path / "references.yaml"
    path.write_text(yaml.safe_dump([ENTRY, ENTRY | change]), encoding="utf-8")
    with pytest.raises(UserError, match=r"entry 2.*" + message + r".*Mend: "):
        references.load(path)


def test_an_entry_stands_there_once(tmp_path: Path) -> None:
    """A number that is compared with twice looks like two numbers."""
    path = tmp_path / "references.yaml"
    path.write_text(yaml.safe_dump([ENTRY, ENTRY | {"way": "few-shot"}, ENTRY]), encoding="utf-8")
    with pytest.raises(UserError, match=r"entry 3 \(A\) is entry 1 once more"):
        references.load(path)


def test_a_file_that_is_no_list_is_named(tmp_path: Path) -> None:
    """An empty file, or one of another shape."""
    path = tmp_path / "references.yaml"
    path.write_text("a: 1\n", encoding="utf-8")
    with pytest.raises(UserError, match="no list of entries"):
        references.load(path)
