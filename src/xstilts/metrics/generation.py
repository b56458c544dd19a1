"""Scores of generated texts: ROUGE, answers, and the share of outputs in the right language.

ROUGE-1, -2 and -L (F-measure) are those of google-research's `rouge-score` 0.1.2, over words as
XL-Sum's own scorer has them where no language is named (csebuetnlp/xl-sum, commit d32bd4e5,
multilingual_rouge_scoring: MultiTokenizer): lower case, punctuation out, runs of letters and of
digits apart, each Chinese character a word; no stemming. Beyond it, what is written without spaces
(kana, Thai, Lao, Khmer, Burmese) is cut into characters, for which XL-Sum's scorer asks word lists
of each language (fugashi, PyThaiNLP; jieba in Chinese). Numbers in these languages are therefore
not comparable with those that it gives with them. The paper (arXiv 2310.09917) could not be read as
to the words that it counts.

An output's language is what py3langid 0.4.0 finds among all of its languages. Nothing can be told
of a text without any of its features ("1912", "Paris"), or of no language ("zxx"): it is not
called wrong. An empty output is. In the control world the last letter of a word tells its language
(sources/world/facts.py).
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from xstilts.metrics import qa
from xstilts.metrics.accuracy import paired, percentage

ROUGE = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}  # our name -> the library's
RIGHT = "right_language"
ENDINGS = {"qaa": "a", "qab": "e", "qac": "i", "qad": "o", "qae": "u"}  # of the control world
# Blocks whose characters are words of their own: those of XL-Sum's scorer, then others.
CHINESE = (
    *((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F)),
    *((0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)),
)
UNSPACED = ((0x3040, 0x30FF), (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF))


class Words:
    """The tokenizer that rouge-score is given."""

    def tokenize(self, text: str) -> list[str]:
        """Words of a text; see the module."""
        found, before = [""], "blank"
        for mark in text.lower():
            sort = _sort(mark)
            if sort == "none":
                continue
            if sort == "accent":  # belongs to what it is put on
                sort = before if before != "blank" else "letter"
            elif sort in ("blank", "alone") or sort != before:
                found.append("")
            if sort != "blank":
                found[-1] += mark
            before = sort
        return [word for word in found if word]


def _sort(mark: str) -> str:
    """What a character is to a word: letter, digit, accent, alone, blank, or none."""
    category, place = unicodedata.category(mark), ord(mark)
    if category[0] == "C" and mark not in "\t\n\r":
        return "none"
    if category[0] in "PZC" or mark in string.punctuation:
        return "blank"
    if category[0] == "M":
        return "accent"
    if any(low <= place <= high for low, high in (*CHINESE, *UNSPACED)):
        return "alone"
    if category[0] == "N":
        return "digit"
    return "letter" if category[0] == "L" else "alone"


@lru_cache
def _scorer() -> Any:
    """rouge-score's own, made once."""
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(list(ROUGE.values()), tokenizer=Words())


def rouge_of(prediction: str, references: list[str]) -> dict[str, float]:
    """F-measures (0-1), each the best over the references."""
    scored = [_scorer().score(reference, prediction) for reference in references]
    return {
        ours: max((one[theirs].fmeasure for one in scored), default=0.0)
        for ours, theirs in ROUGE.items()
    }


def rouge(predictions: list[str], references: list[list[str]], language: str) -> dict[str, float]:
    """`rouge_l` (main), `rouge_1`, `rouge_2`, `right_language`: 0-100, means over all texts."""
    found = [rouge_of(ours, golds) for ours, golds in paired(predictions, references)]
    means = {name: percentage((one[name], 1.0) for one in found) for name in ROUGE}
    return {**means, **right(predictions, language)}


def rouge_per_example(
    predictions: list[str], references: list[list[str]], language: str
) -> list[tuple[float, float]]:
    """(ROUGE-L as 0-1, 1) of each text."""
    pairs = paired(predictions, references)
    return [(rouge_of(ours, golds)["rouge_l"], 1.0) for ours, golds in pairs]


def answers(
    predictions: list[str], references: list[list[str]], language: str, *, normalise: qa.Normalise
) -> dict[str, float]:
    """As `qa.score`: `f1` (main) and `exact_match`; and `right_language`."""
    own = qa.score(list(predictions), references, language, normalise=normalise)
    return {**own, **right(predictions, language)}


def right(predictions: list[str], language: str) -> dict[str, float]:
    """The share (0-100) of outputs that are in the language that is asked for."""
    is_right = _by_ending if language in ENDINGS else _by_features
    return {RIGHT: percentage((float(is_right(text, language)), 1.0) for text in predictions)}


def _by_ending(text: str, language: str) -> bool:
    """Whether more than half of the words have the ending of a language of the control world."""
    words = text.split()
    return 2 * sum(word.endswith(ENDINGS[language]) for word in words) > len(words)


def _by_features(text: str, language: str) -> bool:
    """Whether py3langid finds the language, or of a text that is there nothing at all."""
    if not text.strip():
        return False
    found, score = _identifier()(text)
    return bool(found in (language, "zxx") or score <= _floor())


@lru_cache
def _identifier() -> Callable[[str], tuple[str, float]]:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    found: Callable[[str], tuple[str, float]] = LanguageIdentifier.from_model_file(
        MODEL_FILE
    ).classify
    return found


def _floor() -> float:
    """The score of a text without any feature."""
    from py3langid.langid import RAW_FLOOR

    return float(RAW_FLOOR)
