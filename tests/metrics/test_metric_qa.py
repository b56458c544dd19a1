"""SQuAD and MLQA scores: rules by hand. (Official numbers: test_golden.py.)

Run: python -m pytest tests/metrics/test_metric_qa.py
"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xstilts.core.errors import UserError
from xstilts.metrics import METRICS

# metric, language, prediction, references -> exact match, F1; derived from the scripts' rules
RULES = {
    "case, marks and article go": ("squad_f1", "en", "The Moon!", ["moon"], 100, 100),
    "half of the words": ("squad_f1", "en", "red moon", ["moon rise"], 0, 50),
    "a word counts as often as it stands": ("squad_f1", "en", "go go go", ["go"], 0, 50),
    "best reference": ("squad_f1", "en", "moon", ["sun", "moon rise", "moon"], 100, 100),
    "both sides vanish": ("squad_f1", "en", "the", ["An ..."], 100, 0),
    "English rules in every language": ("squad_f1", "de", "der Mond", ["Mond"], 0, 200 / 3),
    "curly quotes stay": ("squad_f1", "en", "“moon”", ["moon"], 0, 0),
    "missing": ("squad_f1", "en", None, ["moon"], 0, 0),
    "no answer, rightly": ("squad_f1", "en", "", [], 100, 100),
    "no answer, wrongly": ("squad_f1", "en", "moon", [], 0, 0),
    "no answer, but missing": ("squad_f1", "en", None, [], 0, 0),
    "Unicode quotes go": ("mlqa_f1", "en", "“moon”", ["moon"], 100, 100),
    "symbols stay": ("mlqa_f1", "en", "5 €", ["5"], 0, 200 / 3),
    "ASCII symbols go": ("mlqa_f1", "en", "5 $", ["5"], 100, 100),
    "German article": ("mlqa_f1", "de", "der Mond", ["Mond"], 100, 100),
    "English article in German": ("mlqa_f1", "de", "the Mond", ["Mond"], 0, 200 / 3),
    "Vietnamese article": ("mlqa_f1", "vi", "l\u00e0 ba", ["ba"], 100, 100),
    "decomposed Vietnamese article": ("mlqa_f1", "vi", "la\u0300 ba", ["ba"], 0, 200 / 3),
    "no articles in Hindi": ("mlqa_f1", "hi", "the 5", ["5"], 0, 200 / 3),
    "alef-lam goes inside words": ("mlqa_f1", "ar", "سالم", ["س م"], 100, 100),
    "Chinese characters are words": ("mlqa_f1", "zh", "月光", ["光", "日光"], 0, 200 / 3),
    "Latin runs are words in Chinese": ("mlqa_f1", "zh", "看NASA", ["NASA 看"], 0, 100),
}


def _score(metric: str, prediction: Any, references: list[str], language: str) -> dict[str, float]:
    return METRICS[metric].score([prediction], [references], language)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_of_the_scripts(rule: str) -> None:
    """Each rule on its own, so that a machine without golden files still checks them."""
    metric, language, prediction, references, exact, f1 = RULES[rule]
    expected = pytest.approx({"exact_match": exact, "f1": f1})
    assert _score(metric, prediction, references, language) == expected


def test_a_language_without_mlqa_rules_is_refused() -> None:
    """Scoring it with some other language's rules would look like a result."""
    with pytest.raises(UserError, match=r"'fi'.*Mend: "):
        _score("mlqa_f1", "kuu", ["kuu"], "fi")


def test_a_missing_answer_counts_in_the_mean() -> None:
    """The scripts divide by all questions; dropping the missing would flatter a run."""
    metric = METRICS["squad_f1"]
    got = metric.score(["moon", None], [["moon"], ["sun"]], "en")
    assert got == {"exact_match": 50.0, "f1": 50.0}


def test_lists_that_do_not_fit_are_refused() -> None:
    """Pairs that slid by one would give a score, a wrong one."""
    with pytest.raises(ValueError, match="2 predictions for 1 references"):
        METRICS["squad_f1"].score(["a", "b"], [["b"]], "en")
    with pytest.raises(ValueError, match="no examples"):
        METRICS["squad_f1"].score([], [], "en")


texts = st.text(alphabet="ab the.,é月光 ", max_size=12)


@settings(deadline=None)
@given(text=texts.filter(lambda text: text.strip(" .,")), language=st.sampled_from(["en", "zh"]))
def test_a_text_matches_itself(text: str, language: str) -> None:
    """Normalising is a function of the text alone, so any answer is right against itself."""
    assert _score("mlqa_f1", text, [text], language)["exact_match"] == 100
    assert _score("squad_f1", text, [text], language)["exact_match"] == 100
