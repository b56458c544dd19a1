"""WikiANN (PAN-X): silver named entities in Wikipedia; English rows train, 48 languages test.

No commit of the hub's data set could be verified; the archive that it was made from is read
instead: one archive a language inside of it, with the balanced splits of Rahimi et al. 2019.
"""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import tagged

# fmt: off
XTREME = (
    "af", "ar", "bg", "bn", "de", "el", "en", "es", "et", "eu", "fa", "fi", "fr", "he", "hi", "hu",
    "id", "it", "ja", "jv", "ka", "kk", "ko", "ml", "mr", "ms", "my", "nl", "pt", "ru", "sw", "ta",
    "te", "th", "tl", "tr", "ur", "vi", "yo", "zh",
)
# fmt: on

LABELS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
ARCHIVE = {
    "https://s3.amazonaws.com/datasets.huggingface.co/wikiann/1.1.0/panx_dataset.zip": (
        "164814b64f749ad000988b5ab45050b5116913b3db466ab173008955ddf649a4"
    )
}

TASK = Task(
    name="wikiann",
    title="WikiANN",
    description="Persons, organisations and places, marked by the links of Wikipedia.",
    kind="tagging",
    dataset="unimelb-nlp/wikiann",
    revision=None,
    licence="unknown (text: CC BY-SA)",
    reference="https://aclanthology.org/P17-1178",
    languages=tuple(sorted((*XTREME, "az", "gu", "lt", "pa", "pl", "qu", "ro", "uk"))),
    train_languages=("en",),
    config="{language}",
    splits={"train": "train", "validation": "validation", "test": "test"},
    urls={"train": ARCHIVE, "validation": ARCHIVE, "test": ARCHIVE},
    members={
        "train": ("{language}.tar.gz/train",),
        "validation": ("{language}.tar.gz/dev",),
        "test": ("{language}.tar.gz/test",),
    },
    parse="panx",
    convert=tagged("ner_tags", LABELS),
    labels=LABELS,
    metric="entity_f1",
    chance=0.0,  # no guess of a whole tag sequence is worth a number
    train_rows={"en": 20_000},
    evaluation="test",
    protocols=("xtreme", "xtreme-r", "x-stilts"),
    official={"xtreme": XTREME, "x-stilts": XTREME},
)
