"""`xstilts score`: formats, signatures, what is said and what is refused.

Run: python -m pytest tests/benchmarks/test_score_files.py
(official numbers: tests/metrics/test_golden*.py)
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts import __version__
from xstilts.benchmarks.score_files import ALIASES, READERS, Scored, score, show_score
from xstilts.core.errors import UserError

TAIL = f"scorer:xtreme@838c13b|version:xstilts-{__version__}"
Score = Callable[..., Scored]


def _squad(**answers: list[str]) -> str:
    questions = [
        {"id": id_, "answers": [{"text": text} for text in texts]} for id_, texts in answers.items()
    ]
    return json.dumps({"data": [{"paragraphs": [{"qas": questions}]}]})


GOLD = _squad(q1=["the moon"], q2=["sun"])


@pytest.fixture
def files(tmp_path: Path) -> Callable[[str, str], tuple[Path, Path]]:
    """files(predictions, references) writes both."""

    def write(found: str, gold: str) -> tuple[Path, Path]:
        places = tmp_path / "predictions", tmp_path / "references"
        for place, text in zip(places, (found, gold), strict=True):
            place.write_text(text, encoding="utf-8", newline="")
        return places

    return write


@pytest.fixture
def scored(files: Any) -> Score:
    """scored(task, language, predictions, references, ...) of texts."""
    return lambda task, language, found, gold, **options: score(
        task, language, *files(found, gold), **options
    )


def _json(**values: Any) -> str:
    return json.dumps(values)


XR = {"protocol": "xtreme-r"}
# task, language, predictions, references, options -> score, n
RIGHT: dict[str, tuple[str, str, str, str, dict[str, str], float, int]] = {
    "labels": ("xnli", "de", "neutral\nentailment\n", "neutral\nneutral", {}, 50, 2),
    "labels of Windows": ("xnli", "de", "neutral\r\nneutral\r\n", "neutral\nneutral\n", {}, 100, 2),
    "numbers": ("pawsx", "fr", "1\n0\n", "1\n1\n", {}, 50, 2),
    "choices": ("xcopa", "et", _json(idx=1, label=0), _json(idx=1, label=0), XR, 100, 1),
    "rows": ("tatoeba", "af", "3\n0\n", "3\n1\n", {}, 50, 2),
    "rows in brackets": ("tatoeba", "af", "[3]\n[0]\n", "3\n1\n", {}, 50, 2),
    "tags": ("panx", "de", "B-PER\nO\n\nO\n", "B-PER\nO\n\nB-LOC\n", {}, 200 / 3, 2),
    "an empty sentence": ("panx", "de", "B-PER\n\n\nO\n", "B-PER\n\n\nB-LOC\n", {}, 200 / 3, 3),
    "pairs": ("bucc2018", "de", "d1\te1\nd2\te9\n", "d1\te1\nd3\te3\nd2\te2\n", {}, 40, 3),
    "no pair predicted": ("bucc", "de", "", "d1\te1\n", {}, 0, 1),
    "answers": ("xquad", "de", _json(q1="Moon!", q2="moon"), GOLD, {}, 50, 2),
    "answers in a list": ("xquad", "de", _json(q1="moon"), _squad(q1=["moon"])[9:-1], {}, 100, 1),
    "mean of F1 and EM": ("tydiqa", "fi", _json(q="a moon x"), _squad(q=["moon"]), {}, 100 / 3, 1),
    "entities": ("mewslix", "de", _json(m=["Q2", "Q1"]), _json(m=[" Q1 ", "Q2"]), XR, 50, 1),
    "rankings": ("lareqa", "de", _json(q=["c1", "c3"]), _json(q=["c3", "c1"]), XR, 100, 1),
}


@pytest.mark.parametrize("case", RIGHT)
def test_reads_the_official_format(case: str, scored: Score) -> None:
    """Every format, with the task's official name where it has another than ours."""
    task, language, found, gold, options, value, n = RIGHT[case]
    done = scored(task, language, found, gold, **options)
    assert (done.score, done.n) == (pytest.approx(value), n)
    assert done.notes == []


def test_every_reader_is_tried_above() -> None:
    """A format that no case reads is broken some day."""
    assert {ALIASES.get(case[0], case[0]) for case in RIGHT.values()} >= READERS.keys() - {
        *("udpos", "mlqa"),
    }


