"""Tatoeba: find the English translation of a sentence, by nearest neighbour, in 41 languages."""

from __future__ import annotations

from xstilts.tasks.base import Row, Task

# fmt: off
CODES = {  # ISO 639-1 -> the ISO 639-3 code that the source uses
    "af": "afr", "ar": "ara", "az": "aze", "bg": "bul", "bn": "ben", "de": "deu", "el": "ell",
    "es": "spa", "et": "est", "eu": "eus", "fa": "pes", "fi": "fin", "fr": "fra", "he": "heb",
    "hi": "hin", "hu": "hun", "id": "ind", "it": "ita", "ja": "jpn", "jv": "jav", "ka": "kat",
    "kk": "kaz", "ko": "kor", "lt": "lit", "ml": "mal", "mr": "mar", "nl": "nld", "pl": "pol",
    "pt": "por", "ro": "ron", "ru": "rus", "sw": "swh", "ta": "tam", "te": "tel", "th": "tha",
    "tl": "tgl", "tr": "tur", "uk": "ukr", "ur": "urd", "vi": "vie", "zh": "cmn",
}
# fmt: on
XTREME_R_ONLY = ("az", "lt", "pl", "ro", "uk")
XTREME = tuple(code for code in CODES if code not in XTREME_R_ONLY)


def convert(row: Row, language: str) -> Row:
    """sentence1 is foreign, sentence2 its English translation; row i translates row i."""
    return {"text_a": row["sentence1"], "text_b": row["sentence2"]}


TASK = Task(
    name="tatoeba",
    title="Tatoeba",
    description="For each sentence, which of up to 1,000 English sentences is its translation?",
    kind="retrieval",
    dataset="mteb/tatoeba-bitext-mining",
    revision="69e8f12da6e31d59addadda9a9c8a2e601a0e282",
    licence="cc-by-2.0",
    reference="https://aclanthology.org/Q19-1038",
    languages=tuple(CODES),
    train_languages=(),  # scored without fine-tuning
    config="{language}-eng",
    codes=CODES,
    splits={"test": "test"},
    convert=convert,
    metric="retrieval_accuracy",
    chance=0.1,  # one of 1,000 candidates; languages with fewer sentences have a higher chance
    evaluation="test",
    protocols=("xtreme", "xtreme-r", "x-stilts"),
    official={"xtreme": XTREME, "x-stilts": XTREME},
)
