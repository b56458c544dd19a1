"""UDPOS: universal part-of-speech tags; English rows train, 38 languages test.

Universal Dependencies 2.5 for the 33 languages of XTREME, 2.7 for the five that XTREME-R added, in
all protocols, as google-research/xtreme@838c13b has it (scripts/download_data.sh:60-70): all
treebanks of a language, one after the other. `udpos_2_7` is the hub's copy.
"""

from __future__ import annotations

from xstilts.tasks.base import Split, Task
from xstilts.tasks.shapes import UPOS, tagged

# fmt: off
XTREME = (
    "af", "ar", "bg", "de", "el", "en", "es", "et", "eu", "fa", "fi", "fr", "he", "hi", "hu", "id",
    "it", "ja", "kk", "ko", "mr", "nl", "pt", "ru", "ta", "te", "th", "tl", "tr", "ur", "vi", "yo",
    "zh",
)
# fmt: on
XTREME_R_ONLY = ("lt", "pl", "ro", "uk", "wo")
ROOT = "https://lindat.mff.cuni.cz/repository/xmlui/bitstream/handle/11234"
OLD, NEW = "1-3105/ud-treebanks-v2.5", "1-3424/ud-treebanks-v2.7"
HASHES = {
    f"{ROOT}/{OLD}.tgz": "5ff973e44345a5f69b94cc1427158e14e851c967d58773cc2ac5a1d3adaca409",
    f"{ROOT}/{NEW}.tgz": "ee61f186ac5701440f9d2889ca26da35f18d433255b5a188b0df30bc1525502b",
}
PARTS: dict[Split, str] = {"train": "train", "validation": "dev", "test": "test"}

TASK = Task(
    name="udpos",
    title="UDPOS",
    description="Part-of-speech tags of Universal Dependencies treebanks.",
    kind="tagging",
    dataset="universal-dependencies/ud-treebanks",
    revision=None,
    licence="CC BY-SA or CC BY-NC-SA, by treebank",
    reference="https://universaldependencies.org",
    languages=tuple(sorted((*XTREME, *XTREME_R_ONLY))),
    train_languages=("en",),
    splits={},
    urls={split: {f"{ROOT}/{{release}}.tgz": None} for split in PARTS},
    hashes=HASHES,
    releases=dict.fromkeys(XTREME, OLD) | dict.fromkeys(XTREME_R_ONLY, NEW),
    members={split: (f"*/UD_*/{{language}}_*-ud-{part}.conllu",) for split, part in PARTS.items()},
    parse="conllu",
    convert=tagged("pos_tags", UPOS),
    labels=UPOS,
    metric="entity_f1",  # what XTREME prints as POS accuracy is this
    chance=0.0,  # no guess of a whole tag sequence is worth a number
    train_rows={"en": 21_253},
    evaluation="test",
    protocols=("xtreme", "xtreme-r", "x-stilts"),
    official={"xtreme": XTREME, "x-stilts": XTREME},
)