@pytest.mark.parametrize(
    ("task", "language", "found", "gold", "options", "signature"),
    [
        (
            *("xnli", "de", "neutral\n", "neutral\n", {}),
            "xnli|lang:de|metric:accuracy|n:1|protocol:xtreme",
        ),
        (
            *("udpos", "de", "X\n", "X\n", {}),
            "udpos|lang:de|metric:f1|n:1|seqeval:0.0.12|protocol:xtreme",
        ),
        (
            *("pos", "de", "X\n", "X\n", {"seqeval": "1.2.2", "protocol": "x-stilts"}),
            "udpos|lang:de|metric:f1|n:1|seqeval:1.2.2|protocol:x-stilts",
        ),
        (
            *("mlqa", "zh", _json(q2="sun"), GOLD, {}),
            "mlqa|lang:zh|metric:f1+exact_match|n:2|missing:1|normaliser:mlqa-zh|protocol:xtreme",
        ),
        (
            *("XQuAD", "ro", _json(q1="a", q2="b"), GOLD, XR),
            "xquad|lang:ro|metric:f1+exact_match|n:2|normaliser:squad|protocol:xtreme-r",
        ),
    ],
)
def test_the_signature_says_what_decides_the_score(
    task: str, language: str, found: str, gold: str, options: Any, signature: str, scored: Score
) -> None:
    """Two scores with one signature must be comparable."""
    assert scored(task, language, found, gold, **options).signature == f"{signature}|{TAIL}"


def test_seqeval_decides_udpos(scored: Score) -> None:
    """X at a sentence's end is lost in 1.2.2: the same files, another score."""
    files = ("NOUN\nX\n", "VERB\nX\n")
    assert scored("udpos", "de", *files).score == 50
    assert scored("udpos", "de", *files, seqeval="1.2.2").score == 0


def test_what_the_official_code_passes_over_is_said(scored: Score) -> None:
    """It counts a missing id as 0 and ignores one too many, without a word."""
    done = scored("xquad", "de", _json(q2="sun", q7="x", q8="y"), GOLD)
    assert done.values == {"f1": 50.0, "exact_match": 50.0}
    assert done.notes == [
        "1 of 2 ids have no prediction (such as q1) and count as 0, as officially",
        "2 predicted ids are not in the references (such as q7) and are ignored, as officially",
    ]
    done = scored("bucc", "de", "d1\te1\nd1\te1\n", "d1\te1\n")
    assert (done.score, done.notes) == (100.0, ["1 pairs are predicted twice and count once"])
    twice = _squad(q=["moon"]).replace("]}]}]}", ']}, {"id": "q", "answers": []}]}]}')
    (note,) = scored("xquad", "de", _json(q="moon"), twice).notes
    assert note.startswith("1 ids stand twice in ")


