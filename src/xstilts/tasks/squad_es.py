"""SQuAD-es: SQuAD 1.1 machine-translated into Spanish by translate, align, retrieve."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import squad

# The branch may move: the hashes, which the hub's script names, say which bytes are meant.
ROOT = "https://raw.githubusercontent.com/ccasimiro88/TranslateAlignRetrieve/master/SQuAD-es-v1.1"

TASK = Task(
    name="squad_es",
    title="SQuAD-es 1.1",
    description="SQuAD 1.1 by machine translation, with the answers found again by alignment.",
    kind="span",
    dataset="ccasimiro88/TranslateAlignRetrieve",
    revision=None,
    licence="cc-by-4.0",
    reference="https://aclanthology.org/2020.lrec-1.677",
    languages=("es",),
    train_languages=("es",),
    splits={},
    urls={
        "train": {
            f"{ROOT}/train-v1.1-es.json": (
                "196cfa14b6ba7d903f02e6edc20485bb959b72c965b6a2d6883b8ffd74dc2c3b"
            ),
        },
        "validation": {
            f"{ROOT}/dev-v1.1-es.json": (
                "969c846df740ee2725ac23b4d2882a58ef19a4c696767b306227c243ed99f461"
            ),
        },
    },
    parse="squad_json",
    origin="machine",
    convert=squad,
    strict_answers=False,
    metric="squad_f1",
    train_rows={"es": 87_595},
    evaluation="validation",
)
