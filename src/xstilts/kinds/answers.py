"""From a span of tokens back to the text of an answer, as run_squad does it.

Used by span.py. As `get_final_text` of BERT and transformers (data/metrics/squad_metrics.py at
2.4.1), by which google-research/xtreme reads answers: the tokens' own text is looked for in the
white-space words that they belong to, these cut by BERT's rules; where it is not there, as in
scripts without spaces, the words are the answer.
"""

from __future__ import annotations

import unicodedata
from string import punctuation

HAN = (
    *((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F)),
    *((0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)),
)


def answer_text(tokens: str, words: str) -> str:
    """The part of `words` that `tokens` read as; all of them where it cannot be told.

    Args:
        tokens: the text of the predicted tokens, single spaces between its words.
        words: the white-space words that they are of, as they stand in the context.
    """
    cut = _basic(words)
    start = cut.find(tokens)
    own = [place for place, sign in enumerate(words) if sign != " "]
    others = [place for place, sign in enumerate(cut) if sign != " "]
    if not tokens or start < 0 or len(own) != len(others):
        return words
    number = {place: number for number, place in enumerate(others)}
    first, last = number[start], number[start + len(tokens) - 1]
    return words[own[first] : own[last] + 1]


def _basic(text: str) -> str:
    """A text cut by BERT's basic tokenizer, cased: a space between any two of its tokens."""
    return " ".join("".join(map(_spaced, text)).split())


def _spaced(sign: str) -> str:
    """What BERT's basic tokenizer makes of a character, space around what stands alone."""
    kind = unicodedata.category(sign)
    if sign in " \t\n\r" or kind == "Zs":
        return " "
    if sign == "\ufffd" or kind.startswith("C"):
        return ""
    alone = sign in punctuation or kind.startswith("P")
    if alone or any(first <= ord(sign) <= last for first, last in HAN):
        return f" {sign} "
    return sign
