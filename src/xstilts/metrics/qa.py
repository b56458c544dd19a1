"""Answer scores of extractive QA: exact match and token F1 after normalising both sides.

Sources: third_party/evaluate_squad.py (XQuAD, TyDiQA-GoldP; SQuAD 1.1's script, English rules in
every language) and third_party/evaluate_mlqa.py (MLQA; rules of the language) in
google-research/xtreme, commit 838c13b. Oddities of these scripts are kept: published numbers
depend on them.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable

from xstilts.core.errors import UserError
from xstilts.metrics.accuracy import paired, percentage

Normalise = Callable[[str, str], str]  # (text, language) -> words joined by one blank

_ENGLISH = "a an the"
_ARTICLES = {  # MLQA's lists; Vietnamese in composed letters only, as in the script
    "ar": "",  # see mlqa_normalise
    "de": "ein eine einen einem eines einer der die das den dem des",
    "en": _ENGLISH,
    "es": "un una unos unas el la los las",
    "hi": "",
    "vi": "của là cái chiếc những",
    "zh": "",
}
_HAN = re.compile("([\u4e00-\u9fa5])")  # MLQA's range: not the whole script


def _drop_words(text: str, words: str) -> str:
    r"""Replace each of `words` by a blank where it stands between \b word boundaries."""
    return re.sub(rf"\b({'|'.join(words.split())})\b", " ", text) if words else text


def squad_normalise(text: str, language: str = "en") -> str:
    """Lower-case, delete ASCII punctuation, drop English articles, squeeze blanks.

    The same in every language: other scripts' marks and articles stay, nothing is decomposed.
    """
    kept = "".join(mark for mark in text.lower() if mark not in string.punctuation)
    return " ".join(_drop_words(kept, _ENGLISH).split())


def mlqa_normalise(text: str, language: str) -> str:
    """Lower-case, delete Unicode and ASCII punctuation, drop the language's articles, split.

    Arabic loses every alef-lam, also inside words: the script's pattern for the start of a word
    cannot match. In Chinese each character U+4E00-U+9FA5 is a word of its own.

    Raises:
        UserError: MLQA has no rules for this language.
    """
    if language not in _ARTICLES:
        raise UserError(
            f"metric mlqa_f1 has no rules for language {language!r}, only {', '.join(_ARTICLES)}."
            " Mend: give the task the metric squad_f1, or leave the language out"
        )
    kept = "".join(mark for mark in text.lower() if not _is_punctuation(mark))
    kept = kept.replace("ال", " ") if language == "ar" else _drop_words(kept, _ARTICLES[language])
    return " ".join((_HAN.sub(r" \1 ", kept) if language == "zh" else kept).split())


def _is_punctuation(mark: str) -> bool:
    """Unicode's P* categories, and ASCII's marks, some of which Unicode calls symbols."""
    return mark in string.punctuation or unicodedata.category(mark).startswith("P")


def token_f1(prediction: str, reference: str) -> float:
    """F1 (0-1) of the bags of words of two normalised answers; 0 if they share no word."""
    ours, gold = prediction.split(), reference.split()
    common = sum((Counter(ours) & Counter(gold)).values())
    return 2 * common / (len(ours) + len(gold)) if common else 0.0


def answer_scores(
    prediction: str | None, references: list[str], language: str, normalise: Normalise
) -> tuple[float, float]:
    """(exact match, F1) of one answer, each 0-1 and each the best over the references.

    None is an answer that is missing: 0, 0. Without references the question has no answer, and
    a prediction is right if nothing is left of it: SQuAD 2.0's rule, as the sources lack the case.
    """
    if prediction is None:
        return 0.0, 0.0
    ours = normalise(prediction, language)
    golds = [normalise(reference, language) for reference in references]
    if not golds:
        return float(not ours), float(not ours)
    # Two sides that vanish match exactly and have an F1 of 0, as in the sources.
    return float(ours in golds), max(token_f1(ours, gold) for gold in golds)


def per_example(
    predictions: list[str | None],
    references: list[list[str]],
    language: str,
    *,
    normalise: Normalise,
) -> list[tuple[float, float]]:
    """(F1 as 0-1, 1) per question."""
    pairs = paired(predictions, references)
    return [(answer_scores(ours, golds, language, normalise)[1], 1.0) for ours, golds in pairs]


def score(
    predictions: list[str | None],
    references: list[list[str]],
    language: str,
    *,
    normalise: Normalise,
) -> dict[str, float]:
    """`f1` (main) and `exact_match`, 0-100: means over all questions, missing answers included."""
    pairs = paired(predictions, references)
    scores = [answer_scores(ours, golds, language, normalise) for ours, golds in pairs]
    return {
        "f1": percentage((f1, 1.0) for _, f1 in scores),
        "exact_match": percentage((exact, 1.0) for exact, _ in scores),
    }
