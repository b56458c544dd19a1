"""XL-Sum: news of the BBC and the sentence that sums each up, written by its editors.

Of its 44 languages those that the table of languages has. The hub's main branch holds a script and
archives, which are never run or unpacked here: `xstilts pin` has to be given the commit of the
hub's own parquet conversion. Rows are counted in the README of github.com/csebuetnlp/xl-sum.
"""

from __future__ import annotations

from xstilts.tasks.base import Row, Task

SOURCES = {  # our code -> the hub's config, training rows
    "ar": ("arabic", 37_519),
    "az": ("azerbaijani", 6_478),
    "bn": ("bengali", 8_102),
    "en": ("english", 306_522),
    "es": ("spanish", 38_110),
    "fa": ("persian", 47_251),
    "fr": ("french", 8_697),
    "gu": ("gujarati", 9_119),
    "hi": ("hindi", 70_778),
    "id": ("indonesian", 38_242),
    "ja": ("japanese", 7_113),
    "ko": ("korean", 4_407),
    "mr": ("marathi", 10_903),
    "my": ("burmese", 4_569),
    "pa": ("punjabi", 8_215),
    "pt": ("portuguese", 57_402),
    "ru": ("russian", 62_243),
    "sw": ("swahili", 7_898),
    "ta": ("tamil", 16_222),
    "te": ("telugu", 10_421),
    "th": ("thai", 6_616),
    "tr": ("turkish", 27_176),
    "uk": ("ukrainian", 43_201),
    "ur": ("urdu", 67_665),
    "vi": ("vietnamese", 32_111),
    "yo": ("yoruba", 6_350),
    "zh": ("chinese_simplified", 37_362),
}


def convert(row: Row, language: str) -> Row | None:
    """The article is the source, its summary the one reference; an empty one is left out."""
    if not row["text"].strip() or not row["summary"].strip():
        return None
    texts = {"source": row["text"], "targets": [row["summary"]]}
    return {"id": str(row["id"]), **texts, "language": language}


TASK = Task(
    name="xlsum",
    title="XL-Sum",
    description="Sum up an article of the BBC in one or two sentences, in its own language.",
    kind="generation",
    dataset="csebuetnlp/xlsum",
    revision=None,
    licence="cc-by-nc-sa-4.0",
    reference="https://aclanthology.org/2021.findings-acl.413",
    languages=tuple(SOURCES),
    train_languages=tuple(SOURCES),
    config="{language}",
    codes={code: name for code, (name, _) in SOURCES.items()},
    splits={"train": "train", "validation": "validation", "test": "test"},
    convert=convert,
    metric="rouge",
    train_rows={code: rows for code, (_, rows) in SOURCES.items()},
    protocols=("x-stilts",),
)
