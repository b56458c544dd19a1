"""SQuAD 1.1 machine-translated into ten languages, as the authors of XTREME did it."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import squad

ROOT = "https://storage.googleapis.com/xtreme_translations/SQuAD"
TRAIN = ROOT + "/translate-train/squad.translate.train.en-{language}.json"
DEV = ROOT + "/translate-dev/squad.translate.dev.en-{language}.json"
# Hashes and rows as tensorflow/datasets lists them for its `xquad`.
TRAIN_HASHES = {
    "ar": "d2d01110aa646b547eec88b14b3930dc027c9d149c4962376a1551e251ec3f9b",
    "de": "3c125cb2a31e8ad167c4590ece8fdfd16018a5bbf9475dbfac034c1816a4ab02",
    "el": "9d648f92883a88b27bb0d9ab502a0512bf5ffe7f8ce00bc205b19d66029dab04",
    "es": "cb8f68b8e4cff696209a5ec249a5dc9e2a75a5c7f9dbbfa8a8be1dcf1f91c81a",
    "hi": "fdfd8c59359943c6a55022403e7dfa047e7ee1dea734086a3c73c1adbb44d254",
    "ru": "075818cce7ca8d6efe2c783b125d91bd79add93ddfe8c2b0f45fb610d7552f48",
    "th": "3ae03fd7a9d51a6f45e74a70b8d6168eb365114fcf5de21f34f212197e085eab",
    "tr": "7c618d3f5e0c19d878686a9874b15a10d6f842ae9451e12d8d7d51531bfe79e6",
    "vi": "ad6d3ba17b8e672e7066708ce5795f0f933f3ce18b7442ee11d6e3072f44f60b",
    "zh": "411e4023e4f3627ccb4873edfb77b36e97470b4226a076e6a632544c92353d24",
}
DEV_HASHES = {
    "ar": "2e8002c33bbc0f7d3f42d0c56c16731c9bb0bca412c2ec5339ddce7997170536",
    "de": "043a63943754b9d170a345d5349b54e00f1b47f8347d6de79ab9d0d4cd0549e5",
    "el": "dc0fc1871e26368bc3f8f842aa02995266a7ac511de2ea9be967c095f964a921",
    "es": "f017e2f8bfd395df7edbaba1c71080e56366fdde3c1cf19ea0c46db7cae9f06e",
    "hi": "15d83ea03035ec03eb58517f6e5b3ad07c7dd60a44d50c248f65decbb953f472",
    "ru": "3fd1b3c0471a5e74d64191cb9720b5889bb66549801b0b137010d1116fa2745f",
    "th": "8a70c0d1a061e67439bb4f0a89f54b87e769269b14355b2f811b113fa0e1ff99",
    "tr": "abfdf33b920a724c761581d1ad8db6d8f6e5f3f59600225327465d459813a15c",
    "vi": "4748ee9b0b58c9c9d49c80924d89a4e03a65e46e2f0853977a80c1aa27e23d04",
    "zh": "59aa4a3ced96548a138fb88a664497b1ba305ed1901cbc1966d0d61c91e7dcb4",
}
# fmt: off
ROWS = {
    "ar": 86_787, "de": 82_603, "el": 79_946, "es": 87_488, "hi": 85_804, "ru": 84_869,
    "th": 85_846, "tr": 86_511, "vi": 87_187, "zh": 85_700,
}
# fmt: on

TASK = Task(
    name="squad_xtreme_translated",
    title="SQuAD translate-train (XTREME)",
    description="SQuAD 1.1 by machine translation, with the answers found again in the text.",
    kind="span",
    dataset="google-research/xtreme-translations",
    revision=None,
    licence="cc-by-sa-4.0 (that of SQuAD; the translations state none)",
    reference="https://proceedings.mlr.press/v119/hu20b.html",
    languages=tuple(ROWS),
    train_languages=tuple(ROWS),
    splits={},
    urls={"train": {TRAIN: None}, "validation": {DEV: None}},
    hashes={
        url.format(language=language): sha256
        for url, hashes in ((TRAIN, TRAIN_HASHES), (DEV, DEV_HASHES))
        for language, sha256 in hashes.items()
    },
    parse="squad_json",
    origin="machine",
    convert=squad,
    strict_answers=False,
    metric="squad_f1",
    train_rows=ROWS,
    evaluation="validation",
)
