"""JaQuAD: the span of a Japanese Wikipedia paragraph that answers a question."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import squad

COMMIT = "23f5d72cc273c49b35e2d9efe0f51757aa1770bd"
ROOT = f"https://raw.githubusercontent.com/SkelterLabsInc/JaQuAD/{COMMIT}/data"
# The published training rows come in 30 shards (31,748 rows). These are the shards whose hash is
# known: 10,026 rows.
TRAIN = (
    "7c76df56ad78b2e083eddfa79d0d2af216b9ef6f7d8d5f9cf58104319cbdbabd",
    "e1228d84518af8d818eb904a4b24ac1469859b966d6ef1ad531c327da016be55",
    "fb6184f5e935f56176de4ee5d8fd8792eca857fdcf60307d8a547a868bd215bd",
    "7671092aa3ff751757ed98fb702c2c2a16453d70ff309e21d5314a3e84c83f61",
    "c62b1b1a1fb074aff496db6005a5b7786bb52509765d9ad20c6478d8d14a8bb3",
    "ec9e0d43eb689581e081248ee9ac231900b517a77950ec4a36705e6f981f9618",
    "d88329741cf61424795b9a29a1cce891a2db53c4336a2cfbb6fc8f03da6a602f",
    "f12f859043a9c83b1079ff82922b7e3b1a329022524f39a123519f45c8fe7a25",
    "2a302ed2cb0ed592530b9ea7875cdee66025086ec86fe60d7aa7ae3426230b39",
)
DEV = (
    "8712bc34623c6fec856f170ff0b8566421c3c261752b1797b94938f48c1f7bc4",
    "6d777275f61b0250eb2d8f595bf6c602afecb7b7406e7c0c9c3b9d763027068d",
    "b9c6cc23e5ae647eba6286189bac293a16a28b01ca707e1dc956bfcb13a04389",
    "041fe1fdcb32d95974afaae0fb151aed8ee9394889349bb0b5a1c921391cb1d0",
)


def shards(split: str, hashes: tuple[str, ...]) -> dict[str, str]:
    """url -> sha256 of the shards of a split, in their order."""
    return {
        f"{ROOT}/{split}/jaquad_{split}_{number:04}.json": sha256
        for number, sha256 in enumerate(hashes)
    }


TASK = Task(
    name="jaquad",
    title="JaQuAD",
    description="Japanese questions by native speakers, each answered by a span of the paragraph.",
    kind="span",
    dataset="SkelterLabsInc/JaQuAD",
    revision=None,
    licence="cc-by-sa-3.0",
    reference="https://arxiv.org/abs/2202.01764",
    languages=("ja",),
    train_languages=("ja",),
    splits={},
    urls={"train": shards("train", TRAIN), "validation": shards("dev", DEV)},
    parse="squad_json",
    convert=squad,
    metric="squad_f1",
    train_rows={"ja": 10_026},
    evaluation="validation",
)