# task, language, predictions, references, options -> what the message holds
WRONG: dict[str, tuple[str, str, str, str, dict[str, str], str]] = {
    "task": ("glue", "de", "", "", {}, "protocol xtreme has no task 'glue'"),
    "task of another benchmark": ("xcopa", "et", "", "", {}, "has no task 'xcopa'"),
    "language": ("xnli", "fi", "", "", {}, "xnli has no language 'fi' in protocol xtreme"),
    "language of XTREME-R": ("xquad", "ro", "", "", {}, "no language 'ro' in protocol xtreme"),
    "protocol": ("xnli", "de", "", "", {"protocol": "glue"}, "no protocol 'glue'"),
    "seqeval": ("udpos", "de", "X", "X", {"seqeval": "1.0"}, "seqeval 1.0 is not known"),
    "label": ("xnli", "de", "neutral\nyes\n", "neutral\n", {}, "predictions line 2: 'yes' is no"),
    "blank line": ("xnli", "de", "neutral\n\n", "neutral\n", {}, "predictions line 2: '' is no"),
    "gold label": ("xnli", "de", "neutral\n", "0\n", {}, "references line 1: '0' is no label"),
    "rows": ("xnli", "de", "neutral\n", "neutral\n" * 2, {}, "predictions: has 1 rows, but "),
    "nothing": ("xnli", "de", "", "", {}, "references: there are no rows"),
    "no number": ("tatoeba", "af", "1\n[2\n", "1\n2\n", {}, "predictions line 2: '[2' is no row"),
    "words and tags": ("panx", "de", "Jo B-PER\n", "B-PER\n", {}, "line 1: 'Jo B-PER' is more"),
    "sentences": ("panx", "de", "O\n\nO\n", "O\n", {}, "has 2 sentences, but "),
    "tokens": ("panx", "de", "O\n\nO\n", "O\n\nO\nO\n", {}, "predictions line 3: the sentence has"),
    "pair": ("bucc", "de", "d1 e1\n", "d1\te1\n", {}, "predictions line 1: 'd1 e1' is no pair"),
    "no gold pair": ("bucc", "de", "d1\te1\n", "", {}, "references: there are no rows"),
    "JSON": ("xquad", "de", '{\n"q1": \n', GOLD, {}, "predictions line 3: is no JSON"),
    "a list of answers": ("xquad", "de", "[]", GOLD, {}, "predictions: is no JSON object"),
    "n best": ("xquad", "de", _json(q1=[1]), GOLD, {}, "predictions: the value of 'q1' is '[1]'"),
    "double id": ("xquad", "de", '{"q": "a", "q": "b"}', GOLD, {}, "'q' stands twice"),
    "not SQuAD": ("xquad", "de", "{}", _json(q1="a"), {}, "references: is not in SQuAD's form"),
    "idx": (
        *("xcopa", "et", _json(idx=1, label=0), _json(idx=2, label=0), XR),
        "predictions line 1: idx is 1, but 2 in ",
    ),
    "choice": ("xcopa", "et", _json(label="0"), _json(label=0), XR, "line 1: '0' is no label of"),
    "true": ("xcopa", "et", _json(label=True), _json(label=1), XR, "line 1: True is no label of"),
    "no choice": ("xcopa", "et", "3", _json(label=1), XR, "predictions line 1: is no JSON object"),
    "one id": ("lareqa", "de", _json(q="c1"), _json(q=["c1"]), XR, "the value of 'q' is 'c1'"),
    "no gold": ("lareqa", "de", _json(q=["c1"]), _json(q=[]), XR, "references: the value of 'q'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_file_and_line(case: str, scored: Score) -> None:
    """A wrong file that gets a score is published."""
    task, language, found, gold, options, message = WRONG[case]
    with pytest.raises(UserError) as error:
        scored(task, language, found, gold, **options)
    assert message in str(error.value)
    assert "Mend: " in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """Missing, a folder, and bytes that are no text."""
    (tmp_path / "latin").write_bytes(b"neutral\nf\xfcr\n")
    for name, message in (
        ("missing", "missing: cannot be read"),
        (".", "cannot be read"),
        ("latin", "latin line 2: is not UTF-8"),
    ):
        with pytest.raises(UserError, match=message):
            score("xnli", "de", tmp_path / name, tmp_path / name)


@given(text=st.text(max_size=40), task=st.sampled_from(sorted(READERS)))
def test_any_text_is_read_or_refused_in_words(
    text: str, task: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """People give the wrong file; a traceback does not tell them."""
    place = tmp_path_factory.mktemp("any") / "file"
    place.write_text(text, encoding="utf-8", errors="replace")
    protocol = "xtreme" if task in ("paws_x", "bucc") else "xtreme-r"
    language = {"xcopa": "et", "tydiqa": "fi"}.get(task, "de")
    try:
        found = score(task, language, place, place, protocol).score
    except UserError:
        found = 0.0
    assert 0 <= found <= 100


def test_what_is_printed(files: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Values in columns, for a terminal; all of it as JSON, for a script."""
    where = files(_json(q2="sun"), GOLD)
    show_score("xquad", "de", *where)
    shown = capsys.readouterr().out.splitlines()
    assert shown[:4] == [
        "f1           50.0000",
        "exact_match  50.0000",
        "score        50.0000",
        "n            2",
    ]
    assert shown[4].startswith("signature    xquad|lang:de|metric:f1+exact_match|n:2|missing:1|")
    assert shown[5].startswith("note: 1 of 2 ids have no prediction")
    show_score("xquad", "de", *where, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["task"], found["score"], found["n"]) == ("xquad", 50.0, 2)
    assert found["signature"] == shown[4].split()[1]
