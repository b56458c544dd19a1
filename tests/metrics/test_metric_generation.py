"""ROUGE against the numbers of XL-Sum's own scorer, and the share of texts in the right language.

rouge.json is what csebuetnlp/xl-sum's multilingual_rouge_scoring (commit a146735) gave for made-up
texts of eleven languages, without a language's name and without stemming: words and F-measures.
"""

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from xstilts.benchmarks import signature
from xstilts.metrics import METRICS, generation

OFFICIAL: dict[str, Any] = json.loads(
    Path(__file__).with_name("rouge.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("language", OFFICIAL)
def test_rouge_and_its_words_are_those_of_the_official_scorer(language: str) -> None:
    """In eleven languages and seven scripts: numbers of ours and published ones are to compare."""
    case = OFFICIAL[language]
    reference, prediction = case["reference"], case["prediction"]
    words = [generation.Words().tokenize(text) for text in (reference, prediction)]
    assert words == case["words"]
    ours = generation.rouge_of(prediction, [reference])
    official = {name: case[theirs] for name, theirs in generation.ROUGE.items()}
    assert ours == pytest.approx(official, abs=1e-6)


def test_the_library_itself_gives_the_same_where_its_own_words_are_english() -> None:
    """A second implementation, with the tokenizer that it comes with."""
    from rouge_score.rouge_scorer import RougeScorer

    reference, prediction = "the cat sat on the mat", "a cat is on the old mat"
    plain = RougeScorer(list(generation.ROUGE.values())).score(reference, prediction)
    ours = generation.rouge_of(prediction, [reference])
    assert ours == {name: plain[theirs].fmeasure for name, theirs in generation.ROUGE.items()}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("東京タワーへ行く", list("東京タワーへ行く")),
        ("น้ำ 12", ["น้", "ำ", "12"]),
        ("abc123def", ["abc", "123", "def"]),
        ("", []),
    ],
)
def test_what_is_written_without_spaces_is_cut_into_characters(text: str, words: list[str]) -> None:
    """Else a sentence were one word, and every score 0 or 100."""
    assert generation.Words().tokenize(text) == words


def test_per_example_parts_make_the_main_value() -> None:
    """Intervals and paired tests are computed from them."""
    metric = METRICS["rouge"]
    found, gold = ["a b c", "d"], [["a b d", "a b c"], ["e"]]
    scores = metric.score(found, gold, "en")
    parts = metric.per_example(found, gold, "en")
    assert scores[metric.main] == pytest.approx(100 * sum(n for n, _ in parts) / 2) == 50.0
    assert set(scores) == {*generation.ROUGE, generation.RIGHT}


@pytest.mark.parametrize(
    ("text", "language", "right"),
    [
        ("Der Minister kam gestern nach Berlin.", "de", 100.0),
        ("The minister came to Berlin yesterday.", "de", 0.0),
        ("1912", "ru", 100.0),  # of which nothing can be told
        ("", "de", 0.0),
        ("tapeke nimole", "qab", 100.0),
        ("tapeke nimola", "qab", 0.0),  # half of it
    ],
)
def test_the_share_in_the_right_language(text: str, language: str, right: float) -> None:
    """The paper's wrong language, by an identifier that reads no network."""
    assert METRICS["answer_f1"].score([text], [["x"]], language)[generation.RIGHT] == right


def test_the_signature_names_the_versions_that_are_installed() -> None:
    """Another version of either gives other numbers."""
    scorer = signature._OF_METRIC["rouge"]
    for package in ("rouge-score", "py3langid"):
        assert f"{package}-{metadata.version(package)}" in scorer
