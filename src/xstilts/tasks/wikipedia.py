"""Wikipedia of November 2023 in XTREME-R's languages: text for masked language modelling."""

from __future__ import annotations

from xstilts.tasks.base import Row, Task

# fmt: off
LANGUAGES = (  # XTREME-R's fifty, which hold XTREME's forty
    "af", "ar", "az", "bg", "bn", "de", "el", "en", "es", "et", "eu", "fa", "fi", "fr", "gu", "he",
    "hi", "ht", "hu", "id", "it", "ja", "jv", "ka", "kk", "ko", "lt", "ml", "mr", "ms", "my", "nl",
    "pa", "pl", "pt", "qu", "ro", "ru", "sw", "ta", "te", "th", "tl", "tr", "uk", "ur", "vi", "wo",
    "yo", "zh",
)
# fmt: on
LENGTH = 2000  # characters: no fewer than the 512 tokens that a model reads at most


def convert(row: Row, language: str) -> Row | None:
    """The beginning of an article, its first 2,000 characters; an empty article is left out."""
    text = row["text"][:LENGTH].strip()
    return {"id": str(row["id"]), "text": text, "pair": None} if text else None


TASK = Task(
    name="wikipedia",
    title="Wikipedia",
    description="The beginnings of articles, to go on with masked language modelling.",
    kind="mlm",
    dataset="wikimedia/wikipedia",
    revision="b04c8d1ceb2f5cd4588862100d08de323dccfbaa",
    licence="cc-by-sa-3.0, gfdl",
    reference="https://huggingface.co/datasets/wikimedia/wikipedia",
    languages=LANGUAGES,
    train_languages=LANGUAGES,
    config="20231101.{language}",
    splits={"train": "train"},
    limit=200_000,  # the oldest articles; English alone has 6.4 million
    convert=convert,
)
